"""The training loop: one page, the same for every system."""

import contextlib
import time
from typing import Iterator

import numpy as np

from data_pipelines import color, pipeline
from data_pipelines.sources import Source
from pix2pix_color.config import Config
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

    The last step always has its point of the curves, its sample grid and its
    checkpoint; its evaluation is the caller's.

    Args:
      config: the run's.
      state: what is trained, restored where there was a checkpoint.
      train_source: the photographs.
      checkpoints: saves the state.
      summaries: draws the curves.
      reporter: evaluates and draws samples.
      rejected: is told of photographs that cannot be read.
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

    for step, batch in zip(range(first_step + 1, total_steps + 1), batches):
        def due(every: int) -> bool:
            return step % every == 0 or step == total_steps

        window.add(train_step(batch.condition, batch.target))
        state.next_ordinal.assign(batch.ordinal[-1] + 1)
        progress.advance()

        if due(config.reporting.log_every):
            losses, rate = window.close()
            progress.show_losses(losses, step=step, images_per_second=rate)
            summaries.write_losses(
                losses, step=step, images_per_second=rate, learning_rates={
                    "generator": config.training.learning_rate,
                    "discriminator":
                        config.training.discriminator_learning_rate})
        with window.paused():
            if due(config.reporting.sample_every):
                reporter.draw_samples()
            if due(config.reporting.eval_every) and step < total_steps:
                means = reporter.evaluate().means()
                progress.say(f"step {step}: evaluation " + "  ".join(
                    f"{name} {value:.2f}" for name, value in means.items()))
            if due(config.reporting.checkpoint_every):
                summaries.flush()
                checkpoints.save()
    progress.close()


def _batches(config: Config, state: TrainState, source: Source,
             rejected: pipeline.RejectedExamples
             ) -> Iterator[pipeline.TrainingBatch]:
    """The training stream from where the state stands in it."""
    seed, first_ordinal = config.training.seed, int(state.next_ordinal)
    batches = pipeline.training_batches(
        source,
        color_space=color.COLOR_SPACES[config.networks.color_space],
        image_size=config.data.image_size, resize_size=config.resize_size,
        batch_size=config.data.batch_size, seed=seed,
        first_ordinal=first_ordinal)
    return rejected.watch_training(
        batches, source, seed=seed, first_ordinal=first_ordinal)


class _Window:
    """Losses and rate since the last point of the curves."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._losses: list[StepLosses] = []
        self._started = time.monotonic()

    def add(self, losses: StepLosses) -> None:
        self._losses.append(losses)

    def close(self) -> tuple[dict[str, float], float]:
        """Returns the mean losses and the images per second; begins anew."""
        means = {name: float(np.mean(values)) for name, values in
                 zip(StepLosses._fields, zip(*self._losses))}
        seconds = time.monotonic() - self._started
        rate = len(self._losses) * self._batch_size / seconds
        self._losses.clear()
        self._started = time.monotonic()
        return means, rate

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves what happens inside out of the rate."""
        paused_at = time.monotonic()
        yield
        self._started += time.monotonic() - paused_at
