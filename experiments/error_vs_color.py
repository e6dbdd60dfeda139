"""Draws error against color: python -m experiments.error_vs_color RUN...

A colorizer gets more colorful if its chroma is multiplied, and its error
shrinks if its chroma is divided. Two recipes can therefore be compared only at
equal color. This command multiplies the chroma of each run by a series of
factors, from pale to garish, and draws error and PSNR against colorfulness. A
recipe is better only if its error curve lies below the other's and its PSNR
curve above.

Without --data, the photographs are those that the first run evaluates on.
Writes a PNG file and, beside it, a JSON file with the numbers.
"""

import json
import os
from typing import Any, Mapping, Sequence

import numpy as np
from absl import flags
from matplotlib import figure

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import require_writable, write_atomically
from experiments import command_flags
from pix2pix_color.metric_names import METRICS

with command.quiet_tensorflow():
    import tensorflow as tf

    from data_pipelines import color, pipeline
    from data_pipelines.rejected import RejectedExamples
    from data_pipelines.sources import Source
    from experiments.reporting import charts, runs
    from pix2pix_color import metrics
    from pix2pix_color.evaluation import of_saved_model
    from pix2pix_color.saved_model.load import LoadedModel

flags.declare_key_flag("data")
flags.declare_key_flag("output")
flags.declare_key_flag("tfds_data_dir")

GAINS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0)
_BATCH_SIZE = 20
# Measured for each picture; all but the last are drawn against the last.
_MEASURED = ("ab_l1", "psnr_db", "colorfulness")
# The table compares runs where they are this much paler than the photographs.
_GAPS = (6.0, 0.0)


def main(arguments: Sequence[str]) -> None:
    paths, output = arguments[1:], command_flags.OUTPUT.value
    if not paths:
        raise UserError("no run was named: error_vs_color RUN... "
                        "--output=error_vs_color.png")
    if not output.endswith(".png"):
        raise UserError(f"--output={output} must name a .png file")
    require_writable(output, flag="--output")
    measured = measure_runs(paths, data=command_flags.DATA.value, gains=GAINS,
                            tfds_data_dir=command_flags.TFDS_DATA_DIR.value)
    text = json.dumps(measured, indent=1) + "\n"
    numbers = os.path.splitext(output)[0] + ".json"
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    write_atomically(numbers, text.encode())
    write_atomically(output, draw_chart(measured))
    print(format_table(measured), output, numbers, sep="\n")


def measure_runs(paths: Sequence[str], *, data: str, gains: Sequence[float],
                 tfds_data_dir: str = "") -> dict[str, Any]:
    """Measures each run with its chroma multiplied by each gain.

    Args:
      paths: folders of runs with an export.
      data: a data spec; empty for the first run's evaluation photographs.
      gains: factors of a* and b*; colors out of gamut lose chroma.
      tfds_data_dir: folder of the TensorFlow Datasets data sets.

    Returns:
      data, the photographs' origin; real_colorfulness, their mean; gray, the
      gray image's means; and runs: name -> one dict of means for each gain,
      with the gain.

    Raises:
      UserError: the runs cannot be compared (see require_comparable), a run is
        named twice or has no export, or no photograph can be read.
    """
    source = of_saved_model.open_data(data, model=paths[0],
                                      tfds_data_dir=tfds_data_dir)
    names = runs.distinct_names(paths)
    models = list(map(LoadedModel, paths))
    require_comparable(models)
    measured: dict[str, Any] = {"data": source.origin, "runs": {}}
    for name, model in zip(names, models):
        real, (gray, *points) = _measure(model, source, gains)
        measured["runs"][name] = [
            {"gain": gain, **means} for gain, means in zip(gains, points)]
        measured["gray"], measured["real_colorfulness"] = gray, real
    return measured


def require_comparable(models: Sequence[LoadedModel]) -> None:
    """Checks that all models predict a* and b* at the same size.

    Raises:
      UserError: one does not.
    """
    for model in models:
        if model.card["color_space"] != "lab":
            raise UserError(
                f"{model.directory} was trained with --color_space="
                f"{model.card['color_space']}; only the chroma of "
                f"--color_space=lab can be multiplied")
        if model.image_size != models[0].image_size:
            raise UserError(
                f"{model.directory} has --image_size={model.image_size}, the "
                f"first run {models[0].image_size}; all runs must have the "
                f"same size")


