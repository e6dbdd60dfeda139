"""What becomes of a run's error as its chroma is multiplied."""

from typing import Any, Mapping, Sequence

import numpy as np
import tensorflow as tf
from matplotlib import figure

from data_pipelines import color, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from experiments.reporting import charts, runs
from pix2pix_color import metrics
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.metric_names import METRICS
from pix2pix_color.saved_model.load import LoadedModel

_BATCH = 20

# What is measured of every picture, of evaluation.METRICS.
_METRICS = ("ab_l1", "psnr_db", "colorfulness")
# What is drawn against colorfulness.
_DRAWN = ("ab_l1", "psnr_db")


def measure(paths: Sequence[str], *, data: str, gains: Sequence[float],
            tfds_data_dir: str) -> dict[str, Any]:
    """Measures every run with its chroma multiplied by every gain.

    Args:
      paths: the runs' folders; each must have an export.
      data: a data spec; empty for the first run's evaluation photographs.
      gains: what a* and b* are multiplied by; out of gamut, chroma gives way.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets.

    Returns:
      data, real_colorfulness, gray (the gray image's means), and runs: name
      -> for each gain the means, as evaluation.py has them, with the gain.

    Raises:
      UserError: a run predicts something else than a* and b*, is of another
        size than the first, or is named twice, or no photograph can be read,
        or a run has no export.
    """
    source = of_saved_model.open_data(data, model=paths[0],
                                      tfds_data_dir=tfds_data_dir)
    fronts: dict[str, Any] = {"data": source.origin, "runs": {}}
    image_size = 0
    for path, name in zip(paths, runs.distinct_names(paths)):
        model = LoadedModel(path)
        image_size = image_size or model.image_size
        _require_comparable(model, image_size)
        real, (gray, *points) = _measure(model, source, gains)
        fronts["runs"][name] = [
            {"gain": gain, **means} for gain, means in zip(gains, points)]
        fronts["gray"], fronts["real_colorfulness"] = gray, real
    return fronts


def _require_comparable(model: LoadedModel, image_size: int) -> None:
    if model.card["color_space"] != "lab":
        raise UserError(f"{model.directory} has --color_space="
                        f"{model.card['color_space']}; its chroma cannot be "
                        f"multiplied")
    if model.image_size != image_size:
        raise UserError(f"{model.directory} has --image_size="
                        f"{model.image_size}, the runs before it "
                        f"{image_size}; fronts are of one size")


def _measure(model: LoadedModel, source: Source, gains: Sequence[float]
             ) -> tuple[float, list[Mapping[str, float]]]:
    """The photographs' colorfulness; the means of gray, and of each gain."""
    predict = model.module.signatures["predict_target"]
    of_real, of_shown = [], []
    batches = pipeline.evaluation_batches(
        source, image_size=model.image_size, batch_size=_BATCH)
    for batch in RejectedExamples().watch_evaluation(batches, source):
        condition, _ = color.LAB.encode(batch.photo)
        target = predict(condition=condition)["target"]
        real = batch.photo[..., :3]
        of_real.append(metrics.colorfulness(real))
        of_shown.append([
            _numbers(real, color.given_gray(batch.photo)),
            *(_numbers_at(real, condition, target, tf.constant(gain))
              for gain in gains)])
    means = np.concatenate(of_shown, axis=-1).mean(axis=-1)
    return float(np.concatenate(of_real).mean()), [
        dict(zip(_METRICS, map(float, row))) for row in means]


# Compiled, which makes so much arithmetic of colors many times as fast.
@tf.function(autograph=False, jit_compile=True)
def _numbers_at(real, condition, target, gain):
    lab = color.native_lab(condition, tf.clip_by_value(gain * target, -1, 1))
    return _numbers(real, color.lab_to_rgb(lab, compiled=True))


@tf.function(autograph=False, jit_compile=True)
def _numbers(real, shown):
    """_METRICS of every picture: float32 [M, N]."""
    return tf.stack([metrics.ab_l1(real, shown), metrics.psnr_db(real, shown),
                     metrics.colorfulness(shown)])


def draw(fronts: dict[str, Any]) -> bytes:
    """Draws the curves: colorfulness to the right; error and PSNR; a PNG."""
    drawing = figure.Figure(figsize=(11, 4.6), dpi=120, layout="constrained")
    for axes, metric in zip(drawing.subplots(1, len(_DRAWN)), _DRAWN):
        _draw_curves(axes, fronts, metric)
        axes.set(xlabel="colorfulness", ylabel=METRICS[metric].label)
    axes.legend(frameon=False, fontsize=8)
    return charts.to_png(drawing)


def _draw_curves(axes: Any, fronts: dict[str, Any], metric: str) -> None:
    real, gray = fronts["real_colorfulness"], fronts["gray"][metric]
    axes.axvspan(real - 6, real + 6, color="#eeeeee")
    axes.axvline(real, color=charts.PALE, linewidth=1)
    axes.text(real, 1.01, "photographs", transform=axes.get_xaxis_transform(),
              ha="center", fontsize=8, color=charts.PALE)
    axes.plot([0], [gray], "s", color=charts.PALE)
    axes.annotate("gray image", (0, gray), (6, 4), textcoords="offset points",
                  fontsize=8, color=charts.PALE)
    for place, (name, points) in enumerate(fronts["runs"].items()):
        again, place = divmod(place, len(charts.RUN_COLORS))
        color_of_run = charts.RUN_COLORS[place]
        axes.plot([point["colorfulness"] for point in points],
                  [point[metric] for point in points], color=color_of_run,
                  linewidth=1.3, linestyle=("-", "--", ":", "-.")[again % 4],
                  label=name)
        own = next(point for point in points if point["gain"] == 1.0)
        axes.plot([own["colorfulness"]], [own[metric]], "o",
                  color=color_of_run)
    shown = [point[metric] for points in fronts["runs"].values()
             for point in points if point["colorfulness"] < 1.4 * real]
    axes.set(xlim=(-2, 1.4 * real), ylim=(min([gray, *shown]) - 0.4,
                                          max([gray, *shown]) + 0.4))
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
