"""The training loop: one page, the same for every system."""

import dataclasses
import functools
import json
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
from pix2pix_color.training import failure
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.distribution import Workers
from pix2pix_color.training.interruption import Interruption
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.progress import Progress
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.schedules import Schedule
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import find_non_finite, make_train_step


@dataclasses.dataclass
class TrainingLoop:
    """A run's training, from where its state stands to its last step.

    Attributes:
      config: the run's.
      state: what is trained, restored where there was a checkpoint.
      journal: what the run remembers beside its state.
      workers: which processes and devices train.
      checkpoints: saves state and journal.
      reporter: draws the curves, evaluates, draws samples.
      rejected: is told of photographs that cannot be read.
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

        All that is due at a step is done before its checkpoint is saved, so
        that a run that goes on from there misses and repeats nothing.

        Returns:
          The last step's evaluation, if it was made now.

        Raises:
          UserError: a loss or gradient is not finite, memory ran out, or a
            checkpoint cannot be saved.
          UserError: the photographs cannot be read any more, or too many of
            them.
          Interrupted: a signal came; the state is saved.
        """
        config, journal = self.config, self.journal
        schedule = self._schedule(source)
        step, total_steps = self.state.step_number, schedule.total_steps
        progress = Progress(first_step=step, total_steps=total_steps)
        rate = _Rate(journal, batch_size=config.data.batch_size)
        profile = _Profile(config)
        update = self.make_update(source)

        def due(every: int) -> bool:
            return step > 0 and (step % every == 0 or step == total_steps)

        try:
            # What is due may not have been done if it was interrupted.
            evaluation = self._look(due, progress, schedule)
            if evaluation is not None:
                self.save()
            while step < total_steps:
                profile.follow(step + 1)
                with self.interruption.deferred():
                    is_last = update()
                    step += 1
                    rate.count_step()
                    progress.advance()
                    if due(config.reporting.log_every):
                        self._draw_losses(progress, rate.take(),
                                          stage=schedule.stage(step - 1))
                if is_last:
                    raise Interrupted()
                evaluation = self._look(due, progress, schedule)
                if (journal.best.get("step") == step
                        or due(config.reporting.checkpoint_every)):
                    self.save()
        except (Interrupted, TooManyRejectedError) as error:
            # Nothing that was learned is lost: the same command goes on.
            self.save()
            if isinstance(error, TooManyRejectedError):
                raise
            raise Interrupted(f"interrupted at step {step}, which is saved; "
                              f"the same command goes on from there") from None
        finally:
            profile.close()
            progress.close()
        return evaluation

    def time_updates(self, source: Source, num_steps: int) -> list[float]:
        """Seconds of each of the next updates, which are not saved.

        Those of pretraining, which are shorter, are passed over.
        """
        self.state.step.assign(max(
            self.state.step_number, self._schedule(source).pretrain_steps))
        update, seconds = self.make_update(source), []
        for _ in range(num_steps):
            started = time.monotonic()
            update()
            seconds.append(time.monotonic() - started)
        return seconds

    def _schedule(self, source: Source) -> Schedule:
        return Schedule(self.config, num_train_examples=len(source))

    def make_update(self, source: Source) -> Callable[[], bool]:
        """Returns what makes one update, and says whether to stop after it."""
        config, state, journal = self.config, self.state, self.journal
        strategy, schedule = self.workers.strategy, self._schedule(source)
        # One compiled step for each thing that updates are for.
        step_for = functools.cache(functools.partial(
            make_train_step, state, strategy=strategy,
            jit_compile=hardware.resolve_jit_compile(
                config.training.jit_compile,
                num_replicas=strategy.num_replicas_in_sync)))
        set_rates = _LearningRates(state)
        batches = self._batches(source)

        def update() -> bool:
            with journal.timed("waiting for data"):
                batch = next(batches)
            shown = (batch.shown,) if config.data.degrade else ()
            inputs = tuple(map(self.workers.split, (
                batch.condition, batch.target, *shown)))
            step = state.step_number
            objective = schedule.objective(step)
            with journal.timed("step"):
                if 0 < step == schedule.pretrain_steps:
                    state.forget_generator_moments()
                set_rates(schedule.learning_rates(step, journal.plateau))
                with failure.explained(
                        config=config, state=state, journal=journal,
                        batch=batch, checkpoints=self.checkpoints,
                        find_non_finite=functools.partial(
                            find_non_finite, state, *inputs,
                            objective=objective, strategy=strategy)):
                    journal.add_losses(step_for(objective)(*inputs))
                next_ordinals, is_last = self.workers.finish_update(
                    int(batch.ordinal[-1]) + 1,
                    is_last=self.interruption.requested)
                state.next_ordinals.assign(next_ordinals)
            return is_last

        return update

    def _batches(self, source: Source) -> Iterator[pipeline.TrainingBatch]:
        """This worker's training stream from where the state stands in it."""
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
                degraded=config.data.degrade)

        return self.rejected.watch_training(
            make_batches, source, seed=seed, part=part,
            first_ordinal=int(self.state.next_ordinals[part.worker]))

    def _draw_losses(self, progress: Progress, images_per_second: float, *,
                     stage: int) -> None:
        means = self.journal.take_mean_losses()
        progress.show_losses(means, step=self.state.step_number,
                             images_per_second=images_per_second)
        with self.journal.timed("summaries"):
            self.reporter.draw_losses(
                means, stage=stage, images_per_second=images_per_second)

    def _look(self, due: Callable[[int], bool], progress: Progress,
              schedule: Schedule) -> Optional[Evaluation]:
        """Draws samples and evaluates where that is due and not done yet."""
        reporting, journal = self.config.reporting, self.journal
        step, evaluation = self.state.step_number, None
        if due(reporting.sample_every) and journal.sampled_step < step:
            with journal.timed("summaries"):
                self.reporter.draw_samples()
            journal.sampled_step = step
        if due(reporting.eval_every) and journal.evaluated_step < step:
            with journal.timed("evaluation"):
                evaluation = self.reporter.evaluate()
            # Workers round differently, and must go on with the same rates.
            metrics = json.loads(self.workers.text_of_chief(
                json.dumps(evaluation.means())))
            journal.note_evaluation(metrics, step=step,
                                    metric=reporting.best_metric)
            journal.plateau = schedule.watch_plateau(
                journal.plateau, metrics, step=step)
            progress.say(f"step {step}: evaluation " + "  ".join(
                f"{name} {value:.2f}" for name, value in metrics.items()))
        return evaluation

    def save(self) -> None:
        """Saves a checkpoint of where the training stands."""
        self.journal.rejected = self.rejected.reasons
        with self.interruption.deferred(), self.journal.timed("checkpoints"):
            self.reporter.flush()
            if self.workers.is_chief:
                self.checkpoints.save(self.journal)


