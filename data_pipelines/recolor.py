"""A photograph's own lightness with other chroma, at full resolution.

The arithmetic of color.py, laid out for many megapixels: plane by plane, a
strip of rows at a time, the sRGB curve looked up, and the search for the
gamut's border made for the pixels beyond it alone. It agrees with
color.lab_to_rgb to one 8-bit step, in a tenth of the time and with memory for
a few strips.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipelines import color

# Smaller strips spend more time between operations, larger ones more memory.
_STRIP_PIXELS = 2**18
_STRIPS_AT_ONCE = 4
# Steps of linear light that the sRGB curve is tabulated at: the curve's steep
# end rises by a twentieth of an 8-bit step between two of them.
_LEVELS = 2**16 - 1


class ChromaField(NamedTuple):
    """Chroma as a function of lightness that changes slowly over a picture.

    At every place, a* and b* are slope * lightness + intercept; lightness is
    L*/50 - 1.

    Attributes:
      slope: float32 [h, w, 2], native units of a* and b*.
      intercept: float32 [h, w, 2], the same.
    """

    slope: tf.Tensor
    intercept: tf.Tensor


def recolor(rgb: tf.Tensor, field: ChromaField) -> tf.Tensor:
    """Gives a photograph the chroma of a field; its lightness stays.

    Args:
      rgb: uint8 [H, W, 3], sRGB, any size.
      field: of any size; it covers the same photograph and is brought to its
        size by cubic interpolation.

    Returns:
      uint8 [H, W, 3]; out of the gamut, chroma gives way.
    """
    height, width = tf.unstack(tf.shape(rgb)[:2])
    rows = tf.clip_by_value(_STRIP_PIXELS // width, 1, height)
    planes = tf.transpose(tf.concat(field, axis=-1), [0, 2, 1])  # [h, 4, w]
    planes = _stretch(planes, tf.range(width), width, axis=2)

    def recolor_strip(first):
        strip = tf.minimum(first + tf.range(rows), height - 1)
        coefficients = _stretch(planes, strip, height, axis=0)
        slope_a, slope_b, intercept_a, intercept_b = tf.unstack(
            coefficients, axis=1)
        pixels = tf.gather(rgb, strip)
        light, f_y = _light(pixels)
        lightness = f_y * (116.0 / 50.0) - (16.0 / 50.0 + 1.0)
        return _to_rgb(light, f_y, slope_a * lightness + intercept_a,
                       slope_b * lightness + intercept_b)

    strips = tf.map_fn(
        recolor_strip, tf.range(0, height, rows),
        fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
        parallel_iterations=_STRIPS_AT_ONCE)
    return tf.reshape(strips, [-1, width, 3])[:height]


def _stretch(planes, places, length, *, axis):
    """Reads an axis at some places of one that it is stretched to.

    Cubic convolution (Keys 1981, equation 15); pixels' centres correspond, as
    in tf.image.resize.
    """
    size = tf.shape(planes)[axis]
    at = ((tf.cast(places, tf.float32) + 0.5)
          * tf.cast(size, tf.float32) / tf.cast(length, tf.float32) - 0.5)
    below = tf.floor(at)
    x = tf.reshape(at - below, [-1] + [1] * (2 - axis))
    weights = (((-0.5 * x + 1.0) * x - 0.5) * x, (1.5 * x - 2.5) * x * x + 1.0,
               ((-1.5 * x + 2.0) * x + 0.5) * x, (0.5 * x - 0.5) * x * x)
    first = tf.cast(below, tf.int32) - 1
    return tf.add_n([
        weight * tf.gather(planes, tf.clip_by_value(
            first + tap, 0, size - 1), axis=axis)
        for tap, weight in enumerate(weights)])


def _light(rgb):
    """uint8 [h, w, 3] -> Y as a share of white, and f(Y): float32 [h, w]."""
    shares = color.LINEAR[:, np.newaxis] * color.RGB_TO_XYZ[1]
    light = tf.add_n([
        tf.gather(tf.constant(shares[:, channel], tf.float32),
                  tf.cast(rgb[..., channel], tf.int32))
        for channel in range(3)])
    return light, tf.where(light > 0.008856, tf.exp(tf.math.log(light) / 3.0),
                           light * 7.787 + 16.0 / 116.0)


def _to_rgb(light, f_y, a, b):
    """Planes float32 [h, w] -> uint8 [h, w, 3]."""
    linear = _linear_rgb(light, f_y, a, b)
    rgb = tf.stack([_encode(channel) for channel in linear], axis=-1)
    outside = ~_in_gamut(linear)

    def with_less_chroma():
        where = tf.where(outside)
        light_, f_y_, a_, b_ = (
            tf.gather_nd(plane, where) for plane in (light, f_y, a, b))
        kept, too_much = tf.zeros_like(a_), tf.ones_like(a_)
        for _ in range(color.GAMUT_HALVINGS):
            middle = (kept + too_much) / 2
            fits = _in_gamut(_linear_rgb(light_, f_y_, a_ * middle,
                                         b_ * middle))
            kept = tf.where(fits, middle, kept)
            too_much = tf.where(fits, too_much, middle)
        inside = _linear_rgb(light_, f_y_, a_ * kept, b_ * kept)
        return tf.tensor_scatter_nd_update(
            rgb, where, tf.stack([_encode(channel) for channel in inside], -1))

    return tf.cond(tf.reduce_any(outside), with_less_chroma, lambda: rgb)


def _linear_rgb(light, f_y, a, b):
    """Linear red, green and blue, each float32 like the planes given."""
    def light_of(f):
        return tf.where(f > 6.0 / 29.0, f * f * f, (f - 16.0 / 116.0) / 7.787)

    x, z = light_of(f_y + a / 500.0), light_of(f_y - b / 200.0)
    return [x * of_x + light * of_y + z * of_z
            for of_x, of_y, of_z in color.XYZ_TO_RGB]


def _in_gamut(linear):
    red, green, blue = linear
    low = tf.minimum(tf.minimum(red, green), blue)
    high = tf.maximum(tf.maximum(red, green), blue)
    return ((low >= -color.GAMUT_TOLERANCE)
            & (high <= 1 + color.GAMUT_TOLERANCE))


def _encode(linear):
    """Linear light -> the nearest 8-bit value."""
    level = np.arange(_LEVELS + 1) / _LEVELS
    curve = np.where(level > 0.0031308, 1.055 * level**(1 / 2.4) - 0.055,
                     12.92 * level)
    index = tf.cast(linear * _LEVELS + 0.5, tf.int32)
    return tf.gather(tf.constant(np.round(curve * 255).astype(np.uint8)),
                     tf.clip_by_value(index, 0, _LEVELS))
