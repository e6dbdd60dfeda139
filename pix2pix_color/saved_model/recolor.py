"""A photograph's own lightness with other chroma, at full resolution.

The arithmetic of color.py, laid out for many megapixels: plane by plane, a
strip of rows at a time, every power taken through the logarithm, which
TensorFlow vectorizes, and the search for the gamut's border made for the
pixels beyond it alone. It agrees with
color.lab_to_rgb to one 8-bit step, in a tenth of the time and with memory for
a few strips.
"""

from typing import NamedTuple

import tensorflow as tf

from data_pipelines import color

# Smaller strips spend more time between operations, larger ones more memory.
_STRIP_PIXELS = 2**18
_STRIPS_AT_ONCE = 4


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
    num_strips = (height + rows - 1) // rows
    rows = (height + num_strips - 1) // num_strips  # all of about a height
    planes = tf.transpose(tf.concat(field, axis=-1), [2, 0, 1])  # [4, h, w]
    planes = _stretch_rows(planes, width)

    def recolor_strip(first):
        strip = tf.minimum(first + tf.range(rows), height - 1)
        slope_a, slope_b, intercept_a, intercept_b = _rows_at(
            planes, strip, height)
        light, f_y = _light(tf.gather(rgb, strip))
        lightness = f_y * (116.0 / 50.0) - (16.0 / 50.0 + 1.0)
        return _to_rgb(light, f_y, slope_a * lightness + intercept_a,
                       slope_b * lightness + intercept_b)

    strips = tf.map_fn(
        recolor_strip, tf.range(0, height, rows),
        fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
        parallel_iterations=_STRIPS_AT_ONCE)
    return tf.reshape(strips, [-1, width, 3])[:height]


def _stretch_rows(planes, width):
    """float32 [C, h, w] -> [C, h, width]."""
    taps, weights = _taps(tf.range(width), width, tf.shape(planes)[2])
    return tf.add_n([weights[tap] * tf.gather(planes, taps[tap], axis=2)
                     for tap in range(4)])


def _rows_at(planes, places, height):
    """Rows of planes as they would be if these were height high.

    Args:
      planes: float32 [C, h, W].
      places: int32 [R], which of the rows, in order.
      height: what the planes are stretched to.

    Returns:
      float32 [R, W], one for each plane.
    """
    taps, weights = _taps(places, height, tf.shape(planes)[1])
    # All that a strip needs are a few neighbors: a product of matrices.
    first, last = tf.reduce_min(taps), tf.reduce_max(taps)
    matrix = tf.add_n([
        weights[tap][:, tf.newaxis] * tf.one_hot(taps[tap] - first,
                                                 last - first + 1)
        for tap in range(4)])
    return [tf.matmul(matrix, plane)
            for plane in tf.unstack(planes[:, first:last + 1], 4)]


def _taps(places, length, size):
    """Which values make up those of a longer axis, and their shares.

    Cubic convolution (Keys 1981, equation 15); pixels' centres correspond, as
    in tf.image.resize.

    Args:
      places: int32 [R], on an axis of this length.
      length: of the axis that is wanted.
      size: of the axis that is there.

    Returns:
      int32 [4, R] and float32 [4, R].
    """
    at = ((tf.cast(places, tf.float32) + 0.5)
          * tf.cast(size, tf.float32) / tf.cast(length, tf.float32) - 0.5)
    below = tf.floor(at)
    x = at - below
    weights = tf.stack([
        ((-0.5 * x + 1.0) * x - 0.5) * x, (1.5 * x - 2.5) * x * x + 1.0,
        ((-1.5 * x + 2.0) * x + 0.5) * x, (0.5 * x - 0.5) * x * x])
    taps = tf.cast(below, tf.int32) + tf.range(-1, 3)[:, tf.newaxis]
    return tf.clip_by_value(taps, 0, size - 1), weights


def _light(rgb):
    """uint8 [h, w, 3] -> Y as a share of white, and f(Y): float32 [h, w]."""
    def linear(values):
        values = tf.cast(values, tf.float32) / 255.0
        return tf.where(values > 0.04045, _power(
            values / 1.055 + 0.055 / 1.055, 2.4), values / 12.92)

    light = tf.add_n([share * linear(values) for share, values in zip(
        color.RGB_TO_XYZ[1].tolist(), tf.unstack(rgb, 3, axis=-1))])
    return light, tf.where(light > 0.008856, _power(light, 1 / 3),
                           light * 7.787 + 16.0 / 116.0)


def _power(values, exponent):
    return tf.exp(tf.math.log(values) * exponent)


def _to_rgb(light, f_y, a, b):
    """Planes float32 [h, w] -> uint8 [h, w, 3]."""
    linear = _linear_rgb(light, f_y, a, b)
    packed, outside = _pack(linear), ~_in_gamut(linear)

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
        return tf.tensor_scatter_nd_update(packed, where, _pack(inside))

    packed = tf.cond(tf.reduce_any(outside), with_less_chroma, lambda: packed)
    return tf.bitcast(packed, tf.uint8)[..., :3]


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


def _pack(linear):
    """Linear light -> 8-bit values, in one int32: quicker than a stack."""
    def encode(values):
        values = tf.clip_by_value(values, 0.0, 1.0)
        curve = tf.where(values > 0.0031308,
                         _power(values, 1 / 2.4) * 1.055 - 0.055,
                         values * 12.92)
        return tf.cast(curve * 255.0 + 0.5, tf.int32)

    red, green, blue = map(encode, linear)
    return red + green * 2**8 + blue * 2**16
