"""Evaluates a SavedModel by the protocol of evaluation.py."""

import csv
import io
import json
import os
from typing import Any, Optional

from data_pipelines import color, pipeline, sources, split
from data_pipelines.sources import Source
from pix2pix_color import evaluation, evaluation_page, fid
from pix2pix_color.evaluation import METRICS, Evaluation
from pix2pix_color.files import write_atomically
from pix2pix_color.serving.client import Model
from pix2pix_color.training.run_folder import RunFolder

# No number depends on it; this one fits anywhere.
_BATCH = 8


class Score:
    """A model's evaluation on photographs.

    Attributes:
      result: the numbers.
      rejected: photographs that could not be read, and why.

    Args:
      model: what is evaluated.
      source: the photographs.
      inception_weights: as fid.inception_features takes them; empty for none.

    Raises:
      InputError: no photograph, or not the weights, can be read.
    """

    def __init__(self, model: Model, source: Source, *,
                 inception_weights: str = "") -> None:
        self._model, self._source = model, source
        self._color_space = color.COLOR_SPACES[model.card["color_space"]]
        signature = model.module.signatures["predict_target"]
        self._predict = lambda condition: signature(
            condition=condition)["target"]
        rejected = pipeline.RejectedExamples()
        self.result: Evaluation = evaluation.evaluate(
            self._predict, source, color_space=self._color_space,
            image_size=model.image_size, batch_size=_BATCH, rejected=rejected,
            features=(fid.inception_features(inception_weights)
                      if inception_weights else None))
        self.rejected = rejected.reasons

    def write(self, output: str) -> list[str]:
        """Writes metrics.json, and beside it metrics.csv and metrics.html.

        Args:
          output: the JSON file's path; the others differ in the ending.

        Returns:
          The paths.
        """
        stem = os.path.splitext(output)[0]
        contents = {
            output: json.dumps(self.to_json(), indent=2) + "\n",
            f"{stem}.csv": self.to_csv(),
            f"{stem}.html": evaluation_page.draw(
                self.result, source=self._source, predict=self._predict,
                color_space=self._color_space,
                image_size=self._model.image_size,
                title=f"{self._model.directory} on {self._source.origin}"),
        }
        for path, text in contents.items():
            write_atomically(path, text.encode(errors="backslashreplace"))
        return list(contents)

    def to_json(self) -> dict[str, Any]:
        """The averages, and what they are of."""
        return {"model": self._model.directory,
                "step": self._model.card.get("step"),
                "data": self._source.origin,
                "image_size": self._model.image_size,
                **self.result.to_json(), "rejected": self.rejected}

    def to_csv(self) -> str:
        """One line a photograph."""
        result, text = self.result, io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["photograph", *METRICS,
                         *(f"gray_{name}" for name in METRICS),
                         "real_colorfulness"])
        for place, index in enumerate(result.indices.tolist()):
            writer.writerow([
                self._source.identities[index],
                *(f"{values[name][place]:.6g}" for values in
                  (result.generated, result.gray) for name in METRICS),
                f"{result.real_colorfulness[place]:.6g}"])
        return text.getvalue()


def open_data(spec: str, *, tfds_data_dir: str) -> Source:
    """Opens the photographs of --data."""
    return sources.open_source(spec, flag="--data",
                               tfds_data_dir=tfds_data_dir)


def open_held_out(run: str, *, tfds_data_dir: str) -> Source:
    """Opens the photographs that a run evaluates on.

    Args:
      run: its folder.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets; empty for
        where the run found them.
    """
    data = RunFolder(run).config().data
    return split.open_train_and_eval(
        data=data.data, eval_data=data.eval_data,
        eval_fraction=data.eval_fraction, train_examples=data.train_examples,
        eval_examples=data.eval_examples,
        tfds_data_dir=tfds_data_dir or data.tfds_data_dir)[1]


def table(result: Evaluation, rejected: Optional[dict[str, str]] = None) -> str:
    """The comparison table, with intervals and how many were skipped."""
    lines = [evaluation.comparison_table(
        {f"{len(result)} photographs": result}), "95 % intervals: " + ", ".join(
            f"{name} {low:.2f} to {high:.2f}"
            for name, (low, high) in result.intervals().items())]
    if rejected:
        lines.append(f"{len(rejected)} photograph(s) could not be read")
    return "\n".join(lines)
