"""Linear light: the arithmetic between sRGB and CIELAB, plane by plane.

color.py converts whole pictures with it; the served model recolors photographs
of many megapixels with it, a strip of rows at a time.
"""

from typing import Callable, Sequence

import numpy as np
import tensorflow as tf

# A pixel whose linear RGB leaves 0..1 by less than this rounds to the same
# 8-bit value as one on the border: 0.05 of a step at the curve's steep end.
GAMUT_TOLERANCE = 1e-5
# Each halving of the interval doubles the precision of the kept chroma: 12
# bring nearly every color within one 8-bit step of the gamut's border.
GAMUT_HALVINGS = 12
# The sRGB curve (IEC 61966-2-1) of each 8-bit value.
_ENCODED = np.arange(256) / 255.0
SRGB_TO_LINEAR = np.where(
    _ENCODED > 0.04045, ((_ENCODED + 0.055) / 1.055)**2.4,
    _ENCODED / 12.92).astype(np.float32)
# Linear sRGB to CIE XYZ as a share of the white point D65; rows give X, Y, Z.
RGB_TO_XYZ = np.array([
    [0.412453, 0.357580, 0.180423],
    [0.212671, 0.715160, 0.072169],
    [0.019334, 0.119193, 0.950227],
]) / np.array([[0.95047], [1.0], [1.08883]])
# And back, as tensorflow-io has it; rows give red, green, blue.
XYZ_TO_RGB = np.array([
    [3.24048134, -1.53715152, -0.49853633],
    [-0.96925495, 1.87599, 0.04155593],
    [0.05564664, -0.20404134, 1.05731107],
]) * np.array([0.95047, 1.0, 1.08883])


def largest_share(fits: Callable[[tf.Tensor], tf.Tensor],
                  like: tf.Tensor) -> tf.Tensor:
    """Bisects for the largest factor of chroma that stays in the gamut.

    Args:
      fits: float32 factors in 0..1 -> bool, whether the colors fit.
      like: float32, of the factors' shape.

    Returns:
      float32 factors, each below 1.
    """
    inside, outside = tf.zeros_like(like), tf.ones_like(like)
    for _ in range(GAMUT_HALVINGS):
        middle = (inside + outside) / 2
        middle_fits = fits(middle)
        inside = tf.where(middle_fits, middle, inside)
        outside = tf.where(middle_fits, outside, middle)
    return inside


def in_gamut(linear: Sequence[tf.Tensor]) -> tf.Tensor:
    """Tells which linear red, green and blue (float32 each) lie within 0..1.
    """
    red, green, blue = linear
    low = tf.minimum(tf.minimum(red, green), blue)
    high = tf.maximum(tf.maximum(red, green), blue)
    return (low >= -GAMUT_TOLERANCE) & (high <= 1 + GAMUT_TOLERANCE)


def light_to_f(light: tf.Tensor) -> tf.Tensor:
    """Applies CIELAB's f to X, Y or Z as a share of white's (CIE 15:2004)."""
    return tf.where(light > 0.008856, tf.exp(tf.math.log(light) / 3.0),
                    light * 7.787 + 16.0 / 116.0)


def f_to_light(f: tf.Tensor) -> tf.Tensor:
    """Inverts light_to_f."""
    return tf.where(f > 6.0 / 29.0, f * f * f, (f - 16.0 / 116.0) / 7.787)


def f_to_linear(light: tf.Tensor, f_y: tf.Tensor, a: tf.Tensor,
                b: tf.Tensor) -> list[tf.Tensor]:
    """Converts CIELAB to linear sRGB, plane by plane.

    Args:
      light: float32, Y as a share of white's.
      f_y: float32, light_to_f(light), which is (L* + 16)/116.
      a: float32, a* in native units.
      b: float32, b* in native units.

    Returns:
      Red, green and blue, float32 of the same shape; 0..1 in sRGB's gamut.
    """
    x, z = f_to_light(f_y + a / 500.0), f_to_light(f_y - b / 200.0)
    # No product of matrices, which GPUs may take in fewer bits (TF32).
    return [x * of_x + light * of_y + z * of_z
            for of_x, of_y, of_z in XYZ_TO_RGB]


def linear_to_srgb(linear: tf.Tensor) -> tf.Tensor:
    """Clips float32 values to 0..1 and applies the sRGB curve: 0..1 again.

    Its gradient is finite everywhere.
    """
    # The power's slope is infinite at 0, where the line is taken.
    power = tf.exp(tf.math.log(
        tf.clip_by_value(linear, 0.0031308, 1.0)) / 2.4)
    return tf.where(linear > 0.0031308, 1.055 * power - 0.055,
                    12.92 * tf.maximum(linear, 0.0))


def luminance(rgb: tf.Tensor) -> tf.Tensor:
    """Returns a picture's luminance Y as a share of white's.

    Args:
      rgb: uint8 [..., H, W, 3], sRGB.

    Returns:
      float32 [..., H, W].
    """
    linear = tf.gather(tf.constant(SRGB_TO_LINEAR), tf.cast(rgb, tf.int32))
    return tf.tensordot(linear, tf.constant(RGB_TO_XYZ[1], tf.float32), axes=1)
