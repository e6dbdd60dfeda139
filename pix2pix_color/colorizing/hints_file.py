"""Reads a photograph's color hints from a JSON file.

The file is a list of hints: a place in pixels of the upright photograph, from
its upper left corner, and a color as #rrggbb or by its name in CSS:

    [{"x": 120, "y": 80, "color": "#7a3b1d"},
     {"x": 15, "y": 9, "color": "navy"}]

The color's lightness does not matter: the photograph keeps its own.
"""

import json
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import ImageColor

from data_pipelines import color
from data_pipelines.errors import UserError

# A photograph's hints lie beside it, under its name without ending.
ENDING = ".hints.json"
_ALLOWED = 'a list of {"x": 120, "y": 80, "color": "#7a3b1d"}'


def read_hints(path: str, *, height: int, width: int) -> np.ndarray:
    """Reads a file of hints.

    Args:
      path: the file.
      height: of the upright photograph, pixels.
      width: of the upright photograph, pixels.

    Returns:
      float32 [K, 4]: y and x in 0..1, a* and b* in native units.

    Raises:
      UserError: the file cannot be read, a hint lies outside of the photograph
        or its color is unknown.
    """
    try:
        with open(path, encoding="utf-8") as file:
            entries = json.load(file)
    except OSError as error:
        raise UserError(f"--hints={path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"--hints={path} is not JSON ({error}); it must be "
                        f"{_ALLOWED}") from error
    return parse_hints(entries, f"--hints={path}", height=height, width=width)


def parse_hints(entries: Any, name: str, *, height: int,
                width: int) -> np.ndarray:
    """Converts what the JSON of a file of hints holds.

    Args:
      entries: the parsed JSON.
      name: what messages call the file.
      height, width: as for read_hints.

    Returns:
      What read_hints returns.

    Raises:
      UserError: as read_hints does.
    """
    if not isinstance(entries, list):
        raise UserError(f"{name} must be {_ALLOWED}")
    hints = [_hint(entry, f"{name}: hint {number}", height, width)
             for number, entry in enumerate(entries, start=1)]
    return np.array(hints, np.float32).reshape(-1, 4)


def _hint(entry: Any, name: str, height: int, width: int) -> list[float]:
    if not isinstance(entry, dict) or set(entry) != {"x", "y", "color"}:
        raise UserError(f"{name} must have x, y and color, such as "
                        f'{{"x": 120, "y": 80, "color": "#7a3b1d"}}')
    for axis, length in (("x", width), ("y", height)):
        value = entry[axis]
        if (isinstance(value, bool) or not isinstance(value, (int, float))
                or not 0 <= value < length):
            raise UserError(f"{name} has {axis}={value!r}, which must be in "
                            f"0..{length - 1}: the photograph has {width} x "
                            f"{height} pixels")
    try:
        rgb = ImageColor.getrgb(entry["color"])[:3]
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{name} has the unknown color {entry['color']!r}; use "
                        f"#rrggbb or a name such as navy") from None
    return [(entry["y"] + 0.5) / height, (entry["x"] + 0.5) / width,
            *ab_of(rgb)]


def ab_of(rgb: tuple[int, ...]) -> list[float]:
    """Returns the a* and b* of a color, R, G and B in 0..255."""
    lab = color.rgb_to_lab(tf.constant([[rgb]], tf.uint8))
    return lab[0, 0, 1:].numpy().tolist()
