"""The sample grid: rows gray, generated, real.

Every picture keeps its pixels; small ones are enlarged by a whole number:

    _LABELS pixels of row labels, then columns of `side` pixels, _GAP apart
    three rows of `side` pixels, _GAP apart
"""

import numpy as np
from matplotlib import figure
from matplotlib.backends import backend_agg

ROWS = ("gray", "generated", "real")
_LABELS, _GAP = 24, 4
_LEAST_SIDE = 128
_DPI, _LABEL_POINTS = 100, 10


def draw_grid(gray: np.ndarray, generated: np.ndarray,
              real: np.ndarray) -> np.ndarray:
    """Draws the rows gray, generated, real.

    Args:
      gray: uint8 [N, S, S, 3].
      generated: uint8 [N, S, S, 3].
      real: uint8 [N, S, S, 3].

    Returns:
      uint8 [H, W, 3].
    """
    num_columns, size = gray.shape[:2]
    factor = max(1, _LEAST_SIDE // size)
    step = size * factor + _GAP
    grid = np.full((len(ROWS) * step - _GAP,
                    _LABELS + num_columns * step - _GAP, 3), 255, np.uint8)
    grid[:, :_LABELS] = _draw_labels(grid.shape[0])
    for row, pictures in enumerate((gray, generated, real)):
        pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
        for column, picture in enumerate(pictures):
            top, left = row * step, _LABELS + column * step
            grid[top:top + len(picture), left:left + len(picture)] = picture
    return grid


def _draw_labels(height: int) -> np.ndarray:
    """uint8 [height, _LABELS, 3]: each row's name beside its middle."""
    drawing = figure.Figure(figsize=(_LABELS / _DPI, height / _DPI), dpi=_DPI)
    for row, name in enumerate(ROWS):
        drawing.text(0.5, 1 - (row + 0.5) / len(ROWS), name, rotation=90,
                     fontsize=_LABEL_POINTS, horizontalalignment="center",
                     verticalalignment="center")
    canvas = backend_agg.FigureCanvasAgg(drawing)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
