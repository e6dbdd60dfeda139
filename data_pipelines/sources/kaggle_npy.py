"""`kaggle_npy:DIR`: the arrays of Kaggle's "Image Colorization" collection.

    l/gray_scale.npy            uint8 (25000, 224, 224)
    ab/ab/ab1.npy, ab2.npy      uint8 (10000, 224, 224, 2) each
    ab/ab/ab3.npy               uint8 (5000, 224, 224, 2)

8-bit Lab as OpenCV scales it: L* x 255/100, a* + 128, b* + 128. The arrays are
memory-mapped; reading one example touches 150 KB of their 3.8 GB. Other numbers
of examples are accepted if they agree.
"""

import os

import numpy as np
import tensorflow as tf

from data_pipelines import color
from data_pipelines.errors import UserError
from data_pipelines.sources import source
from data_pipelines.sources.name_list import Numbered

LIGHTNESS_FILE = os.path.join("l", "gray_scale.npy")
AB_FILES = tuple(
    os.path.join("ab", "ab", f"ab{part}.npy") for part in (1, 2, 3))


def open_kaggle_npy(directory: str, *, origin: str) -> source.Source:
    """Opens the collection without loading it.

    An example's identity is its number. Its 8-bit Lab is converted to 8-bit
    RGB; colors out of the sRGB gamut lose chroma.

    Args:
      directory: the folder that contains l/ and ab/.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: a file is missing or of another type or shape, or the files
        disagree on the number or the size of the photographs.
    """
    lightness = _open(directory, LIGHTNESS_FILE, (), origin)
    parts = [_open(directory, name, (2,), origin) for name in AB_FILES]
    for name, part in zip(AB_FILES, parts):
        if part.shape[1:3] != lightness.shape[1:]:
            raise UserError(
                f"{origin}: {name} holds photographs of {part.shape[1:3]} and "
                f"{LIGHTNESS_FILE} of {lightness.shape[1:]}")
    ends = np.cumsum([len(part) for part in parts])
    if ends[-1] != len(lightness):
        raise UserError(
            f"{origin}: {LIGHTNESS_FILE} holds {len(lightness)} photographs "
            f"and {', '.join(AB_FILES)} hold {ends[-1]} together")

    def read(index):
        part = int(np.searchsorted(ends, index, side="right"))
        place = index - ends[part]  # negative, from the part's end
        return np.concatenate(
            [lightness[index][..., np.newaxis], parts[part][place]], axis=-1)

    def load(index):
        lab = tf.ensure_shape(
            tf.numpy_function(read, [index], tf.uint8, stateful=False),
            [*lightness.shape[1:], 3])
        # Compiling makes the search for the gamut's border 7 times as fast.
        return color.compiled(color.opencv_lab_to_rgb)(lab)

    return source.Source(origin=origin, load=load,
                         identities=Numbered("", len(lightness)))


def _open(directory, name, channels, origin):
    path = os.path.join(directory, name)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UserError(f"{origin}: cannot open {path!r}: "
                        f"{error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise UserError(f"{origin}: {path!r} is not an array file: "
                        f"{error}") from error
    if (values.dtype != np.uint8 or values.ndim != 3 + len(channels)
            or values.shape[3:] != channels or not values.size):
        expected = ", ".join(map(str, ("N", "H", "W", *channels)))
        raise UserError(
            f"{origin}: {path!r} holds {values.dtype} {values.shape}, expected "
            f"uint8 ({expected})")
    return values
