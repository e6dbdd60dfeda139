"""Error against color: python -m experiments.front RUN... --output=front.png.

Any colorizer can be made more colorful by multiplying its chroma, and less
wrong by dividing it. This draws what that gives for each run, a curve of
error and one of PSNR from pale to garish through the run's own point, so that
a recipe counts as better only where its error lies below another's and its
PSNR above. The numbers are in a JSON file beside the picture.
"""

import json
import os
from typing import Any, Sequence

import numpy as np
from absl import flags

from data_pipelines import command
from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from pix2pix_color.metric_names import METRICS

GAINS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0)
_SHOWN = ("ab_l1", "psnr_db")


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_string("data", "", f"Photographs to measure on: {DATA_SPECS}; "
                        f"those that the first run evaluates on if empty.")
    flags.DEFINE_string("tfds_data_dir", "", "Where TensorFlow Datasets keeps "
                        "its data sets; empty for its default.")
    flags.DEFINE_string("output", "front.png",
                        "The picture to write, a .png file.")


def main(arguments: Sequence[str]) -> None:
    options, paths = flags.FLAGS, arguments[1:]
    if not paths:
        raise UserError("no run was named: front RUN... --output=front.png")
    if not options.output.endswith(".png"):
        raise UserError(f"--output={options.output} must name a .png file")
    with command.quiet_tensorflow():
        from experiments.reporting import fronts as measuring
    fronts = measuring.measure(paths, data=options.data, gains=GAINS,
                               tfds_data_dir=options.tfds_data_dir)
    text = json.dumps(fronts, indent=1) + "\n"
    numbers = os.path.splitext(options.output)[0] + ".json"
    write_atomically(numbers, text.encode())
    write_atomically(options.output, measuring.draw(fronts))
    print(table(fronts), options.output, numbers, sep="\n")


def table(fronts: dict[str, Any]) -> str:
    """Each run as it is, and at the gains that leave it paler by 6 and by 0."""
    width = max(map(len, ["run", *fronts["runs"]]))
    lines = [f"{'run':{width}}{'paler by':>10}" + "".join(
        f"{METRICS[name].label:>11}{'at 6':>8}{'at 0':>8}" for name in _SHOWN)]
    for name, points in fronts["runs"].items():
        own = next(point for point in points if point["gain"] == 1.0)
        own_gap = fronts["real_colorfulness"] - own["colorfulness"]
        lines.append(f"{name:{width}}{own_gap:10.1f}" + "".join(
            f"{own[metric]:11.2f}" + "".join(
                f"{at_gap(points, fronts, gap, metric):8.2f}"
                for gap in (6.0, 0.0)) for metric in _SHOWN))
    return "\n".join(lines)


def at_gap(points: Sequence[dict[str, float]], fronts: dict[str, Any],
           gap: float, metric: str) -> float:
    """A metric where a front is paler than the photographs by `gap`.

    Between the measured gains it is interpolated; NaN beyond them.
    """
    points = sorted(points, key=lambda point: point["colorfulness"])
    return float(np.interp(
        fronts["real_colorfulness"] - gap,
        [point["colorfulness"] for point in points],
        [point[metric] for point in points], left=np.nan, right=np.nan))


if __name__ == "__main__":
    define_flags()
    command.run(main)
