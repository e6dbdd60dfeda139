"""Draws a photograph's colors hint by hint: python -m experiments.hint_steps.

    python -m experiments.hint_steps PHOTO=HINTS.json OTHER=OTHERS.json \
        --output=hints.jpg

Each photograph is one row: gray, colorized without hints, then with the first
hint, with two, and so on. A dot marks the place and the color of each hint.
HINTS.json is what `colorize --hints` takes.
"""

import io
import json
from typing import Sequence

import numpy as np
from absl import flags
from PIL import Image, ImageDraw

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import require_writable, write_atomically
from experiments import command_flags
from pix2pix_color import model_flag

with command.quiet_tensorflow():
    from data_pipelines import photo_file
    from experiments.gallery import GAP
    from pix2pix_color.colorizing import hints_file
    from pix2pix_color.saved_model.load import LoadedModel

flags.declare_key_flag("output")
_MODEL = model_flag.define_model()

_HEIGHT = 160  # of every picture, pixels
_RADIUS = 6  # of a dot, pixels
_JPEG_QUALITY = 88


def main(arguments: Sequence[str]) -> None:
    output = command_flags.OUTPUT.value
    require_writable(output, flag="--output")
    if len(arguments) < 2 or not all("=" in name for name in arguments[1:]):
        raise UserError("name photographs with their hints: PHOTO=HINTS.json")
    model = LoadedModel(_MODEL.value)
    rows = [draw_steps(model, *name.rsplit("=", 1)) for name in arguments[1:]]
    whole = Image.new("RGB", (
        max(row.width for row in rows),
        len(rows) * (_HEIGHT + GAP) - GAP), "white")
    for number, row in enumerate(rows):
        whole.paste(row, (0, number * (_HEIGHT + GAP)))
    file = io.BytesIO()
    whole.save(file, "JPEG", quality=_JPEG_QUALITY)
    write_atomically(output, file.getvalue())
    print(output)


def draw_steps(model: LoadedModel, path: str, hints_path: str) -> Image.Image:
    """Draws one row.

    Args:
      model: takes hints.
      path: the photograph.
      hints_path: its hints.

    Raises:
      UserError: the hints cannot be used.
    """
    with open(path, "rb") as file:
        rgb = np.asarray(photo_file.read_rgb(file))
    height, width = rgb.shape[:2]
    hints = hints_file.read_hints(hints_path, height=height, width=width)
    with open(hints_path, encoding="utf-8") as file:
        colors = [entry["color"] for entry in json.load(file)]
    gray = Image.fromarray(rgb).convert("L").convert("RGB")
    pictures = [gray] + [
        Image.fromarray(model.recolor(rgb, model.predict_field(
            rgb, hints=hints[:number]))) for number in range(len(hints) + 1)]
    shown = (round(width * _HEIGHT / height), _HEIGHT)
    row = Image.new("RGB", ((shown[0] + GAP) * len(pictures) - GAP, _HEIGHT),
                    "white")
    for number, picture in enumerate(pictures):
        picture = picture.resize(shown, Image.Resampling.LANCZOS)
        for (y, x, *_), color in list(zip(hints, colors))[:max(number - 1, 0)]:
            ImageDraw.Draw(picture).circle(
                (x * shown[0], y * shown[1]), _RADIUS, color, "white", 2)
        row.paste(picture, (number * (shown[0] + GAP), 0))
    return row


if __name__ == "__main__":
    command.run(main)
