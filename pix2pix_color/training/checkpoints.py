"""TrainState <-> checkpoints on disk, numbered by step."""

import tensorflow as tf

from pix2pix_color.config import ConfigError
from pix2pix_color.training.train_state import TrainState


class Checkpoints:
    """The newest checkpoints of one run.

    Args:
      state: what is saved and restored.
      directory: where the checkpoints live.
      keep: how many to keep, the newest.
    """

    def __init__(self, state: TrainState, *, directory: str,
                 keep: int = 1) -> None:
        # Named one by one: the names are the format on disk.
        self._checkpoint = tf.train.Checkpoint(
            generator=state.generator,
            discriminator=state.discriminator,
            generator_optimizer=state.generator_optimizer,
            discriminator_optimizer=state.discriminator_optimizer,
            step=state.step,
            next_ordinal=state.next_ordinal,
            dropout_seeds=state.dropout_seeds)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, directory, max_to_keep=keep,
            checkpoint_name="step")
        self._step = state.step

    @property
    def latest(self) -> str:
        """Path prefix of the newest checkpoint, or empty."""
        return self._manager.latest_checkpoint or ""

    def save(self) -> str:
        """Saves the state; returns the checkpoint's path prefix."""
        return self._manager.save(checkpoint_number=self._step)

    def restore_latest(self) -> bool:
        """Restores the newest checkpoint, if there is any.

        Returns:
          Whether there was one.

        Raises:
          ConfigError: it does not fit the state, or is damaged.
        """
        if not self.latest:
            return False
        try:
            # Everything in the state must be in the checkpoint.
            status = self._checkpoint.restore(self.latest)
            status.assert_existing_objects_matched()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"checkpoint {self.latest} cannot be restored: "
                              f"{reason}") from error
        return True
