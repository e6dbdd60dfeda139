"""sRGB <-> CIELAB <-> the scaled tensors that the networks see.

The same conventions hold in training, evaluation and serving:

    rgb        uint8   [..., H, W, 3]  sRGB, gamma-encoded, 0..255
    lab        float32 [..., H, W, 3]  CIELAB, D65, 2 degree observer, native
                                       units: L* 0..100, a* and b* about +-110
    lightness  float32 [..., H, W, 1]  L*/50 - 1, in -1..1
    ab         float32 [..., H, W, 2]  (a*, b*)/110, in -1..1
    gray       uint8   [..., H, W, 1]  the sRGB gray of the same L*

The sRGB gamut spans a* -86.2..98.2 and b* -107.9..94.5, so dividing by 110
never clips a photograph's color and dividing by 100 would.

tensorflow-io converts Lab to sRGB. The other direction, on the hot path, is
written here for 8-bit input. Both agree with scikit-image to 1e-3 in native
units. Losses need a gradient and use decode_floats. No other module imports
tensorflow_io.
"""

import dataclasses
import functools
import warnings
from typing import Callable

import numpy as np
import tensorflow as tf

from data_pipelines.linear_light import (RGB_TO_XYZ, SRGB_TO_LINEAR, f_to_light,
                                         f_to_linear, in_gamut, largest_share,
                                         light_to_f, linear_to_srgb, luminance)

with warnings.catch_warnings():
    # tensorflow-io's C++ kernels load only into the TensorFlow that they were
    # built for. Its color conversions are plain TensorFlow and need no kernels.
    warnings.filterwarnings("ignore", "(unable to load|file system plugins)")
    import tensorflow_io as tfio

LIGHTNESS_SCALE = 50.0
AB_SCALE = 110.0
BYTE_SCALE = 127.5

# f(X), f(Y), f(Z) to L* + 16, a*, b* (CIE 15:2004, 8.2.1.1).
_F_TO_LAB = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]])


def rgb_to_lab(rgb: tf.Tensor) -> tf.Tensor:
    """Converts sRGB to CIELAB.

    This is 2.5 times as fast as tensorflow-io's conversion of floats: the sRGB
    curve of 8-bit values is looked up, and the cube root is computed by the
    logarithm, which TensorFlow vectorizes.

    Args:
      rgb: uint8 [..., H, W, 3], sRGB.

    Returns:
      float32 [..., H, W, 3], L* in 0..100, a* and b* in native units.
    """
    linear = tf.gather(tf.constant(SRGB_TO_LINEAR), tf.cast(rgb, tf.int32))
    pixels = tf.reshape(linear, [-1, 3])
    xyz = tf.matmul(pixels, tf.constant(RGB_TO_XYZ.T, tf.float32))
    lab = tf.matmul(light_to_f(xyz), tf.constant(_F_TO_LAB.T, tf.float32))
    return tf.reshape(lab - tf.constant([16.0, 0.0, 0.0]), tf.shape(rgb))


def lab_to_rgb(lab: tf.Tensor, *, compiled: bool = False) -> tf.Tensor:
    """Converts CIELAB to sRGB; colors out of the gamut lose chroma.

    A color that sRGB cannot show keeps its L* and hue and loses no more chroma
    than necessary. There is no useful gradient through this function.

    Args:
      lab: float32 [..., H, W, 3], native units; L* is clipped to 0..100.
      compiled: whether XLA compiles this. The colors are the same. XLA has no
        tensors of unknown size, so it searches for the chroma of every pixel
        and is fast enough for that. Otherwise only pixels out of the gamut are
        searched, in 20 to 40 % of the time.

    Returns:
      uint8 [..., H, W, 3], sRGB, rounded to nearest.
    """
    lightness, ab = tf.split(lab, [1, 2], axis=-1)
    lightness = tf.clip_by_value(lightness, 0.0, 100.0)
    fits = in_gamut(_lab_to_linear(lightness, ab))
    if compiled:
        ab = tf.where(fits, ab, ab * _chroma_kept(lightness, ab))
    else:
        outside = tf.where(~fits[..., 0])
        too_much = tf.gather_nd(ab, outside)
        kept = _chroma_kept(tf.gather_nd(lightness, outside), too_much)
        ab = tf.tensor_scatter_nd_update(ab, outside, too_much * kept)
    rgb = tfio.experimental.color.lab_to_rgb(
        tf.concat([lightness, ab], axis=-1))
    return tf.cast(tf.round(rgb * 255.0), tf.uint8)


