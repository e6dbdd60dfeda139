"""Recolors a large photograph band by band, in little more memory than it has.

TensorFlow keeps what it once allocated. A photograph of 50 megapixels in one
piece would leave it with half a gigabyte more than this does.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_color.saved_model.recolor import (ChromaField, recolor_band,
                                               rows_a_strip, stretch_across)

# Pixels of a band; what has no more is recolored in one piece.
BAND_PIXELS = 2**22


def recolor_in_bands(rgb: np.ndarray, field: ChromaField, *,
                     band_pixels: int = BAND_PIXELS) -> np.ndarray:
    """Gives a photograph the chroma of a field, as recolor does, to the bit.

    Args:
      rgb: uint8 [H, W, 3], sRGB.
      field: of arrays, of any size.
      band_pixels: pixels of a band, about.

    Returns:
      uint8 [H, W, 3].
    """
    height, width = rgb.shape[:2]
    rows = int(rows_a_strip(tf.constant(height), tf.constant(width)))
    planes = stretch_across(field, tf.constant(width))
    band = max(band_pixels // width // rows, 1) * rows
    result = np.empty_like(rgb)
    for first in range(0, height, band):
        result[first:first + band] = _traced_band()(
            rgb[first:first + band], planes, first, height, rows).numpy()
    return result


@functools.lru_cache(maxsize=None)
def _traced_band() -> Any:
    number = tf.TensorSpec([], tf.int32)
    return tf.function(
        lambda rgb, planes, first, height, rows: recolor_band(
            rgb, planes, first=first, height=height, rows=rows),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8),
                         tf.TensorSpec([4, None, None], tf.float32),
                         number, number, number])
