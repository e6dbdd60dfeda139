"""Metrics of colored photographs: pure functions, one number an image.

They take uint8 sRGB, as people see it; colorfulness also takes floats, so that
it can serve as a loss. metric_names.py has their titles.
"""

import math
from typing import Callable, Mapping

import tensorflow as tf

from data_pipelines import color

MAX_PSNR_DB = 100.0


def ab_l1(real_rgb: tf.Tensor, colorized_rgb: tf.Tensor) -> tf.Tensor:
    """Mean absolute error of a* and b*.

    Args:
      real_rgb: uint8 [N, H, W, 3].
      colorized_rgb: uint8 [N, H, W, 3].

    Returns:
      float32 [N], in CIELAB's native units; 0 is best.
    """
    difference = (color.rgb_to_lab(real_rgb)
                  - color.rgb_to_lab(colorized_rgb))[..., 1:]
    return tf.reduce_mean(tf.abs(difference), axis=[1, 2, 3])


def psnr_db(real_rgb: tf.Tensor, colorized_rgb: tf.Tensor) -> tf.Tensor:
    """Peak signal-to-noise ratio over the three channels together.

    Args:
      real_rgb: uint8 [N, H, W, 3].
      colorized_rgb: uint8 [N, H, W, 3].

    Returns:
      float32 [N], decibels; at most 100, so that the average stays finite
      when a photograph (a gray one, say) is reproduced exactly.
    """
    return tf.minimum(
        tf.image.psnr(real_rgb, colorized_rgb, max_val=255), MAX_PSNR_DB)


def ssim(real_rgb: tf.Tensor, colorized_rgb: tf.Tensor) -> tf.Tensor:
    """Structural similarity, 11x11 Gaussian window (Wang et al. 2004).

    Args:
      real_rgb: uint8 [N, H, W, 3], H and W at least 11.
      colorized_rgb: uint8 [N, H, W, 3].

    Returns:
      float32 [N], mean over channels; 1 is best.
    """
    return tf.image.ssim(real_rgb, colorized_rgb, max_val=255)


def delta_e(real_rgb: tf.Tensor, colorized_rgb: tf.Tensor) -> tf.Tensor:
    """Mean color difference (CIEDE2000).

    Args:
      real_rgb: uint8 [N, H, W, 3].
      colorized_rgb: uint8 [N, H, W, 3].

    Returns:
      float32 [N]; 1 is about the smallest visible difference.
    """
    difference = ciede2000(color.rgb_to_lab(real_rgb),
                           color.rgb_to_lab(colorized_rgb))
    return tf.reduce_mean(difference, axis=[1, 2])


