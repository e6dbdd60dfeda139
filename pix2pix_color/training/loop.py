"""The training loop, the same for every system."""

import dataclasses
import functools
import json
import math
import os
import time
from typing import Callable, Iterator, Optional

import tensorflow as tf

from data_pipelines import augment, color, pipeline
from data_pipelines.errors import Interrupted
from data_pipelines.rejected import RejectedExamples, TooManyRejectedError
from data_pipelines.sources import Source
from pix2pix_color import hardware
from pix2pix_color.config import Config
from pix2pix_color.evaluation.protocol import Evaluation
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.distribution import Workers
from pix2pix_color.training.interruption import Interruption
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.progress import Progress, Rate
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.schedules import Schedule
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import StepLosses, make_train_step


@dataclasses.dataclass
class TrainingLoop:
    """Trains a run from its present step to its last one.

    Attributes:
      config: the run's flags.
      state: networks and optimizers, restored if there was a checkpoint.
      journal: the run's record beside its state.
      workers: the processes and devices that train.
      checkpoints: saves state and journal.
      reporter: writes curves and samples, and evaluates.
      rejected: counts the photographs that cannot be read.
      interruption: says when to stop.
    """

    config: Config
    state: TrainState
    journal: Journal
    workers: Workers
    checkpoints: Checkpoints
    reporter: Reporter
    rejected: RejectedExamples
    interruption: Interruption

    def run(self, source: Source) -> Optional[Evaluation]:
        """Trains on a source to the last step of the run.

        Everything due at a step is done before its checkpoint is saved, so a
        run that is resumed from it misses and repeats nothing.

        Returns:
          The last step's evaluation; None if an earlier process made it.

        Raises:
          UserError: a loss is not finite, a checkpoint cannot be saved, or too
            many photographs cannot be read.
          Interrupted: a signal came; the state is saved.
        """
        reporting, journal = self.config.reporting, self.journal
        schedule = self._schedule(source)
        first_step, total_steps = self.state.step_number, schedule.total_steps
        update = self.make_update(source)
        progress = Progress(first_step=first_step, total_steps=total_steps)
        rate = Rate(journal, batch_size=self.config.data.batch_size)
        profile = _Profile(self.config)
        evaluation = None

        def due(every: int) -> bool:
            step = self.state.step_number
            return step % every == 0 or step == total_steps

        try:
            for step in range(first_step + 1, total_steps + 1):
                profile.follow(step)
                asked_to_stop = update()
                rate.count_step()
                progress.advance()
                if due(reporting.log_every):
                    self._write_losses(progress, rate.take(),
                                       stage=schedule.stage(step - 1))
                if due(reporting.sample_every):
                    self._write_samples()
                if due(reporting.eval_every):
                    evaluation = self._evaluate(progress, schedule)
                if (due(reporting.checkpoint_every) or asked_to_stop
                        or journal.best.get("step") == step):
                    self.save()
                if asked_to_stop:
                    raise Interrupted(
                        f"interrupted at step {step}, which is saved; the same "
                        f"command goes on from there")
            if journal.evaluated_step < total_steps:
                # The run stopped here before --steps made it the last step.
                self._write_samples()
                evaluation = self._evaluate(progress, schedule)
                self.save()
        except TooManyRejectedError:
            self.save()
            raise
        finally:
            profile.close()
            progress.close()
        return evaluation

    def make_update(self, source: Source) -> Callable[[], bool]:
        """Returns a function that makes one update.

        The function returns whether a signal has asked to stop after it, the
        same on every worker.
        """
        config, state, journal = self.config, self.state, self.journal
        strategy, schedule = self.workers.strategy, self._schedule(source)
        step_for = functools.cache(functools.partial(
            make_train_step, state, strategy=strategy,
            jit_compile=hardware.resolve_jit_compile(
                config.training.jit_compile,
                num_replicas=strategy.num_replicas_in_sync)))
        batches = self.batches(source)
        rates: dict[str, float] = {}

        def update() -> bool:
            nonlocal rates
            with journal.timed("waiting for data"):
                batch = next(batches)
            inputs = [None if part is None else self.workers.split(part)
                      for part in (
                          batch.condition, batch.target,
                          batch.shown if config.data.degrade else None,
                          batch.hints if config.networks.hints else None)]
            step = state.step_number
            with journal.timed("step"):
                if 0 < step == schedule.pretrain_steps:
                    state.forget_generator_moments()
                previous, rates = rates, schedule.learning_rates(
                    step, journal.plateau)
                if rates != previous:
                    state.set_learning_rates(**rates)
                self._count_losses(
                    step_for(schedule.objective(step))(*inputs))
                next_ordinals, asked_to_stop = self.workers.finish_update(
                    int(batch.ordinal[-1]) + 1,
                    asked_to_stop=self.interruption.requested)
                state.next_ordinals.assign(next_ordinals)
            return asked_to_stop

        return update

    def _count_losses(self, step_losses: StepLosses) -> None:
        """Adds an update's losses to the journal, all of which are finite."""
        numbers = {name: float(loss)
                   for name, loss in step_losses._asdict().items()
                   if loss is not None}
        for name, number in numbers.items():
            if not math.isfinite(number):
                raise self.checkpoints.diverged(name)
        self.journal.add_losses(numbers)

    def time_updates(self, source: Source, num_steps: int) -> list[float]:
        """Returns the seconds of each of the next updates, saving nothing.

        Pretraining, whose updates are shorter, is skipped.
        """
        self.state.step.assign(max(
            self.state.step_number, self._schedule(source).pretrain_steps))
        update, seconds = self.make_update(source), []
        for _ in range(num_steps):
            started = time.monotonic()
            update()
            seconds.append(time.monotonic() - started)
        return seconds

    def batches(self, source: Source) -> Iterator[pipeline.TrainingBatch]:
        """Yields this worker's training batches from the present step on."""
        config, seed = self.config, self.config.training.seed
        image_size = config.data.image_size
        part = pipeline.WorkerShard(
            worker=self.workers.index, num_workers=self.workers.count,
            batch_size=config.data.batch_size // self.workers.count)

        def make_batches(first_ordinal: int) -> tf.data.Dataset:
            return pipeline.training_batches(
                source, part=part, seed=seed, first_ordinal=first_ordinal,
                color_space=color.COLOR_SPACES[config.networks.color_space],
                image_size=image_size,
                resize_size=(config.data.resize_size
                             or augment.default_resize_size(image_size)),
                max_resize_size=config.data.max_resize_size,
                min_detail=config.data.min_detail_size,
                degraded=config.data.degrade, hinted=config.networks.hints)

        return self.rejected.watch_training(
            make_batches, source, seed=seed, part=part,
            first_ordinal=int(self.state.next_ordinals[part.worker]))

    def save(self) -> None:
        """Saves a checkpoint of the present step."""
        self.journal.rejected = self.rejected.reasons
        with self.journal.timed("checkpoints"):
            self.reporter.flush()
            if self.workers.is_chief:
                self.checkpoints.save(self.journal)

    def _schedule(self, source: Source) -> Schedule:
        return Schedule(self.config, num_train_examples=len(source))

    def _write_losses(self, progress: Progress, images_per_second: float, *,
                      stage: int) -> None:
        means = self.journal.take_mean_losses()
        progress.show_losses(means, step=self.state.step_number,
                             images_per_second=images_per_second)
        with self.journal.timed("summaries"):
            self.reporter.write_losses(
                means, stage=stage, images_per_second=images_per_second)

    def _write_samples(self) -> None:
        with self.journal.timed("summaries"):
            self.reporter.write_samples()

    def _evaluate(self, progress: Progress, schedule: Schedule) -> Evaluation:
        """Evaluates the present step; the learning rates may follow from it."""
        step, journal = self.state.step_number, self.journal
        with journal.timed("evaluation"):
            evaluation = self.reporter.evaluate()
        # Workers round differently, but must go on with the same rates.
        metrics = json.loads(self.workers.text_of_chief(
            json.dumps(evaluation.means())))
        journal.note_evaluation(metrics, step=step,
                                metric=self.config.reporting.best_metric)
        journal.plateau = schedule.watch_plateau(
            journal.plateau, metrics, step=step)
        progress.say(f"step {step}: evaluation " + "  ".join(
            f"{name} {value:.2f}" for name, value in metrics.items()))
        return evaluation


class _Profile:
    """Records the updates that --profile_steps names.

    Args:
      config: the run's flags.
    """

    def __init__(self, config: Config) -> None:
        self._first, self._last = config.profiled_steps()
        self._folder = os.path.join(config.reporting.workdir, "train")
        self._is_running = False

    def follow(self, step: int) -> None:
        """Starts or ends the recording, before the update of this number."""
        if not self._first <= step <= self._last:
            self.close()
        elif not self._is_running:
            tf.profiler.experimental.start(self._folder)
            self._is_running = True

    def close(self) -> None:
        """Ends and writes the recording, if one is running."""
        if self._is_running:
            tf.profiler.experimental.stop()
            self._is_running = False
