"""Evaluates a loaded model by the protocol of protocol.py."""

import csv
import io
import json
import os
from typing import Any, Optional

import numpy as np

from data_pipelines import color, colorless, sources, split
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color.evaluation import fid, judge, page, protocol
from pix2pix_color.evaluation.protocol import Answer, Evaluation
from pix2pix_color.metric_names import METRICS
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model.load import LoadedModel

# SSIM needs at least its window of 11 px.
_MIN_SIZE = 16


class Score:
    """A model's evaluation on photographs.

    Attributes:
      result: the numbers.
      rejected: photographs that could not be read -> why.

    Args:
      model: the model to evaluate.
      source: the photographs.
      image_size: side of the squares, which are colored as any photograph; 0
        for squares of the generator's own size, colored by it alone.
      degraded: whether photographs are shown as old prints.
      judge_weights: for judge.Judge; empty for none.
      inception_weights: for fid.inception_features; empty for none.

    Raises:
      UserError: image_size is too small, no photograph can be read, or
        weights cannot be used.
    """

    def __init__(self, model: LoadedModel, source: Source, *,
                 image_size: int = 0, degraded: bool = False,
                 judge_weights: str = "",
                 inception_weights: str = "") -> None:
        if image_size and image_size < _MIN_SIZE:
            raise UserError(f"--image_size={image_size} must be at least "
                            f"{_MIN_SIZE}, or 0")
        self._model, self._source = model, source
        self._degraded = degraded
        self._judge = (judge.Judge(judge_weights,
                                   model.card.get("loss_classifier"))
                       if judge_weights else None)
        self._image_size = image_size or model.image_size
        self._answer = (_whole_answer(model) if image_size else
                        generator_answer(model))
        rejected = RejectedExamples()
        self.result: Evaluation = protocol.evaluate(
            self._answer, source, image_size=self._image_size,
            rejected=rejected, degraded=degraded, the_judge=self._judge,
            features=(fid.inception_features(inception_weights)
                      if inception_weights else None))
        self.rejected = rejected.reasons

    def write(self, output: str) -> list[str]:
        """Writes a JSON file and, beside it, a CSV and an HTML file.

        Args:
          output: the JSON file's path; the others differ in their ending.

        Returns:
          The paths.
        """
        stem = os.path.splitext(output)[0]
        contents = {
            output: json.dumps(self.to_json(), indent=2) + "\n",
            f"{stem}.csv": self.to_csv(),
            f"{stem}.html": page.draw_page(
                self.result, source=self._source, answer=self._answer,
                image_size=self._image_size, degraded=self._degraded,
                title=f"{self._model.directory} on {self._source.origin}"),
        }
        for path, text in contents.items():
            write_atomically(path, text.encode(errors="backslashreplace"))
        return list(contents)

    def to_json(self) -> dict[str, Any]:
        """Returns the averages, the model and the data."""
        return {"model": self._model.directory,
                "step": self._model.card.get("step"),
                "data": self._source.origin,
                "image_size": self._image_size,
                "degraded": self._degraded,
                "judge": self._judge.name if self._judge else None,
                **self.result.to_json(), "rejected": self.rejected}

    def to_csv(self) -> str:
        """Returns one line for each photograph."""
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
                  (result.colorized, result.gray) for name in names),
                *(f"{values[place]:.6g}" for values in result.real.values())])
        return text.getvalue()


def generator_answer(model: LoadedModel) -> Answer:
    """Makes a colorizer of a model's bare generator, at its own size."""
    signature = model.module.signatures["predict_target"]
    return protocol.answer_of(
        lambda condition: signature(condition=condition)["target"],
        color_space=color.COLOR_SPACES[model.card["color_space"]])


def _whole_answer(model: LoadedModel) -> Answer:
    """Makes a colorizer that works like `colorize`, for squares of any size."""
    def rgb_of(photo):
        return (color.given_gray(photo) if photo.shape[-1] == 4
                else photo).numpy()

    def answer(photo, degraded_photo):
        given = photo if degraded_photo is None else degraded_photo
        return np.stack([
            model.recolor(clean, model.predict_field(gray))
            for clean, gray in zip(rgb_of(photo), rgb_of(given))])

    return answer


def open_data(spec: str, *, model: str = "",
              tfds_data_dir: str = "") -> Source:
    """Opens the photographs to evaluate on.

    Those without any color do not load, as when the run was trained.

    Args:
      spec: --data; empty takes the evaluation photographs of the run in
        model, or the embedded ones if model is not a run's folder.
      model: --model.
      tfds_data_dir: TensorFlow Datasets' folder; empty for the run's, or for
        the default.

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
    return colorless.with_color(sources.open_source(
        spec or "sample_photos", flag="--data", tfds_data_dir=tfds_data_dir))


def result_table(result: Evaluation,
                 rejected: Optional[dict[str, str]] = None) -> str:
    """Formats means, intervals and the number of rejected photographs."""
    lines = [protocol.comparison_table(
        {f"{len(result)} photographs": result}), "95 % intervals: " + ", ".join(
            f"{METRICS[name].label} {low:.2f} to {high:.2f}"
            for name, (low, high) in result.intervals().items())]
    if rejected:
        gray = list(rejected.values()).count(colorless.REASON)
        for count, what in ((len(rejected) - gray, "could not be read"),
                            (gray, "left out, without any color")):
            if count:
                lines.append(f"{count} photograph(s) {what}")
    return "\n".join(lines)
