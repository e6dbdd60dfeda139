"""Runs as they lie on disk, finished or still training."""

import dataclasses
import os
import re
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from data_pipelines.errors import UserError
from pix2pix_color import summaries
from pix2pix_color.config import Config
from pix2pix_color.run_folder import RunFolder

Curves = Mapping[str, Mapping[int, float]]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
      name: distinguishes it from the other runs of the report.
      path: its folder.
      config: its flags.
      facts: its run.json.
      train: the curves of training, tag -> step -> value.
      evaluation: the curves of evaluation.
    """

    name: str
    path: str
    config: Config
    facts: Mapping[str, Any]
    train: Curves
    evaluation: Curves

    @property
    def steps_per_epoch(self) -> float:
        """Updates that use as many photographs as there are to train on."""
        return (self.facts["data"]["train_photographs"]
                / self.config.data.batch_size)

    @property
    def step(self) -> int:
        """The last step of any curve."""
        return max(step for curves in (self.train, self.evaluation)
                   for points in curves.values() for step in points)

    @property
    def total_steps(self) -> int:
        """The step at which the run ends."""
        return self.config.total_steps(
            self.facts["data"]["train_photographs"])

    @property
    def is_finished(self) -> bool:
        """True if run.json holds results of the last step.

        A run that ended and was then prolonged is not finished.
        """
        return self.facts.get("step", 0) >= max(self.step, self.total_steps)

    def values(self, tag: str) -> dict[int, float]:
        """Returns a curve, step -> value; empty if the run has none."""
        return dict(self.train.get(tag) or self.evaluation.get(tag) or {})

    def metrics_at(self, step: int) -> dict[str, float]:
        """Returns the evaluation of a step, metric -> mean."""
        return {tag.removeprefix("metric/"): points[step]
                for tag, points in self._metric_curves() if step in points}

    @property
    def evaluated_steps(self) -> list[int]:
        """The steps with an evaluation, ascending."""
        return sorted({step for _, points in self._metric_curves()
                       for step in points})

    def _metric_curves(self):
        return [(tag, points) for tag, points in self.evaluation.items()
                if tag.startswith("metric/")]

    @property
    def pretrained_until(self) -> Optional[int]:
        """The last known step of pretraining; None without pretraining."""
        pretraining = [step for step, stage in self.values("stage").items()
                       if stage < 0.5]
        return max(pretraining, default=None)

    def images_per_second(self) -> Optional[float]:
        """Returns the median of the curve; None if it has no rate yet.

        The first point has no rate: it contains compilation.
        """
        rates = [rate for rate in self.values("images_per_second").values()
                 if rate]
        return float(np.median(rates)) if rates else None

    def training_seconds(self) -> Optional[float]:
        """Returns the seconds of all updates and of waiting for data.

        Computed from the curve, so pauses of a resumed run do not count. None
        if the curve has no rate yet.
        """
        rates, median = (self.values("images_per_second"),
                         self.images_per_second())
        if median is None:
            return None
        steps = np.diff([0, *rates])
        per_step = [self.config.data.batch_size / (rate or median)
                    for rate in rates.values()]
        return float(np.sum(steps * per_step))

    def grids(self, kind: str) -> dict[int, str]:
        """Finds the run's sample grids.

        Args:
          kind: `step` for evaluation, `training` for training photographs.

        Returns:
          step -> path of the PNG file, steps ascending.
        """
        folder = RunFolder(self.path).samples_dir
        names = os.listdir(folder) if os.path.isdir(folder) else []
        matches = (re.fullmatch(rf"{kind}-(\d+)\.png", name) for name in names)
        return dict(sorted((int(match[1]), os.path.join(folder, match[0]))
                           for match in matches if match))


def load_runs(paths: Sequence[str]) -> list[Run]:
    """Reads runs, each under a name of its own.

    Raises:
      UserError: a folder holds no run, a run is named twice, or a run has
        nothing to show yet.
    """
    return [_load_run(path, name)
            for path, name in zip(paths, distinct_names(paths))]


def _load_run(path: str, name: str) -> Run:
    folder = RunFolder(path)
    config = folder.config()
    try:
        facts = folder.read_run_json()
    except ValueError as error:
        raise UserError(f"{folder.run_path} is not JSON: {error}") from error
    train, evaluation = (
        summaries.read_curves(os.path.join(folder.path, part))
        for part in ("train", "eval"))
    if "data" not in facts or not (train or evaluation):
        raise UserError(
            f"{path!r} has nothing to show yet: its curves have no point; the "
            f"first comes after --log_every={config.reporting.log_every} "
            f"updates")
    return Run(name=name, path=folder.path, config=config, facts=facts,
               train=train, evaluation=evaluation)


def distinct_names(paths: Sequence[str]) -> list[str]:
    """Names each path by as many of its last parts as make it unique.

    Raises:
      UserError: a path is named twice.
    """
    parts = [os.path.realpath(path).split(os.sep)
             for path in paths]
    for place, path in enumerate(paths):
        if parts[place] in parts[:place]:
            raise UserError(f"{path!r} is named twice")

    def name(own):
        others = [other for other in parts if other is not own]
        for length in range(1, len(own) + 1):
            if all(own[-length:] != other[-length:] for other in others):
                break
        return os.sep.join(own[-length:])

    return [name(own) for own in parts]


def equal_epochs(runs: Sequence[Run]) -> tuple[float, list[Optional[int]]]:
    """Finds where runs of any batch size can be compared.

    Returns:
      The largest epoch (within 0.01) at which all runs were evaluated, and the
      step of each run. If there is none, the largest epoch that all runs have
      reached, and each run's last evaluated step up to it. Without any
      evaluation, 0 and None.
    """
    evaluated = [{step / run.steps_per_epoch: step
                  for step in run.evaluated_steps} for run in runs]
    for epoch in sorted(set().union(*evaluated), reverse=True):
        near = [next((step for other, step in steps.items()
                      if abs(other - epoch) <= 0.01), None)
                for steps in evaluated]
        if None not in near:
            return epoch, near
    reached = min(max(steps, default=0.0) for steps in evaluated)
    return reached, [
        max((step for epoch, step in steps.items() if epoch <= reached),
            default=None) for steps in evaluated]


def differing_flags(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Returns the flags in which runs differ, flag -> value in each run.

    The flags of a single run are compared with the defaults. --workdir is left
    out.
    """
    configs = [run.config for run in runs]
    compared = configs if len(runs) > 1 else [*configs, Config()]
    return {
        fields[0].name: list(values)[:len(runs)] for fields, values in (
            zip(*options) for options in zip(
                *(config.options() for config in compared)))
        if fields[0].name != "workdir" and len(set(values)) > 1}
