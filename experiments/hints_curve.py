"""Draws what color hints bring: python -m experiments.hints_curve.

Gives a model 0 to 100 hints in each photograph, drawn from the photograph's own
colors. Beside the model stands the floor: the same hints spread by distance and
lightness alone, without any learning. Also measures how close the likely colors
of random places come to the photograph's own.

Writes a PNG file and, beside it, a JSON file with the numbers.
"""

import json
import os
from typing import Any, Sequence

import numpy as np
from absl import flags
from matplotlib import figure

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from experiments import command_flags
from pix2pix_color import model_flag

with command.quiet_tensorflow():
    from experiments.measure_hints import NUMBERS, measure
    from experiments.reporting import charts
    from pix2pix_color.saved_model.load import LoadedModel

flags.declare_key_flag("data")
flags.declare_key_flag("output")
_MODEL = model_flag.define_model()

# On 1,000 photographs of ImageNet at 256 px (Zhang et al. 2017, figure 6).
PUBLISHED = dict(zip(NUMBERS, (24.43, 25.37, 26.20, 27.39, 28.42, 29.34, 30.42,
                               31.13)))


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    output = command_flags.OUTPUT.value
    if not output.endswith(".png"):
        raise UserError(f"--output={output} must name a .png file")
    model = LoadedModel(_MODEL.value)
    if not model.takes_hints:
        raise UserError(f"--model={_MODEL.value} takes no hints; it must be "
                        f"an efficientnet_unet")
    measured = measure(model, data=command_flags.DATA.value)
    numbers = os.path.splitext(output)[0] + ".json"
    write_atomically(numbers, (json.dumps(measured, indent=1) + "\n").encode())
    write_atomically(output, draw_chart(measured))
    print(json.dumps(measured, indent=1), output, numbers, sep="\n")


def draw_chart(measured: dict[str, Any]) -> bytes:
    """Draws PSNR against the number of hints, as PNG."""
    chart = figure.Figure(figsize=(6, 4.5), layout="constrained")
    axes = chart.add_subplot()
    places = np.arange(len(NUMBERS))
    for label, values, line_color in (
            ("Zhang et al. 2017, 256 px, 1,000 other photographs",
             PUBLISHED, charts.PALE),
            (f"this model, 128 px, {measured['photographs']} photographs",
             measured["psnr_db"], charts.BLUE),
            ("the same hints, spread without learning",
             measured["floor_db"], charts.ORANGE)):
        axes.plot(places, list(values.values()), marker="o", label=label,
                  color=line_color)
    axes.set_xticks(places, list(map(str, NUMBERS)))
    axes.set_xlabel("hints in a photograph")
    axes.set_ylabel("PSNR, dB")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    return charts.to_png(chart)


if __name__ == "__main__":
    command.run(main)