def _chroma_kept(lightness: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Returns the largest factor below 1 that brings ab into the sRGB gamut.

    Args:
      lightness: float32 [..., 1], L* in 0..100.
      ab: float32 [..., 2], a* and b* in native units.

    Returns:
      float32 [..., 1]; meaningless where ab is in the gamut already.
    """
    f_y = (lightness + 16.0) / 116.0
    light, (a, b) = f_to_light(f_y), tf.split(ab, 2, axis=-1)
    return largest_share(lambda share: in_gamut(
        f_to_linear(light, f_y, a * share, b * share)), like=lightness)


def _lab_to_linear(lightness: tf.Tensor, ab: tf.Tensor) -> list[tf.Tensor]:
    """Converts CIELAB to red, green and blue, linear, float32 [..., 1] each.

    Args:
      lightness: float32 [..., 1], L* in 0..100.
      ab: float32 [..., 2], a* and b* in native units.
    """
    f_y = (lightness + 16.0) / 116.0
    return f_to_linear(f_to_light(f_y), f_y, ab[..., :1], ab[..., 1:])


def opencv_lab_to_rgb(lab: tf.Tensor) -> tf.Tensor:
    """Converts 8-bit Lab, scaled as in OpenCV, to sRGB; for XLA to compile.

    Args:
      lab: uint8 [..., H, W, 3]: L* x 255/100, a* + 128, b* + 128.

    Returns:
      uint8 [..., H, W, 3], sRGB; colors out of the gamut lose chroma.
    """
    scale = tf.constant([100.0 / 255.0, 1.0, 1.0])
    return lab_to_rgb((tf.cast(lab, tf.float32) - [0.0, 128.0, 128.0]) * scale,
                      compiled=True)


def rgb_to_opencv_lab(rgb: tf.Tensor) -> tf.Tensor:
    """Converts sRGB to 8-bit Lab, scaled as in OpenCV.

    Args:
      rgb: uint8 [..., H, W, 3], sRGB.

    Returns:
      uint8 [..., H, W, 3]: L* x 255/100, a* + 128, b* + 128.
    """
    scale = tf.constant([255.0 / 100.0, 1.0, 1.0])
    return tf.cast(tf.round(rgb_to_lab(rgb) * scale + [0.0, 128.0, 128.0]),
                   tf.uint8)


def luma(rgb: tf.Tensor) -> tf.Tensor:
    """Converts a picture to gray by ITU-R BT.601, as Pillow and JPEG do.

    Args:
      rgb: uint8 [..., H, W, 3]; a gray picture keeps its values.

    Returns:
      uint8 [..., H, W, 1].
    """
    weights = tf.constant([[0.299], [0.587], [0.114]])
    gray = tf.tensordot(tf.cast(rgb, tf.float32), weights, axes=1)
    return tf.cast(tf.round(gray), tf.uint8)


def given_gray(photo: tf.Tensor) -> tf.Tensor:
    """Returns the gray photograph from which an example is colored.

    Args:
      photo: uint8 [..., H, W, 3] RGB, or [..., H, W, 4] with its own gray
        photograph.

    Returns:
      uint8 [..., H, W, 3], equal channels: the fourth channel, or else the L*
      of the RGB photograph.
    """
    gray = photo[..., 3:] if photo.shape[-1] == 4 else _gray(photo)
    return tf.repeat(gray, 3, axis=-1)


def _gray(rgb: tf.Tensor) -> tf.Tensor:
    """Converts a picture to the gray of the same L*.

    Args:
      rgb: uint8 [..., H, W, 3]; a gray picture keeps its values.

    Returns:
      uint8 [..., H, W, 1].
    """
    gray = linear_to_srgb(luminance(rgb)[..., tf.newaxis])
    return tf.cast(tf.round(gray * 255.0), tf.uint8)


def scale_lightness(lightness: tf.Tensor) -> tf.Tensor:
    """Brings L* (float32, 0..100) to -1..1."""
    return lightness / LIGHTNESS_SCALE - 1.0


def native_lab(lightness: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Brings both from -1..1 back to CIELAB's units, float32 [..., 3]."""
    return tf.concat(
        [(lightness + 1.0) * LIGHTNESS_SCALE, ab * AB_SCALE], axis=-1)


def _scale_bytes(values: tf.Tensor) -> tf.Tensor:
    """Brings uint8 to float32 in -1..1."""
    return tf.cast(values, tf.float32) / BYTE_SCALE - 1.0


@dataclasses.dataclass(frozen=True)
class ColorSpace:
    """The generator's input (condition) and output (target).

    Attributes:
      name: the value of --color_space.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      encode: photo uint8 [..., H, W, 3], or 4 channels with the gray photograph
        as condition -> (condition float32 [..., H, W, condition_channels],
        target float32 [..., H, W, target_channels]), both in -1..1.
      decode: (condition, target) -> rgb uint8 [..., H, W, 3].
      decode_floats: (condition, target) -> rgb float32 [..., H, W, 3], 0..255,
        differentiable: not rounded, each channel clipped to the gamut.
      ab_of: target -> ab float32 [..., H, W, 2], the colors for a photograph
        that keeps its own lightness.
    """

    name: str
    condition_channels: int
    target_channels: int
    encode: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    decode: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    decode_floats: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ab_of: Callable[[tf.Tensor], tf.Tensor]


def _encode_lab(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    lightness, ab = tf.split(rgb_to_lab(photo[..., :3]), [1, 2], axis=-1)
    if photo.shape[-1] == 4:
        lightness = rgb_to_lab(given_gray(photo))[..., :1]
    return scale_lightness(lightness), ab / AB_SCALE


def _decode_lab(condition: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    return lab_to_rgb(native_lab(condition, target))


def _lab_to_floats(condition: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """As the standards have it, with a gradient that is always finite."""
    linear = tf.concat(_lab_to_linear(
        (condition + 1.0) * LIGHTNESS_SCALE, target * AB_SCALE), axis=-1)
    return 255.0 * linear_to_srgb(linear)


def _encode_rgb(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return (_scale_bytes(given_gray(photo)[..., :1]),
            _scale_bytes(photo[..., :3]))


def _target_to_rgb(target: tf.Tensor) -> tf.Tensor:
    rgb = tf.round((target + 1.0) * BYTE_SCALE)
    return tf.cast(tf.clip_by_value(rgb, 0.0, 255.0), tf.uint8)


def _ab_of_rgb(target: tf.Tensor) -> tf.Tensor:
    return rgb_to_lab(_target_to_rgb(target))[..., 1:] / AB_SCALE


LAB = ColorSpace(name="lab", condition_channels=1, target_channels=2,
                 encode=_encode_lab, decode=_decode_lab,
                 decode_floats=_lab_to_floats,
                 ab_of=lambda target: target)

RGB = ColorSpace(name="rgb", condition_channels=1, target_channels=3,
                 encode=_encode_rgb, ab_of=_ab_of_rgb,
                 # The target has a lightness of its own.
                 decode=lambda condition, target: _target_to_rgb(target),
                 decode_floats=lambda condition, target: (
                     target + 1.0) * BYTE_SCALE)

COLOR_SPACES = {space.name: space for space in (LAB, RGB)}


@functools.cache
def compiled(function: Callable) -> Callable:
    """Compiles one of these functions with XLA, once.

    Dozens of passes over a batch become a few, several times as fast.
    """
    return tf.function(function, autograph=False, jit_compile=True)
