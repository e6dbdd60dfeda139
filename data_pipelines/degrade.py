"""Degrades lightness as time, film and scanners do.

The generator alone sees the degraded gray picture, and must produce the colors
of the clean one. The steps, in order, on 8-bit sRGB values. Lengths are for a
side of 128 px and grow with it:

    film       one gray from R, G and B, weighted as by the eye, an
               orthochromatic film, an early blue-sensitive plate or a
               red-sensitive film, each equally often
    tone       gamma 0.75 to 1.35, black lifted by 0 to 40, white lowered by 0
               to 40
    blur       Gaussian, deviation 0 to 1 px
    grain      Gaussian noise, deviation 0 to 12, itself blurred by 0.5 px
    scratches  in 30 % of the pictures: 1 to 4 straight lines of 1 px, 60
               brighter or darker
    border     in 20 % of the pictures: white on all sides, 2 to 8 % wide
    JPEG       quality 30 to 95

Everything but the grain is drawn uniformly, from one seed.
"""

import hashlib
from typing import Sequence

import numpy as np
import tensorflow as tf

from data_pipelines import color

_FILMS = ((0.30, 0.59, 0.11), (0.05, 0.55, 0.40), (0.0, 0.2, 0.8),
          (0.5, 0.4, 0.1))
_GAMMA = (0.75, 1.35)
_MAX_FADING = 40.0
_MAX_BLUR, _GRAIN_BLUR = 1.0, 0.5
_MAX_GRAIN = 12.0
_SCRATCHED, _MAX_SCRATCHES, _SCRATCH = 0.3, 4, 60.0
_BORDERED, _BORDER = 0.2, (0.02, 0.08)
_QUALITY = (30, 95)
# The picture's side for which lengths are given.
_SIDE = 128

# Share of the photographs that training shows as they are.
_CLEAN_SHARE = 0.5


def degrade(photo: tf.Tensor, *, seed: tf.Tensor) -> tf.Tensor:
    """Makes an old print of a photograph.

    Args:
      photo: uint8 [S, S, 3] RGB, or [S, S, 4] whose fourth channel, the gray
        photograph, is degraded.
      seed: int64 [2].

    Returns:
      uint8 [S, S, 1].
    """
    side = tf.cast(tf.shape(photo)[0], tf.float32)
    scale = side / _SIDE
    grain_seed, scratch_seed = (_fold_in(seed, part) for part in (1, 2))
    (film, gamma, black, white, blur, grain, scratched, num_scratches,
     bordered, border, quality) = tf.unstack(
         tf.random.stateless_uniform([11], seed))
    if photo.shape[-1] == 4:
        gray = tf.cast(photo[..., 3:], tf.float32)
    else:
        weights = tf.gather(tf.constant(_FILMS),
                            tf.cast(film * len(_FILMS), tf.int32))
        gray = tf.reduce_sum(tf.cast(photo, tf.float32) * weights, axis=-1,
                             keepdims=True)

    low, high = black * _MAX_FADING, 255.0 - white * _MAX_FADING
    gray = (gray / 255.0)**_between(gamma, _GAMMA) * (high - low) + low
    gray = _blur(gray, blur * _MAX_BLUR * scale, largest=_MAX_BLUR * scale)

    noise = tf.random.stateless_normal(tf.shape(gray), grain_seed)
    gray += _blur(noise * (grain * _MAX_GRAIN), _GRAIN_BLUR * scale,
                  largest=_GRAIN_BLUR * scale)

    gray = tf.cond(scratched < _SCRATCHED, lambda: gray + _scratches(
        num_scratches, side, scratch_seed), lambda: gray)

    place = (tf.range(side) + 0.5) / side
    edge = tf.minimum(place, 1.0 - place)
    edge = tf.minimum(edge[:, tf.newaxis], edge)[..., tf.newaxis]
    is_border = (bordered < _BORDERED) & (edge < _between(border, _BORDER))
    gray = tf.where(is_border, 255.0, gray)

    gray = tf.cast(tf.clip_by_value(tf.round(gray), 0.0, 255.0), tf.uint8)
    gray = _as_jpeg(gray, tf.cast(_between(quality, _QUALITY), tf.int32))
    return tf.ensure_shape(gray, [*photo.shape[:2], 1])


def degrade_half(photo: tf.Tensor, *, seed: tf.Tensor) -> tf.Tensor:
    """Degrades a photograph with a probability of one half, for training.

    Args:
      photo: uint8 [S, S, 3] RGB, or [S, S, 4] with the gray photograph.
      seed: int64 [2].

    Returns:
      uint8 [S, S, 4], the RGB photograph and the gray one to show.
    """
    is_clean = tf.random.stateless_uniform(
        [], _fold_in(seed, 3)) < _CLEAN_SHARE
    gray = tf.cond(is_clean, lambda: color.given_gray(photo)[..., :1],
                   lambda: degrade(photo, seed=seed))
    return tf.concat([photo[..., :3], gray], axis=-1)


def seeds_of(identities: Sequence[str]) -> np.ndarray:
    """Returns the seeds of evaluation photographs: int64 [N, 2].

    A seed depends on the photograph's identity alone, so that every model sees
    the same degraded picture.
    """
    return np.array([
        np.frombuffer(hashlib.sha256(identity.encode(
            errors="surrogateescape")).digest()[:8], np.int32)
        for identity in identities], np.int64).reshape(-1, 2)


def _fold_in(seed, part):
    return tf.random.experimental.stateless_fold_in(seed, part)


def _between(share, limits):
    low, high = limits
    return low + share * (high - low)


def _blur(picture, deviation, *, largest):
    """Blurs float32 [S, S, 1] with a Gaussian; borders are mirrored."""
    radius = tf.cast(tf.math.ceil(3.0 * largest), tf.int32)
    offsets = tf.cast(tf.range(-radius, radius + 1), tf.float32)
    weights = tf.exp(-0.5 * tf.square(offsets / tf.maximum(deviation, 1e-3)))
    weights /= tf.reduce_sum(weights)
    picture = tf.pad(picture, [[radius, radius], [radius, radius], [0, 0]],
                     "SYMMETRIC")[tf.newaxis]
    picture = tf.nn.conv2d(picture, tf.reshape(weights, [-1, 1, 1, 1]), 1,
                           "VALID")
    return tf.nn.conv2d(picture, tf.reshape(weights, [1, -1, 1, 1]), 1,
                        "VALID")[0]


def _scratches(num_scratches, side, seed):
    """Returns float32 [S, S, 1]: +-60 on a few straight lines, else 0."""
    through_y, through_x, angle, sign = tf.unstack(
        tf.random.stateless_uniform([4, _MAX_SCRATCHES], seed))
    angle *= np.pi
    place = (tf.range(side) + 0.5) / side
    y, x = place[:, tf.newaxis, tf.newaxis], place[:, tf.newaxis]
    distance = tf.abs((y - through_y) * tf.cos(angle)
                      - (x - through_x) * tf.sin(angle)) * side
    is_drawn = (tf.range(_MAX_SCRATCHES, dtype=tf.float32)
                <= num_scratches * _MAX_SCRATCHES)
    lines = tf.where((distance < side / _SIDE / 2) & is_drawn,
                     tf.where(sign < 0.5, -_SCRATCH, _SCRATCH), 0.0)
    return tf.reduce_sum(lines, axis=-1, keepdims=True)


def _as_jpeg(gray, quality):
    encoded = tf.raw_ops.EncodeJpegVariableQuality(images=gray, quality=quality)
    return tf.io.decode_jpeg(encoded, channels=1)