class _LearningRates:
    """Sets a state's learning rates where they are others than before.

    Args:
      state: whose; what its optimizers were restored with does not count.
    """

    def __init__(self, state: TrainState) -> None:
        self._state, self._rates = state, dict[str, float]()

    def __call__(self, rates: dict[str, float]) -> None:
        if rates != self._rates:
            self._state.set_learning_rates(**rates)
            self._rates = rates


class _Profile:
    """Records the updates that --profile_steps names.

    Args:
      config: the run's.
    """

    def __init__(self, config: Config) -> None:
        self._first, self._last = config.profiled_steps()
        self._folder = os.path.join(config.reporting.workdir, "train")
        self._is_running = False

    def follow(self, step: int) -> None:
        """Begins or ends the record, before the update of this number."""
        if not self._first <= step <= self._last:
            self.close()
        elif not self._is_running:
            tf.profiler.experimental.start(self._folder)
            self._is_running = True

    def close(self) -> None:
        """Ends the record, if there is one, and writes it."""
        if self._is_running:
            tf.profiler.experimental.stop()
            self._is_running = False


class _Rate:
    """Images per second since the last point of the curves, while training.

    Args:
      journal: counts the seconds.
      batch_size: photographs an update.
    """

    def __init__(self, journal: Journal, *, batch_size: int) -> None:
        self._seconds, self._batch_size = journal.seconds, batch_size
        self._num_steps, self._since, self._is_tracing = 0, 0.0, True

    def _now(self) -> float:
        return self._seconds["waiting for data"] + self._seconds["step"]

    def count_step(self) -> None:
        """Counts an update; not the first, which is mostly compilation."""
        if self._is_tracing:
            self._is_tracing, self._since = False, self._now()
        else:
            self._num_steps += 1

    def take(self) -> float:
        """Returns the rate, 0 where nothing was counted; begins anew."""
        seconds = self._now() - self._since
        rate = self._num_steps * self._batch_size / seconds if seconds else 0.0
        self._num_steps, self._since = 0, self._now()
        return rate
