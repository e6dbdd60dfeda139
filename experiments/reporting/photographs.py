"""The same photographs across runs, whatever their sizes and color spaces."""

import base64
import dataclasses
import io
from typing import Optional, Sequence

import numpy as np
from PIL import Image

# Pictures are compared at this size, so that runs of any --image_size are.
_COMPARED_SIZE = 16
# Mean difference in levels: of one photograph at two sizes about 1, of two
# photographs 30 and more.
_SAME_WITHIN = 8.0
# A larger picture is reduced to this side, which is more than the page shows.
_LARGEST_SIDE = 256
_JPEG_QUALITY = 90


@dataclasses.dataclass
class Photograph:
    """One photograph, and what each run made of it.

    Attributes:
      gray: uint8 [S, S, 3].
      real: uint8 [S, S, 3].
      generated: of each run uint8 [S, S, 3], or None where it has not drawn
        this photograph.
    """

    gray: np.ndarray
    real: np.ndarray
    generated: list[Optional[np.ndarray]]


def match(grids: Sequence[Optional[np.ndarray]]) -> list[Photograph]:
    """Finds the photographs that several runs have drawn.

    Args:
      grids: of each run uint8 [3, N, S, S, 3], rows gray, generated, real, or
        None where it has no grid.

    Returns:
      The photographs, in the order in which they are first seen.
    """
    found: list[Photograph] = []
    for run, grid in enumerate(grids):
        for gray, generated, real in (
                zip(*grid) if grid is not None else ()):
            same = next((photo for photo in found
                         if photo.generated[run] is None
                         and _difference(photo.real, real) < _SAME_WITHIN),
                        None)
            if same is None:
                same = Photograph(gray, real, [None] * len(grids))
                found.append(same)
            same.generated[run] = generated
    return found


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    reduced = [picture.reshape(
        _COMPARED_SIZE, len(picture) // _COMPARED_SIZE,
        _COMPARED_SIZE, -1, 3).mean(axis=(1, 3)) for picture in (first, second)]
    return float(np.abs(reduced[0] - reduced[1]).mean())


def data_url(picture: np.ndarray) -> str:
    """A picture, uint8 [S, S, 3], as a JPEG that a page can hold."""
    image = Image.fromarray(picture)
    image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return ("data:image/jpeg;base64,"
            + base64.b64encode(file.getvalue()).decode())
