"""The training loop: one page, the same for every system."""

import contextlib
import time
from typing import Iterator

import numpy as np
import tensorflow as tf

from data_pipelines import augment, color, pipeline
from data_pipelines.errors import InputError
from data_pipelines.sources import Source
from pix2pix_color.config import Config, ConfigError
from pix2pix_color.summaries import Summaries
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.progress import Progress
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import StepLosses, make_train_step


def train(*, config: Config, state: TrainState, train_source: Source,
          checkpoints: Checkpoints, summaries: Summaries, reporter: Reporter,
          rejected: pipeline.RejectedExamples) -> None:
    """Trains from where the state stands to the last step of the run.

    The last step always has its point of the curves and its checkpoint; its
    evaluation and sample grids are the caller's.

    Args:
      config: the run's.
      state: what is trained, restored where there was a checkpoint.
      train_source: the photographs.
      checkpoints: saves the state.
      summaries: draws the curves.
      reporter: evaluates and draws samples.
      rejected: is told of photographs that cannot be read.

    Raises:
      ConfigError: a loss is not finite.
      InputError: the photographs cannot be read any more, or too many of them.
    """
    first_step = int(state.step)
    total_steps = config.total_steps(len(train_source))
    if first_step >= total_steps:
        return
    train_step = make_train_step(state, gan_weight=config.training.gan_weight,
                                 l1_weight=config.training.l1_weight)
    progress = Progress(first_step=first_step, total_steps=total_steps)
    window = _Window(config.data.batch_size)
    batches = _batches(config, state, train_source, rejected)

    try:
        for step, batch in zip(range(first_step + 1, total_steps + 1), batches):
            def due(every: int) -> bool:
                return step % every == 0 or step == total_steps

            losses = train_step(batch.condition, batch.target)
            state.next_ordinal.assign(batch.ordinal[-1] + 1)
            window.add(losses)
            progress.advance()

            if due(config.reporting.log_every):
                means, rate = window.close()
                progress.show_losses(means, step=step, images_per_second=rate)
                summaries.write_losses(
                    means, step=step, images_per_second=rate,
                    rejected=len(rejected), learning_rates={
                        "generator": float(
                            state.generator_optimizer.learning_rate),
                        "discriminator": float(
                            state.discriminator_optimizer.learning_rate)})
            with window.paused():
                if due(config.reporting.checkpoint_every):
                    _require_finite(losses, step=step, checkpoints=checkpoints)
                    summaries.flush()
                    checkpoints.save()
                if step == total_steps:
                    break
                if due(config.reporting.sample_every):
                    reporter.draw_samples()
                if due(config.reporting.eval_every):
                    metrics = reporter.evaluate().means()
                    progress.say(f"step {step}: evaluation " + "  ".join(
                        f"{name} {value:.2f}"
                        for name, value in metrics.items()))
    except (KeyboardInterrupt, InputError):
        # Nothing that was learned is lost: the same command goes on from here.
        summaries.flush()
        if window.is_finite():
            checkpoints.save()
        raise
    finally:
        progress.close()


def _require_finite(losses: StepLosses, *, step: int,
                    checkpoints: Checkpoints) -> None:
    """Stops a run that has diverged before it can overwrite what was good."""
    for name, value in losses._asdict().items():
        if not np.isfinite(value):
            raise ConfigError(
                f"step {step}: the loss {name} is {float(value)}, the training "
                f"has diverged; a lower --learning_rate or "
                f"--discriminator_learning_rate may help. The newest good "
                f"checkpoint is {checkpoints.latest or 'none'}")


def _batches(config: Config, state: TrainState, source: Source,
             rejected: pipeline.RejectedExamples
             ) -> Iterator[pipeline.TrainingBatch]:
    """The training stream from where the state stands in it."""
    seed, first_ordinal = config.training.seed, int(state.next_ordinal)
    image_size = config.data.image_size

    def make_batches(first_ordinal: int) -> tf.data.Dataset:
        return pipeline.training_batches(
            source,
            color_space=color.COLOR_SPACES[config.networks.color_space],
            image_size=image_size,
            resize_size=(config.data.resize_size
                         or augment.default_resize_size(image_size)),
            batch_size=config.data.batch_size, seed=seed,
            first_ordinal=first_ordinal)

    return rejected.watch_training(
        make_batches, source, seed=seed, first_ordinal=first_ordinal)


class _Window:
    """Losses and rate since the last point of the curves."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._losses: list[StepLosses] = []
        self._started, self._timed = time.monotonic(), 0
        self._tracing = True

    def add(self, losses: StepLosses) -> None:
        self._losses.append(losses)
        if self._tracing:  # the first update, which is mostly compilation
            self._tracing, self._started = False, time.monotonic()
            self._timed = -1
        self._timed += 1

    def is_finite(self) -> bool:
        """Whether no loss since the last point says that training diverged."""
        return bool(np.all(np.isfinite(self._losses)))

    def close(self) -> tuple[dict[str, float], float]:
        """Returns the mean losses and the images per second; begins anew."""
        means = {name: float(np.mean(values)) for name, values in
                 zip(StepLosses._fields, zip(*self._losses))}
        seconds = time.monotonic() - self._started
        rate = self._timed * self._batch_size / seconds
        self._losses.clear()
        self._started, self._timed = time.monotonic(), 0
        return means, rate

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves what happens inside out of the rate."""
        paused_at = time.monotonic()
        yield
        self._started += time.monotonic() - paused_at