def ciede2000(lab_1: tf.Tensor, lab_2: tf.Tensor) -> tf.Tensor:
    """Computes the CIEDE2000 color difference.

    Source: Sharma, Wu and Dalal 2005, equations 2 to 22.

    Args:
      lab_1: float32 [..., 3], CIELAB in native units.
      lab_2: float32 [..., 3].

    Returns:
      float32 [...].
    """
    # float64, because the formula jumps at opposite hues.
    l_1, a_1, b_1 = tf.unstack(tf.cast(lab_1, tf.float64), axis=-1)
    l_2, a_2, b_2 = tf.unstack(tf.cast(lab_2, tf.float64), axis=-1)

    # a* is stretched for colors near gray (eq. 2 to 7).
    chroma_mean = (tf.math.sqrt(a_1**2 + b_1**2)
                   + tf.math.sqrt(a_2**2 + b_2**2)) / 2
    g = 0.5 * (1 - _saturation(chroma_mean))
    a_1, a_2 = a_1 * (1 + g), a_2 * (1 + g)
    c_1, c_2 = tf.math.sqrt(a_1**2 + b_1**2), tf.math.sqrt(a_2**2 + b_2**2)
    h_1 = tf.math.floormod(tf.math.atan2(b_1, a_1), 2 * math.pi)
    h_2 = tf.math.floormod(tf.math.atan2(b_2, a_2), 2 * math.pi)

    # Hue differences and means go around the circle (eq. 10 and 14). Exactly
    # half a turn stays, however it was rounded.
    is_gray = tf.equal(c_1 * c_2, 0.0)
    turn = h_2 - h_1
    turn -= 2 * math.pi * tf.round(turn / (2 * math.pi) * (1 - 1e-12))
    hue_mean = tf.where(is_gray, h_1 + h_2, h_1 + turn / 2)
    hue_difference = 2 * tf.math.sqrt(c_1 * c_2) * tf.math.sin(turn / 2)

    l_mean, c_mean = (l_1 + l_2) / 2, (c_1 + c_2) / 2
    degree = math.pi / 180
    t = (1 - 0.17 * tf.math.cos(hue_mean - 30 * degree)
         + 0.24 * tf.math.cos(2 * hue_mean)
         + 0.32 * tf.math.cos(3 * hue_mean + 6 * degree)
         - 0.20 * tf.math.cos(4 * hue_mean - 63 * degree))
    l_weight = 1 + (0.015 * (l_mean - 50)**2
                    / tf.math.sqrt(20 + (l_mean - 50)**2))
    c_weight = 1 + 0.045 * c_mean
    h_weight = 1 + 0.015 * c_mean * t

    # The rotation term concerns blues, around 275 degrees (eq. 16 to 21).
    from_blue = tf.math.floormod(hue_mean, 2 * math.pi) / degree - 275
    rotation = (-2 * _saturation(c_mean)
                * tf.math.sin(60 * degree * tf.exp(-(from_blue / 25)**2)))

    l_term = (l_2 - l_1) / l_weight
    c_term = (c_2 - c_1) / c_weight
    h_term = hue_difference / h_weight
    squared = (l_term**2 + c_term**2 + h_term**2 + rotation * c_term * h_term)
    return tf.cast(tf.math.sqrt(tf.maximum(squared, 0.0)), tf.float32)


def _saturation(chroma: tf.Tensor) -> tf.Tensor:
    return tf.math.sqrt(chroma**7 / (chroma**7 + 25.0**7))


def colorfulness(rgb: tf.Tensor) -> tf.Tensor:
    """Colorfulness (Hasler and Suesstrunk 2003, equation 3).

    Args:
      rgb: uint8 [N, H, W, 3]; or float32 in 0..255, which has a gradient,
        zero for gray images.

    Returns:
      float32 [N]; the paper's viewers call images not colorful at 0, slightly
      at 15, moderately at 33, averagely at 45, quite at 59, highly at 82 and
      extremely colorful at 109.
    """
    return _colorfulness(_opponents(rgb))


def field_colorfulness(rgb: tf.Tensor) -> tf.Tensor:
    """Colorfulness as the code of DDColor and ColorFormer computes it.

    It takes the absolute values of both differences before mean and deviation,
    unlike Hasler and Suesstrunk. Published tables use this number, which is a
    tenth lower.

    Args:
      rgb: uint8 [N, H, W, 3].

    Returns:
      float32 [N]; 0 for gray.
    """
    return _colorfulness(tf.abs(_opponents(rgb)))


def _opponents(rgb):
    """Computes red - green and yellow - blue: float32 [N, H, W, 2]."""
    red, green, blue = tf.unstack(tf.cast(rgb, tf.float32), axis=-1)
    return tf.stack([red - green, (red + green) / 2 - blue], axis=-1)


def _colorfulness(opponents):
    mean = tf.reduce_mean(opponents, axis=[1, 2])
    variance = tf.math.reduce_variance(opponents, axis=[1, 2])
    return _root(tf.reduce_sum(variance, axis=-1)) + 0.3 * _root(
        tf.reduce_sum(mean * mean, axis=-1))


def _root(squares: tf.Tensor) -> tf.Tensor:
    """Takes the square root; its gradient at zero is zero, not infinite."""
    is_zero = tf.equal(squares, 0.0)
    return tf.where(is_zero, 0.0, tf.sqrt(tf.where(is_zero, 1.0, squares)))


# Metrics that compare a colored photograph with the real one, by name.
COMPARISONS: Mapping[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "ab_l1": ab_l1, "psnr_db": psnr_db, "ssim": ssim, "delta_e": delta_e}
# Metrics of one picture. The evaluation also has their gaps: the difference
# between the means of colored and real photographs.
COLORFULNESS: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "colorfulness": colorfulness, "field_colorfulness": field_colorfulness}
