"""A person's color hints: how the generator sees them, and how they are kept.

A hint is (y, x, a*, b*): its place, in 0..1 of the photograph's height and
width, and its color in native units. Rows of NaN are padding.

The generator spreads hints over what they belong to. settle then adds what is
still missing at their places, so that what was asked for is what is seen. The
addition fades with the distance from the hint and with the difference in
lightness, as in the bilateral filter (Tomasi and Manduchi 1998), and is solved
for all hints together, so that none disturbs another.
"""

import tensorflow as tf

from data_pipelines import color, hints

# Side of the square that the generator sees, in pixels of its map.
_SIDE = 3
# How far an addition reaches: sides of the photograph, and units of L*/50.
_DISTANCE, _LIGHTNESS = 0.08, 0.15
# Keeps hints at one place solvable: they get the mean of their colors.
_RIDGE = 1e-3


def is_hint(given: tf.Tensor) -> tf.Tensor:
    """Tells which rows, float32 [K, 4], are hints: bool [K]."""
    return tf.reduce_all(tf.math.is_finite(given), axis=-1)


def draw_tile(given: tf.Tensor, shape: tf.Tensor, first: tf.Tensor,
              size: int) -> tf.Tensor:
    """Draws the map of hints for one of the generator's squares.

    Args:
      given: float32 [K, 4], hints.
      shape: int32 [2], height and width of the reduced photograph, pixels.
      first: int32 [2], the square's upper left corner in it.
      size: int or int32 [], the square's side.

    Returns:
      float32 [1, size/2, size/2, 3], as data_pipelines.hints makes them.
    """
    exists = is_hint(given)
    given = tf.where(exists[:, tf.newaxis], given, 0.0)
    place = given[:, :2] * tf.cast(shape, tf.float32) - tf.cast(
        first, tf.float32)
    corner = tf.cast(tf.floor(place / 2.0), tf.int32) - _SIDE // 2
    side = tf.where(exists, _SIDE, 0)[:, tf.newaxis]
    return hints.draw_map(
        given[tf.newaxis, :, 2:] / color.AB_SCALE,
        tf.concat([corner, side], axis=-1)[tf.newaxis], size // 2)


def settle(ab: tf.Tensor, lightness: tf.Tensor,
           given: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes predicted colors equal the hints at their places.

    Args:
      ab: float32 [H, W, 2], native units.
      lightness: float32 [H, W, 1], L*/50 - 1.
      given: float32 [K, 4], hints.

    Returns:
      float32 [H, W, 2], the colors, and float32 [H, W, 1], 0..1, how much
      each pixel belongs to a hint.
    """
    exists = tf.cast(is_hint(given), tf.float32)[:, tf.newaxis]
    given = tf.where(exists > 0, given, 0.0)
    shape = tf.shape(ab)[:2]
    pixel = tf.clip_by_value(
        tf.cast(tf.floor(given[:, :2] * tf.cast(shape, tf.float32)), tf.int32),
        0, shape - 1)
    reach = _DISTANCE * tf.cast(tf.reduce_max(shape), tf.float32)

    def features(place, light):
        return tf.concat([tf.cast(place, tf.float32) / reach,
                          light / _LIGHTNESS], axis=-1)

    own = features(pixel, tf.gather_nd(lightness, pixel))

    def likeness(others):
        distance = tf.reduce_sum(tf.square(
            others[:, tf.newaxis] - own), axis=-1)
        return tf.exp(-0.5 * distance) * exists[:, 0]

    among = likeness(own) * exists + _RIDGE * tf.eye(tf.shape(own)[0])
    missing = (given[:, 2:] - tf.gather_nd(ab, pixel)) * exists
    shares = tf.linalg.solve(among, missing)

    def settle_row(row_and_number):
        row, light, number = row_and_number
        place = tf.stack([tf.fill([shape[1]], number), tf.range(shape[1])], -1)
        alike = likeness(features(place, light))
        return (row + tf.matmul(alike, shares),
                tf.reduce_max(alike, axis=-1, keepdims=True))

    return tf.map_fn(  # a row at a time: the weights of all would fill memory
        settle_row, (ab, lightness, tf.range(shape[0])),
        fn_output_signature=(tf.TensorSpec([None, 2], tf.float32),
                             tf.TensorSpec([None, 1], tf.float32)))
