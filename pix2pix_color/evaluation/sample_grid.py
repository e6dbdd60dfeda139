"""The sample grid: rows gray, colorized, real.

Every picture keeps its pixels; small ones are enlarged by a whole number:

    LABELS pixels of row labels, then columns of `side` pixels, GAP apart
    three rows of `side` pixels, GAP apart
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROWS = ("gray", "colorized", "real")
LABELS, GAP = 24, 4
_LEAST_SIDE = 128
_LABEL_SIZE = 14


def draw_grid(gray: np.ndarray, colorized: np.ndarray,
              real: np.ndarray) -> np.ndarray:
    """Draws the grid.

    Args:
      gray: uint8 [N, S, S, 3].
      colorized: uint8 [N, S, S, 3].
      real: uint8 [N, S, S, 3].

    Returns:
      uint8 [H, W, 3].
    """
    num_columns, size = gray.shape[:2]
    factor = max(1, _LEAST_SIDE // size)
    step = size * factor + GAP
    grid = np.full((len(ROWS) * step - GAP,
                    LABELS + num_columns * step - GAP, 3), 255, np.uint8)
    grid[:, :LABELS] = _draw_labels(grid.shape[0])
    for row, pictures in enumerate((gray, colorized, real)):
        pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
        for column, picture in enumerate(pictures):
            top, left = row * step, LABELS + column * step
            grid[top:top + len(picture), left:left + len(picture)] = picture
    return grid


def _draw_labels(height: int) -> np.ndarray:
    """Draws each row's name beside its middle: uint8 [height, LABELS, 3]."""
    labels = Image.new("RGB", (height, LABELS), "white")
    for row, name in enumerate(reversed(ROWS)):
        ImageDraw.Draw(labels).text(
            ((row + 0.5) * height / len(ROWS), LABELS / 2), name, "black",
            font=ImageFont.load_default(_LABEL_SIZE), anchor="mm")
    return np.asarray(labels.transpose(Image.Transpose.ROTATE_90))
