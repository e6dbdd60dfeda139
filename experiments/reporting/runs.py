"""Runs as they lie on disk, finished or still going: numbers and pictures."""

import dataclasses
import os
import re
from typing import Any, Mapping, Optional, Sequence

import numpy as np
from PIL import Image

from data_pipelines.errors import UserError
from pix2pix_color import summaries
from pix2pix_color.config import Config
from pix2pix_color.evaluation import sample_grid
from pix2pix_color.run_folder import RunFolder

Curves = Mapping[str, Mapping[int, float]]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
      name: what tells it from the other runs of the report.
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
        """How many updates go once through the photographs."""
        return (self.facts["data"]["train_photographs"]
                / self.config.data.batch_size)

    @property
    def step(self) -> int:
        """The last step that anything was written of."""
        return max(step for curves in (self.train, self.evaluation)
                   for points in curves.values() for step in points)

    @property
    def total_steps(self) -> int:
        return self.config.total_steps(
            self.facts["data"]["train_photographs"])

    @property
    def is_finished(self) -> bool:
        """Whether run.json tells of the end, and not of an earlier one."""
        return self.facts.get("step", 0) >= max(self.step, self.total_steps)

    def values(self, tag: str) -> dict[int, float]:
        """A curve: step -> value; empty where it was not written."""
        return dict(self.train.get(tag) or self.evaluation.get(tag) or {})

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that evaluation has curves of."""
        return [tag.removeprefix("metric/") for tag in self.evaluation
                if tag.startswith("metric/")]

    def metrics_at(self, step: int) -> dict[str, float]:
        """What the evaluation at a step gave: metric -> mean."""
        return {name: self.values(f"metric/{name}")[step]
                for name in self.metrics
                if step in self.values(f"metric/{name}")}

    @property
    def evaluated_steps(self) -> list[int]:
        return sorted({step for name in self.metrics
                       for step in self.values(f"metric/{name}")})

    @property
    def pretrained_until(self) -> Optional[int]:
        """The last step known to be pretraining's; None where there is none."""
        pretraining = [step for step, stage in self.values("stage").items()
                       if stage < 0.5]
        return max(pretraining, default=None)

    def images_per_second(self) -> Optional[float]:
        """The median over the run, compilation left out; None if unknown."""
        rates = [rate for rate in self.values("images_per_second").values()
                 if rate]
        return float(np.median(rates)) if rates else None

    def training_seconds(self) -> Optional[float]:
        """Seconds spent on updates and waiting for data, by the curve.

        Pauses between parts of a run that was resumed do not count.
        """
        rates, median = (self.values("images_per_second"),
                         self.images_per_second())
        if median is None:
            return None
        steps = np.diff([0, *rates])
        per_step = [self.config.data.batch_size / (rate or median)
                    for rate in rates.values()]
        return float(np.sum(steps * per_step))

    def _grids(self, kind: str) -> dict[int, str]:
        """The run's sample grids: step -> file."""
        folder = RunFolder(self.path).samples_dir
        names = os.listdir(folder) if os.path.isdir(folder) else []
        matches = (re.fullmatch(rf"{kind}-(\d+)\.png", name) for name in names)
        return {int(match[1]): os.path.join(folder, match[0])
                for match in matches if match}

    def grid_steps(self, kind: str) -> list[int]:
        """The steps that there is a sample grid of, in order."""
        return sorted(self._grids(kind))

    def pictures(self, kind: str,
                 step: Optional[int] = None) -> Optional[np.ndarray]:
        """A sample grid, cut apart.

        Args:
          kind: `step` for evaluation, `training` for training photographs.
          step: which one; None for the newest.

        Returns:
          uint8 [3, N, S, S, 3]: gray, generated, real; None where there is no
          grid that can be read, as in a run of an older version.
        """
        grids = self._grids(kind)
        path = grids.get(max(grids, default=0) if step is None else step)
        if path is None:
            return None
        try:
            with Image.open(path) as grid:
                return sample_grid.cut_grid(
                    np.asarray(grid.convert("RGB")),
                    image_size=self.config.data.image_size)
        except (OSError, ValueError):
            return None


def load_runs(paths: Sequence[str]) -> list[Run]:
    """Reads runs, each under a name of its own.

    Raises:
      UserError: a folder is named twice, or a run has nothing to show yet.
      UserError: a folder holds no run, or one of another version.
    """
    return [_load(path, name)
            for path, name in zip(paths, distinct_names(paths))]


def _load(path: str, name: str) -> Run:
    folder = RunFolder(path)
    config = folder.config()
    try:
        facts = folder.read_run_json()
    except ValueError as error:
        raise UserError(f"{folder.run_path} is no JSON: {error}") from error
    train, evaluation = (
        summaries.read_curves(os.path.join(folder.path, part))
        for part in ("train", "eval"))
    if "data" not in facts or not (train or evaluation):
        raise UserError(
            f"{path!r} has nothing to show yet: no point of any curve was "
            f"written; the first comes after --log_every="
            f"{config.reporting.log_every} updates")
    return Run(name=name, path=folder.path, config=config, facts=facts,
               train=train, evaluation=evaluation)


def distinct_names(paths: Sequence[str]) -> list[str]:
    """For each path as many of its last parts as tell it from the others."""
    parts = [os.path.realpath(os.path.expanduser(path)).split(os.sep)
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
    """Where runs of any batch size can be compared.

    Returns:
      The largest epoch that all runs were evaluated at, a hundredth more or
      less, and the step of each; or, where there is none, the largest that all
      have reached an evaluation of, and each run's last evaluated step up to
      there; 0 and None where nothing was evaluated.
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
    """The flags that tell the runs apart, without their folders.

    Args:
      runs: of a single one, the flags that are not the defaults.

    Returns:
      flag -> value in each run.
    """
    configs = [run.config for run in runs]
    compared = configs if len(runs) > 1 else [*configs, Config()]
    return {
        fields[0].name: list(values)[:len(runs)] for fields, values in (
            zip(*options) for options in zip(
                *(config.options() for config in compared)))
        if fields[0].name != "workdir" and len(set(values)) > 1}
