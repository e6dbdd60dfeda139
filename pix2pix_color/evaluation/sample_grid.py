"""The sample grid, a picture with the rows gray, colorized and real.

Pictures keep their pixels (small ones are enlarged by a whole factor), so they
can be cut out again to the bit. From the left: _LABELS pixels of row labels,
then columns of `side` pixels, _GAP apart; the rows are _GAP apart as well.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROWS = ("gray", "colorized", "real")
_LABELS, _GAP = 24, 4
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
    factor = _enlargement(size)
    step = size * factor + _GAP
    grid = np.full((len(ROWS) * step - _GAP,
                    _LABELS + num_columns * step - _GAP, 3), 255, np.uint8)
    grid[:, :_LABELS] = _draw_labels(grid.shape[0])
    for row, pictures in enumerate((gray, colorized, real)):
        pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
        for column, picture in enumerate(pictures):
            top, left = row * step, _LABELS + column * step
            grid[top:top + len(picture), left:left + len(picture)] = picture
    return grid


def cut_grid(grid: np.ndarray, *, image_size: int) -> np.ndarray:
    """Cuts the pictures out of a grid that draw_grid drew.

    Args:
      grid: uint8 [H, W, 3].
      image_size: side of the pictures that it was drawn from, S.

    Returns:
      uint8 [3, N, S, S, 3], in the order of ROWS.

    Raises:
      ValueError: it is no grid of pictures of this size.
    """
    factor = _enlargement(image_size)
    side = image_size * factor
    step = side + _GAP
    num_columns, rest = divmod(grid.shape[1] - _LABELS + _GAP, step)
    if rest or num_columns < 1 or grid.shape[0] != len(ROWS) * step - _GAP:
        raise ValueError(
            f"a picture of {grid.shape[1]} x {grid.shape[0]} pixels is no grid "
            f"of pictures of {image_size}")
    return np.stack([
        np.stack([grid[row * step:row * step + side,
                       left:left + side][::factor, ::factor]
                  for left in range(_LABELS, grid.shape[1], step)])
        for row in range(len(ROWS))])


def _enlargement(size: int) -> int:
    return max(1, _LEAST_SIDE // size)


def _draw_labels(height: int) -> np.ndarray:
    """Draws each row's name beside its middle: uint8 [height, _LABELS, 3]."""
    labels = Image.new("RGB", (height, _LABELS), "white")
    for row, name in enumerate(reversed(ROWS)):
        ImageDraw.Draw(labels).text(
            ((row + 0.5) * height / len(ROWS), _LABELS / 2), name, "black",
            font=ImageFont.load_default(_LABEL_SIZE), anchor="mm")
    return np.asarray(labels.transpose(Image.Transpose.ROTATE_90))
