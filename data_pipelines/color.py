"""sRGB <-> CIELAB <-> the scaled tensors that the networks see.

Conventions, the same in training, evaluation and serving:

    rgb        uint8   [..., H, W, 3]  sRGB, gamma-encoded, 0..255
    lab        float32 [..., H, W, 3]  CIELAB, D65, 2 degree observer, native
                                       units: L* 0..100, a* and b* about +-110
    lightness  float32 [..., H, W, 1]  L*/50 - 1, in -1..1
    ab         float32 [..., H, W, 2]  (a*, b*)/110, in -1..1

The sRGB gamut spans a* -86.2..98.2 and b* -107.9..94.5, so dividing by 110
never clips a photograph's color and dividing by 100 would.

The conversions are tensorflow-io's (IEC 61966-2-1 for the sRGB curve, CIE
15:2004 for Lab); they agree with scikit-image to 1e-3 in native units. This
module is the only importer of tensorflow_io.
"""

import dataclasses
import warnings
from typing import Callable

import tensorflow as tf

with warnings.catch_warnings():
    # tensorflow-io's C++ kernels load only into the TensorFlow they were built
    # for. The color conversions are plain TensorFlow and need none of them.
    warnings.filterwarnings("ignore", "(unable to load|file system plugins)")
    import tensorflow_io as tfio

LIGHTNESS_SCALE = 50.0
AB_SCALE = 110.0

# A pixel whose linear RGB leaves 0..1 by less than this rounds to the same
# 8-bit value as one on the border; 0.05 of a step at the curve's steep end.
_GAMUT_TOLERANCE = 1e-5
# Each halving of the interval doubles the precision of the kept chroma: 12
# bring nearly every color within one 8-bit step of the gamut's border.
_GAMUT_HALVINGS = 12


def rgb_to_lab(rgb: tf.Tensor) -> tf.Tensor:
    """Converts sRGB to CIELAB.

    Args:
      rgb: uint8 [..., H, W, 3], sRGB.

    Returns:
      float32 [..., H, W, 3], L* in 0..100, a* and b* in native units.
    """
    return tfio.experimental.color.rgb_to_lab(tf.cast(rgb, tf.float32) / 255.0)


def lab_to_rgb(lab: tf.Tensor) -> tf.Tensor:
    """Converts CIELAB to sRGB; out of the gamut, chroma gives way.

    A color that sRGB cannot show keeps its L* and its hue and loses as much
    chroma as it must. There is no useful gradient through this function.

    Args:
      lab: float32 [..., H, W, 3], native units; L* is clipped to 0..100.

    Returns:
      uint8 [..., H, W, 3], sRGB, rounded to nearest.
    """
    lightness, ab = tf.split(lab, [1, 2], axis=-1)
    lightness = tf.clip_by_value(lightness, 0.0, 100.0)
    ab *= _chroma_kept(lightness, ab)
    rgb = tfio.experimental.color.lab_to_rgb(
        tf.concat([lightness, ab], axis=-1))
    return tf.cast(tf.round(rgb * 255.0), tf.uint8)


def _chroma_kept(lightness: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Returns the largest factor in 0..1 that brings ab into the sRGB gamut.

    Found by bisection along the line from the gray of the same L*.

    Args:
      lightness: float32 [..., 1], L* in 0..100.
      ab: float32 [..., 2], a* and b* in native units.

    Returns:
      float32 [..., 1]; 1 where the color can be shown as it is.
    """
    inside = tf.zeros_like(lightness)
    outside = tf.ones_like(lightness)
    for _ in range(_GAMUT_HALVINGS):
        middle = (inside + outside) / 2
        fits = _in_gamut(lightness, ab * middle)
        inside = tf.where(fits, middle, inside)
        outside = tf.where(fits, outside, middle)
    return tf.where(_in_gamut(lightness, ab), tf.ones_like(inside), inside)


def _in_gamut(lightness: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Says which CIELAB colors have a linear sRGB within 0..1.

    Args:
      lightness: float32 [..., 1], L* in 0..100.
      ab: float32 [..., 2], a* and b* in native units.

    Returns:
      bool [..., 1].
    """
    f_y = (lightness + 16.0) / 116.0
    f_xyz = tf.concat(
        [f_y + ab[..., :1] / 500.0, f_y, f_y - ab[..., 1:] / 200.0], axis=-1)
    xyz = tf.where(f_xyz > 6.0 / 29.0, f_xyz**3,
                   (f_xyz - 16.0 / 116.0) / 7.787)
    xyz *= tf.constant([0.95047, 1.0, 1.08883])  # D65
    linear = tf.tensordot(xyz, tf.constant([
        [3.24048134, -0.96925495, 0.05564664],
        [-1.53715152, 1.87599, -0.20404134],
        [-0.49853633, 0.04155593, 1.05731107],
    ]), axes=1)
    fits = ((linear >= -_GAMUT_TOLERANCE) & (linear <= 1 + _GAMUT_TOLERANCE))
    return tf.reduce_all(fits, axis=-1, keepdims=True)


def scale_lightness(lightness: tf.Tensor) -> tf.Tensor:
    """Brings L* (float32, 0..100) to -1..1."""
    return lightness / LIGHTNESS_SCALE - 1.0


@dataclasses.dataclass(frozen=True)
class ColorSpace:
    """What the generator is given and what it must produce.

    Attributes:
      name: the value of --color_space.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      encode: rgb uint8 [..., H, W, 3] -> (condition float32
        [..., H, W, condition_channels], target float32
        [..., H, W, target_channels]), both in -1..1.
      decode: (condition, target) -> rgb uint8 [..., H, W, 3].
    """

    name: str
    condition_channels: int
    target_channels: int
    encode: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    decode: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def _encode_lab(rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    lightness, ab = tf.split(rgb_to_lab(rgb), [1, 2], axis=-1)
    return scale_lightness(lightness), ab / AB_SCALE


def _decode_lab(condition: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    lightness = (condition + 1.0) * LIGHTNESS_SCALE
    return lab_to_rgb(tf.concat([lightness, target * AB_SCALE], axis=-1))


LAB = ColorSpace(name="lab", condition_channels=1, target_channels=2,
                 encode=_encode_lab, decode=_decode_lab)

COLOR_SPACES = {space.name: space for space in (LAB,)}
