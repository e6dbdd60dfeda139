"""What becomes of a run's error as its chroma is multiplied."""

import io
from typing import Any, Sequence

import numpy as np
import tensorflow as tf
from matplotlib import figure

from data_pipelines import color, pipeline
from data_pipelines.errors import InputError
from experiments.reporting import charts, runs
from pix2pix_color import evaluation
from pix2pix_color.serving import scoring
from pix2pix_color.serving.client import Model

_BATCH = 20


def measure(paths: Sequence[str], *, data: str, gains: Sequence[float],
            tfds_data_dir: str) -> dict[str, Any]:
    """Evaluates every run with its chroma multiplied by every gain.

    Args:
      paths: the runs' folders; each must have an export.
      data: a data spec; empty for the first run's evaluation photographs.
      gains: what a* and b* are multiplied by; out of gamut, chroma gives way.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets.

    Returns:
      real_colorfulness, gray (the gray image's means), and runs: name ->
      for each gain the means of evaluation.py, with the gain.

    Raises:
      InputError: a run predicts something else than a* and b*, or is named
        twice.
      ConfigError: a run has no export.
    """
    source = (scoring.open_data(data, tfds_data_dir=tfds_data_dir) if data else
              scoring.open_held_out(paths[0], tfds_data_dir=tfds_data_dir))
    fronts: dict[str, Any] = {"data": source.origin, "runs": {}}
    for path, name in zip(paths, runs.distinct_names(paths)):
        model = Model(path)
        if model.card["color_space"] != "lab":
            raise InputError(f"{path} has --color_space="
                             f"{model.card['color_space']}; its chroma cannot "
                             f"be multiplied")
        predict = model.module.signatures["predict_target"]
        points = []
        for gain in gains:
            result = evaluation.evaluate(
                lambda condition: tf.clip_by_value(
                    gain * predict(condition=condition)["target"], -1, 1),
                source, color_space=color.COLOR_SPACES["lab"],
                image_size=model.image_size, batch_size=_BATCH,
                rejected=pipeline.RejectedExamples())
            points.append({"gain": gain, **result.means()})
        fronts["runs"][name] = points
        fronts["gray"] = result.gray_means()
        fronts["real_colorfulness"] = float(np.mean(result.real_colorfulness))
    return fronts


def draw(fronts: dict[str, Any]) -> bytes:
    """Draws the curves: colorfulness to the right, error upwards; a PNG."""
    drawing = figure.Figure(figsize=(7, 4.6), dpi=140, layout="constrained")
    axes = drawing.subplots()
    real = fronts["real_colorfulness"]
    axes.axvspan(real - 6, real + 6, color="#eeeeee")
    axes.axvline(real, color=charts.PALE, linewidth=1)
    axes.text(real, 1.01, "photographs", transform=axes.get_xaxis_transform(),
              ha="center", fontsize=8, color=charts.PALE)
    axes.plot([0], [fronts["gray"]["ab_l1"]], "s", color=charts.PALE)
    axes.annotate("gray image", (0, fronts["gray"]["ab_l1"]), (6, 4),
                  textcoords="offset points", fontsize=8, color=charts.PALE)
    for place, (name, points) in enumerate(fronts["runs"].items()):
        color_of_run = charts.RUN_COLORS[place % len(charts.RUN_COLORS)]
        axes.plot([point["colorfulness"] for point in points],
                  [point["ab_l1"] for point in points], color=color_of_run,
                  linewidth=1.3, label=name)
        own = next(point for point in points if point["gain"] == 1.0)
        axes.plot([own["colorfulness"]], [own["ab_l1"]], "o",
                  color=color_of_run)
    axes.set(xlabel="colorfulness", ylabel="a*b* error (ab_l1)",
             xlim=(-2, 1.4 * real))
    errors = [point["ab_l1"] for points in fronts["runs"].values()
              for point in points if point["colorfulness"] < 1.4 * real]
    axes.set_ylim(min(errors) - 0.4, max(errors) + 0.4)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    file = io.BytesIO()
    drawing.savefig(file, format="png")
    return file.getvalue()
