"""Draws the color hints of training: colors of a photograph at some places.

After Zhang et al. 2017 (arXiv:1705.02999, section 3.2): half of the photographs
have no hint. The others have a geometric number of hints. Each is a small
square with its mean color, around the center of the photograph more often than
at its border. In one photograph of a hundred, every pixel is a hint.

Hints are maps of half the photograph's size, at which efficientnet_unet
predicts colors.
"""

from typing import NamedTuple

import tensorflow as tf

# Mean number of hints in photographs that have some, and the largest number.
MEAN_HINTS, MAX_HINTS = 8, 64
# Largest side of a hint's square, in pixels of the map.
MAX_SIDE = 5
_HINTED_SHARE, _FULL_SHARE = 0.5, 0.01
# Deviation of a hint's place from the center, in sides of the photograph.
_DEVIATION = 0.25


class Places(NamedTuple):
    """The places of a photograph's hints.

    Attributes:
      squares: int32 [K, 3]: top, left and side of each, in pixels; a side of 0
        is none.
      is_full: bool [], whether every pixel is a hint.
    """

    squares: tf.Tensor
    is_full: tf.Tensor


def draw_places(size: int, *, seed: tf.Tensor) -> Places:
    """Draws the hints' places for one photograph.

    Args:
      size: the map's side, pixels.
      seed: int64 [2].

    Returns:
      Places with K = MAX_HINTS.
    """
    kind_seed, side_seed, place_seed = (
        tf.random.experimental.stateless_fold_in(seed, part)
        for part in range(3))
    is_hinted, is_full, number = tf.unstack(
        tf.random.stateless_uniform([3], kind_seed))
    # The number's distribution is geometric: P(n) = p (1 - p)^(n - 1).
    tail = tf.math.log1p(-1.0 / MEAN_HINTS)
    num_hints = 1 + tf.cast(tf.math.log1p(-number) / tail, tf.int32)
    num_hints = tf.where(is_hinted < _HINTED_SHARE, num_hints, 0)
    side = tf.random.stateless_uniform(
        [MAX_HINTS], side_seed, 1, MAX_SIDE + 1, tf.int32)
    corner = size * (0.5 + _DEVIATION * tf.random.stateless_normal(
        [MAX_HINTS, 2], place_seed))
    corner = tf.clip_by_value(
        tf.cast(corner, tf.int32) - side[:, tf.newaxis] // 2, 0,
        size - side[:, tf.newaxis])
    side = tf.where(tf.range(MAX_HINTS) < num_hints, side, 0)
    return Places(tf.concat([corner, side[:, tf.newaxis]], axis=1),
                  is_full < _FULL_SHARE)


def reveal(target: tf.Tensor, places: Places) -> tf.Tensor:
    """Makes the maps of hints that show a target at some places.

    Args:
      target: float32 [N, M, M, D], reduced to the map's size.
      places: of each photograph; squares int32 [N, K, 3], is_full bool [N].

    Returns:
      float32 [N, M, M, D + 1]: the mean target of each square, then 1; zeros
      outside of them. Where squares overlap, their mean.
    """
    size, channels = target.shape[1], target.shape[-1]
    pixel, inside = _pixels(places.squares, size)
    values = tf.gather(tf.reshape(target, [-1, channels]), pixel)
    area = tf.maximum(tf.reduce_sum(inside, [2, 3]), 1.0)
    means = tf.reduce_sum(values * inside, [2, 3]) / area
    everything = tf.concat([target, tf.ones_like(target[..., :1])], axis=-1)
    return tf.where(places.is_full[:, tf.newaxis, tf.newaxis, tf.newaxis],
                    everything, draw_map(means, places.squares, size))


def draw_map(colors: tf.Tensor, squares: tf.Tensor, size: int) -> tf.Tensor:
    """Draws squares of colors.

    Args:
      colors: float32 [N, K, D].
      squares: int32 [N, K, 3], as Places has them. What is outside of the map
        is left out.
      size: the map's side M, pixels.

    Returns:
      float32 [N, M, M, D + 1], as reveal.
    """
    num, channels = tf.shape(colors)[0], colors.shape[-1]
    pixel, inside = _pixels(squares, size)
    colors = colors[:, :, tf.newaxis, tf.newaxis] * inside
    sums = tf.scatter_nd(
        tf.reshape(pixel, [-1, 1]),
        tf.reshape(tf.concat([colors, inside], -1), [-1, channels + 1]),
        [num * size * size, channels + 1])
    sums = tf.reshape(sums, [num, size, size, channels + 1])
    return sums / tf.maximum(sums[..., -1:], 1.0)


def _pixels(squares, size):
    """Finds the pixels of squares in a batch of maps.

    Returns:
      int32 [N, K, 5, 5], places in all maps laid out one after the other, and
      float32 [N, K, 5, 5, 1], 1 for those that belong to the square.
    """
    top, left, side = (squares[..., axis, tf.newaxis] for axis in range(3))
    offset = tf.range(MAX_SIDE)

    def along(first):
        place = first + offset
        inside = (offset < side) & (place >= 0) & (place < size)
        return (tf.clip_by_value(place, 0, size - 1),
                tf.cast(inside, tf.float32))

    (y, inside_y), (x, inside_x) = along(top), along(left)
    number = tf.range(tf.shape(squares)[0])[:, tf.newaxis, tf.newaxis,
                                            tf.newaxis]
    pixel = ((number * size + y[..., :, tf.newaxis]) * size
             + x[..., tf.newaxis, :])
    inside = inside_y[..., :, tf.newaxis] * inside_x[..., tf.newaxis, :]
    return pixel, inside[..., tf.newaxis]