def _measure(model: LoadedModel, source: Source, gains: Sequence[float]
             ) -> tuple[float, list[Mapping[str, float]]]:
    """Returns the photographs' mean colorfulness, and the means of the gray
    image and of each gain."""
    predict = model.module.signatures["predict_target"]
    of_real, of_shown = [], []
    batches = pipeline.evaluation_batches(
        source, image_size=model.image_size, batch_size=_BATCH_SIZE)
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
        dict(zip(_MEASURED, map(float, row))) for row in means]


# Compiled: so much color arithmetic runs many times as fast.
@tf.function(autograph=False, jit_compile=True)
def _numbers_at(real, condition, target, gain):
    lab = color.native_lab(condition, tf.clip_by_value(gain * target, -1, 1))
    return _numbers(real, color.lab_to_rgb(lab, compiled=True))


@tf.function(autograph=False, jit_compile=True)
def _numbers(real, shown):
    """Returns _MEASURED of each picture: float32 [M, N]."""
    return tf.stack([metrics.ab_l1(real, shown), metrics.psnr_db(real, shown),
                     metrics.colorfulness(shown)])


def format_table(measured: dict[str, Any]) -> str:
    """Formats each run's own numbers, and those at equal color (_GAPS)."""
    width = max(map(len, ["run", *measured["runs"]]))
    lines = [f"{'run':{width}}{'paler by':>10}" + "".join(
        f"{metric:>9}" + "".join(f"{f'at {gap:g}':>8}" for gap in _GAPS)
        for metric in _MEASURED[:-1])]
    for name, points in measured["runs"].items():
        own = _own_point(points)
        own_gap = measured["real_colorfulness"] - own["colorfulness"]
        lines.append(f"{name:{width}}{own_gap:10.1f}" + "".join(
            f"{own[metric]:9.2f}" + "".join(
                f"{interpolate(points, measured, gap, metric):8.2f}"
                for gap in _GAPS) for metric in _MEASURED[:-1]))
    return "\n".join(lines)


def interpolate(points: Sequence[dict[str, float]], measured: dict[str, Any],
                gap: float, metric: str) -> float:
    """Interpolates a metric where a run is paler than the photographs by gap.

    Returns:
      The metric, or NaN beyond the measured gains.
    """
    points = sorted(points, key=lambda point: point["colorfulness"])
    return float(np.interp(
        measured["real_colorfulness"] - gap,
        [point["colorfulness"] for point in points],
        [point[metric] for point in points], left=np.nan, right=np.nan))


def _own_point(points: Sequence[dict[str, float]]) -> dict[str, float]:
    return next(point for point in points if point["gain"] == 1.0)


def draw_chart(measured: dict[str, Any]) -> bytes:
    """Draws error and PSNR against colorfulness, a curve a run; a PNG file."""
    drawing = figure.Figure(figsize=(11, 4.6), dpi=120, layout="constrained")
    for axes, metric in zip(drawing.subplots(1, len(_MEASURED) - 1),
                            _MEASURED):
        _draw_curves(axes, measured, metric)
        axes.set(xlabel="colorfulness", ylabel=METRICS[metric].label)
    axes.legend(frameon=False, fontsize=8)
    return charts.to_png(drawing)


def _draw_curves(axes: Any, measured: dict[str, Any], metric: str) -> None:
    real, gray = measured["real_colorfulness"], measured["gray"][metric]
    axes.axvspan(real - 6, real + 6, color="#eeeeee")
    axes.axvline(real, color=charts.PALE, linewidth=1)
    axes.text(real, 1.01, "photographs", transform=axes.get_xaxis_transform(),
              ha="center", fontsize=8, color=charts.PALE)
    axes.plot([0], [gray], "s", color=charts.PALE)
    axes.annotate("gray image", (0, gray), (6, 4), textcoords="offset points",
                  fontsize=8, color=charts.PALE)
    for place, (name, points) in enumerate(measured["runs"].items()):
        again, place = divmod(place, len(charts.RUN_COLORS))
        color_of_run = charts.RUN_COLORS[place]
        axes.plot([point["colorfulness"] for point in points],
                  [point[metric] for point in points], color=color_of_run,
                  linewidth=1.3, linestyle=("-", "--", ":", "-.")[again % 4],
                  label=name)
        own = _own_point(points)
        axes.plot([own["colorfulness"]], [own[metric]], "o",
                  color=color_of_run)
    shown = [point[metric] for points in measured["runs"].values()
             for point in points if point["colorfulness"] < 1.4 * real]
    axes.set(xlim=(-2, 1.4 * real), ylim=(min([gray, *shown]) - 0.4,
                                          max([gray, *shown]) + 0.4))
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    flags.set_default(command_flags.OUTPUT, "error_vs_color.png")
    command.run(main)
