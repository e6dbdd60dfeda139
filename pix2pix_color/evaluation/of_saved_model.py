"""Evaluates a SavedModel by the protocol of evaluation.py."""

import csv
import io
import json
import os
from typing import Any, Optional

import numpy as np

from data_pipelines import color, sources, split
from data_pipelines.files import write_atomically
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color.evaluation import fid, judge, page, protocol
from pix2pix_color.evaluation.protocol import Evaluation
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model.load import LoadedModel

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
      image_size: side of the squares, as the model colors any photograph; 0
        for those of the generator's own size, as it alone colors them.
      degraded: whether photographs are shown as old prints.
      judge_weights: as judge.Judge takes them; empty for none.
      inception_weights: as fid.inception_features takes them; empty for none.

    Raises:
      UserError: no photograph, or not the weights, can be read.
      UserError: the judge's weights cannot be used.
    """

    def __init__(self, model: LoadedModel, source: Source, *,
                 image_size: int = 0, degraded: bool = False,
                 judge_weights: str = "",
                 inception_weights: str = "") -> None:
        self._model, self._source = model, source
        self._degraded = degraded
        self._judge = (judge.Judge(judge_weights,
                                   model.card.get("loss_classifier"))
                       if judge_weights else None)
        self._image_size = image_size or model.image_size
        self._answer = (_whole_answer(model) if image_size else
                        _generator_answer(model))
        rejected = RejectedExamples()
        self.result: Evaluation = protocol.evaluate(
            self._answer, source, image_size=self._image_size,
            batch_size=_BATCH, rejected=rejected, degraded=degraded,
            the_judge=self._judge,
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
            f"{stem}.html": page.draw(
                self.result, source=self._source, answer=self._answer,
                image_size=self._image_size, degraded=self._degraded,
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
                "image_size": self._image_size,
                "degraded": self._degraded,
                "judge": self._judge.name if self._judge else None,
                **self.result.to_json(), "rejected": self.rejected}

    def to_csv(self) -> str:
        """One line a photograph."""
        result, text = self.result, io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = result.metrics
        writer.writerow(["photograph", *names,
                         *(f"gray_{name}" for name in names),
                         *(f"real_{name}" for name in result.real)])
        for place, index in enumerate(result.indices.tolist()):
            writer.writerow([
                self._source.identities[index],
                *(f"{values[name][place]:.6g}" for values in
                  (result.generated, result.gray) for name in names),
                *(f"{values[place]:.6g}" for values in result.real.values())])
        return text.getvalue()


def _generator_answer(model: LoadedModel) -> protocol.Answer:
    """Answers in the generator's own size, by it alone."""
    signature = model.module.signatures["predict_target"]
    return protocol.answer_of(
        lambda condition: signature(condition=condition)["target"],
        color_space=color.COLOR_SPACES[model.card["color_space"]])


def _whole_answer(model: LoadedModel) -> protocol.Answer:
    """Answers as `colorize` does, whatever size the generator works at."""
    def rgb_of(photo):
        return (color.given_gray(photo) if photo.shape[-1] == 4
                else photo).numpy()

    def answer(photo, shown):
        return np.stack([
            model.recolor(clean, model.predict_field(given))
            for clean, given in zip(rgb_of(photo), rgb_of(shown))])

    return answer


def open_data(spec: str, *, model: str = "",
              tfds_data_dir: str = "") -> Source:
    """Opens the photographs to evaluate on.

    Args:
      spec: --data; empty takes those that the run in model set aside, or the
        embedded ones where it is not a run's folder.
      model: --model.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets; empty for
        where the run found them, or its default.

    Raises:
      UserError: they cannot be opened.
    """
    if not spec and os.path.exists(RunFolder(model).flags_path):
        data = RunFolder(model).config().data
        return split.open_train_and_eval(
            data=data.data, eval_data=data.eval_data,
            eval_fraction=data.eval_fraction,
            train_examples=data.train_examples,
            eval_examples=data.eval_examples,
            tfds_data_dir=tfds_data_dir or data.tfds_data_dir)[1]
    return sources.open_source(spec or "sample_photos", flag="--data",
                               tfds_data_dir=tfds_data_dir)


def table(result: Evaluation, rejected: Optional[dict[str, str]] = None) -> str:
    """The comparison table, with intervals and how many were skipped."""
    lines = [protocol.comparison_table(
        {f"{len(result)} photographs": result}), "95 % intervals: " + ", ".join(
            f"{name} {low:.2f} to {high:.2f}"
            for name, (low, high) in result.intervals().items())]
    if rejected:
        lines.append(f"{len(rejected)} photograph(s) could not be read")
    return "\n".join(lines)
