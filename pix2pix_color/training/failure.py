"""What a person is told, and left with, when an update fails."""

import contextlib
import os
import shutil
from typing import Callable, Iterator

import numpy as np
import tensorflow as tf

from data_pipelines import pipeline
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from pix2pix_color.config import Config
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training import memory
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

_NAMED = 5


@contextlib.contextmanager
def explained(*, config: Config, state: TrainState, journal: Journal,
              batch: pipeline.TrainingBatch, checkpoints: Checkpoints,
              find_non_finite: Callable[[], list[str]]) -> Iterator[None]:
    """Turns a failed update into a message that says what to do.

    Args:
      config: the run's.
      state: what is updated.
      journal: saved with the state.
      batch: what the update is given, for a person to look at.
      checkpoints: writes the state.
      find_non_finite: train_step's, of this update.

    Raises:
      UserError: a loss or gradient is not finite, and the batch and the
        state are in the run's folder; or memory ran out. The state is that
        before the update, but for batch normalization's averages and, where
        the generator's turn was refused, the discriminator's turn before it.
    """
    try:
        with memory.explained(config, state):
            yield
    except tf.errors.InvalidArgumentError as error:
        step = state.step_number + 1
        folder = RunFolder(config.reporting.workdir).diverged_path(step)
        left = (f"The batch, the state before it and all the names are in "
                f"{folder}")
        try:
            # Before the search, which is another pass through the networks.
            checkpoints.write(folder, journal)
            np.savez(os.path.join(folder, "batch.npz"),
                     condition=batch.condition, target=batch.target,
                     ordinal=batch.ordinal, shown=batch.shown)
        except (UserError, OSError) as also:
            left = f"The batch could not be kept: {also}"
        names = find_non_finite()
        if not names:  # a bug, and no matter of the batch
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if os.path.isdir(folder):
            write_atomically(os.path.join(folder, "not_finite.txt"),
                             ("\n".join(names) + "\n").encode())
        more = f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
        raise UserError(
            f"step {step}: not finite: {', '.join(names[:_NAMED])}{more}. The "
            f"training has diverged; a lower --learning_rate or "
            f"--discriminator_learning_rate may help. {left}; the newest good "
            f"checkpoint is {checkpoints.latest or 'none'}") from error
