"""The record of a run beside its TrainState, saved with every checkpoint.

It makes a resumed run draw the same curves: each of their points is a mean
over all updates since the point before, on either side of an interruption.
"""

import contextlib
import dataclasses
import time
from typing import Any, Iterator, Mapping

from pix2pix_color.metric_names import is_better
from pix2pix_color.training.train_step import StepLosses

ACTIVITIES = ("waiting for data", "step", "evaluation", "summaries",
              "checkpoints")


@dataclasses.dataclass
class Journal:
    """The record of a run up to its present step.

    Attributes:
      loss_sums: loss -> sum over the updates since the curves' last point.
      num_losses: loss -> number of these updates that had it; the
        discriminator may skip some.
      evaluated_step: the last step that was evaluated.
      best: `step`, `metric` and `value` of the best checkpoint; empty before
        the first evaluation. `incomparable` is there, and True, if it was
        evaluated on other photographs than the run has now.
      evaluation_set: digest of the present evaluation photographs' identities;
        empty in runs that did not record it.
      plateau: the state of --lr_schedule=plateau (schedules.py).
      rejected: photograph -> why it could not be read, over the whole run.
      seconds: activity -> seconds spent on it, over the whole run.
    """

    loss_sums: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(StepLosses._fields, 0.0))
    num_losses: dict[str, int] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(StepLosses._fields, 0))
    evaluated_step: int = 0
    best: dict[str, Any] = dataclasses.field(default_factory=dict)
    evaluation_set: str = ""
    plateau: dict[str, Any] = dataclasses.field(default_factory=dict)
    rejected: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(ACTIVITIES, 0.0))

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Journal":
        """Restores a journal from the output of to_json.

        Raises:
          TypeError, ValueError: it is not the output of to_json.
        """
        journal, new = cls(**saved), cls()
        if any(set(getattr(journal, name)) != set(getattr(new, name))
               for name in ("loss_sums", "num_losses", "seconds")):
            raise ValueError("not the losses and activities of a journal")
        return journal

    def to_json(self) -> dict[str, Any]:
        """Returns numbers, strings and dicts only; every float is exact."""
        return dataclasses.asdict(self)

    def add_losses(self, losses: Mapping[str, float]) -> None:
        """Counts the losses of one update, by their StepLosses name."""
        for name, loss in losses.items():
            self.loss_sums[name] += loss
            self.num_losses[name] += 1

    def take_mean_losses(self) -> dict[str, float]:
        """Returns the means since the curves' last point, and resets them.

        A loss that no update had is left out.
        """
        means = {name: total / self.num_losses[name]
                 for name, total in self.loss_sums.items()
                 if self.num_losses[name]}
        self.loss_sums = dict.fromkeys(self.loss_sums, 0.0)
        self.num_losses = dict.fromkeys(self.num_losses, 0)
        return means

    def evaluate_on(self, evaluation_set: str) -> None:
        """Notes the photographs of the evaluations that follow.

        If they are others than before, neither the best checkpoint nor
        --lr_schedule=plateau compares what follows with what was.

        Args:
          evaluation_set: digest of their identities.
        """
        if self.evaluation_set not in ("", evaluation_set):
            self.plateau.pop("best", None)
            if self.best:
                self.best["incomparable"] = True
        self.evaluation_set = evaluation_set

    def note_evaluation(self, metrics: dict[str, float], *, step: int,
                        metric: str) -> bool:
        """Remembers an evaluation; returns whether it is the best so far.

        Args:
          metrics: metric -> value.
          step: the step that was evaluated.
          metric: the metric that decides.
        """
        self.evaluated_step = step
        is_best = (self.best.get("metric") != metric
                   or "incomparable" in self.best
                   or is_better(metrics[metric], self.best["value"],
                                metric=metric))
        if is_best:
            self.best = {"step": step, "metric": metric,
                         "value": metrics[metric]}
        return is_best

    @contextlib.contextmanager
    def timed(self, activity: str) -> Iterator[None]:
        """Adds the time spent inside the block to one of ACTIVITIES."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[activity] += time.monotonic() - started

    def where_the_time_went(self) -> str:
        """Returns one line: each activity's seconds and share."""
        total = sum(self.seconds.values()) or 1.0
        return ", ".join(
            f"{name} {seconds:.1f} s ({seconds / total:.0%})"
            for name, seconds in self.seconds.items())
