"""What a run remembers beside its TrainState, saved with every checkpoint.

Without it, a run that was resumed would draw other curves than one that was
not: the point of a curve is a mean over all updates since the last one.
"""

import contextlib
import dataclasses
import time
from typing import Any, Iterator

from pix2pix_color.metric_names import is_better
from pix2pix_color.training.train_step import StepLosses

ACTIVITIES = ("waiting for data", "step", "evaluation", "summaries",
              "checkpoints")


@dataclasses.dataclass
class Journal:
    """The record of a run up to its present step.

    Attributes:
      loss_sums: loss -> sum over the updates since the curves' last point.
      num_losses: loss -> how many updates these are; the discriminator may
        not learn in all of them.
      evaluated_step: the last step that was evaluated.
      sampled_step: the last step that has a sample grid.
      best: of the best checkpoint its `step`, the `metric` that told it and
        its `value`; empty before the first evaluation.
      plateau: what --lr_schedule=plateau has seen (schedules.py).
      rejected: photograph -> why it could not be read, over the whole run.
      seconds: activity -> seconds spent on it, over the whole run.
    """

    loss_sums: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(StepLosses._fields, 0.0))
    num_losses: dict[str, int] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(StepLosses._fields, 0))
    evaluated_step: int = 0
    sampled_step: int = 0
    best: dict[str, Any] = dataclasses.field(default_factory=dict)
    plateau: dict[str, Any] = dataclasses.field(default_factory=dict)
    rejected: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(ACTIVITIES, 0.0))

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Journal":
        """Takes up what to_json gave.

        A loss that an earlier version did not know of begins at nothing.

        Raises:
          TypeError, ValueError: it is something else.
        """
        journal, new = cls(**saved), cls()
        journal.loss_sums = {**new.loss_sums, **journal.loss_sums}
        journal.num_losses = {**new.num_losses, **journal.num_losses}
        if any(set(getattr(journal, name)) != set(getattr(new, name))
               for name in ("loss_sums", "num_losses", "seconds")):
            raise ValueError("not the losses and activities of a journal")
        return journal

    def to_json(self) -> dict[str, Any]:
        """Numbers, words and dicts alone; every float to the bit."""
        return dataclasses.asdict(self)

    def add_losses(self, losses: StepLosses) -> None:
        """Counts the losses of one update, those that it has."""
        for name, loss in losses._asdict().items():
            if loss is not None:
                self.loss_sums[name] += float(loss)
                self.num_losses[name] += 1

    def take_mean_losses(self) -> dict[str, float]:
        """The means since the curves' last point; begins anew.

        A loss that no update had is left out.
        """
        means = {name: total / self.num_losses[name]
                 for name, total in self.loss_sums.items()
                 if self.num_losses[name]}
        self.loss_sums = dict.fromkeys(self.loss_sums, 0.0)
        self.num_losses = dict.fromkeys(self.num_losses, 0)
        return means

    def note_evaluation(self, metrics: dict[str, float], *, step: int,
                        metric: str) -> bool:
        """Remembers an evaluation; returns whether it is the best so far.

        Args:
          metrics: what it gave.
          step: the step that was evaluated.
          metric: the one that decides.
        """
        self.evaluated_step = step
        is_best = (self.best.get("metric") != metric
                   or is_better(metrics[metric], self.best["value"],
                                metric=metric))
        if is_best:
            self.best = {"step": step, "metric": metric,
                         "value": metrics[metric]}
        return is_best

    @contextlib.contextmanager
    def timed(self, activity: str) -> Iterator[None]:
        """Counts the time inside towards one of ACTIVITIES."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[activity] += time.monotonic() - started

    def where_the_time_went(self) -> str:
        """One line: each activity's seconds and share."""
        total = sum(self.seconds.values()) or 1.0
        return ", ".join(
            f"{name} {seconds:.1f} s ({seconds / total:.0%})"
            for name, seconds in self.seconds.items())
