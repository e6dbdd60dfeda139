"""A person's color hints: how the generator sees them, and how they are kept.

A hint is (y, x, a*, b*): its place, in 0..1 of the photograph's height and
width, and its color in native units. Rows of NaN are padding.

The generator spreads hints over what they belong to. settle then adds what is
still missing at their places, so that what was asked for is what is seen. The
addition fades with the distance from the hint and with the difference in
lightness, as in the bilateral filter (Tomasi and Manduchi 1998). The additions
are solved for all hints together, so that none disturbs another.
"""

import tensorflow as tf

from data_pipelines import color, hints
from pix2pix_color.saved_model.recolor import ChromaField, cubic_taps

# Side of the square that the generator sees, in pixels of its map.
_SIDE = 3
# How far an addition reaches: sides of the photograph, and units of L*/50.
_DISTANCE, _LIGHTNESS = 0.08, 0.15
# Keeps hints at one place solvable: they get the mean of their colors.
_RIDGE = 1e-4


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


def settle(field: ChromaField, lightness: tf.Tensor, given: tf.Tensor,
           rgb: tf.Tensor) -> ChromaField:
    """Makes predicted colors equal the hints at their places.

    Args:
      field: the prediction, of height h and width w.
      lightness: float32 [h, w, 1], L*/50 - 1.
      given: float32 [K, 4], hints.
      rgb: uint8 [H, W, 3], the photograph itself, in which the hints' colors
        are to be seen.

    Returns:
      A field of the same size.
    """
    exists = tf.cast(is_hint(given), tf.float32)[:, tf.newaxis]
    given = tf.where(exists > 0, given, 0.0)
    shape, full = tf.shape(lightness)[:2], tf.shape(rgb)[:2]
    place = given[:, :2] * tf.cast(shape, tf.float32)
    own_light = color.scale_lightness(color.rgb_to_lab(tf.gather_nd(
        rgb, _pixel(given, full))[:, tf.newaxis])[:, 0, :1])
    own = tf.concat([place, own_light / _LIGHTNESS], axis=-1)
    reach = _reach_of_each(place, exists, shape)

    def likeness(others):
        """Weights, [..., K], of the hints for (y, x, light), [..., 3]."""
        apart = others[..., tf.newaxis, :] - own
        distance = (tf.reduce_sum(tf.square(apart[..., :2]), -1)
                    / tf.square(reach) + tf.square(apart[..., 2]))
        return tf.exp(-0.5 * distance) * exists[:, 0]

    def pixels(y, x):
        """(y, x, light) of pixels of the field."""
        light = tf.gather_nd(lightness, tf.stack([y, x], -1)) / _LIGHTNESS
        return tf.concat([tf.cast(tf.stack([y, x], -1), tf.float32) + 0.5,
                          light], -1)

    y, x = tf.meshgrid(tf.range(shape[0]), tf.range(shape[1]), indexing="ij")
    alike = tf.map_fn(  # for all hints at once it would fill the memory
        lambda row: likeness(pixels(*row)), (y, x),
        fn_output_signature=tf.TensorSpec([None, None], tf.float32))
    # Close to a hint its color counts, whatever the lightness next to it.
    flat = field.slope * (1.0 - tf.reduce_max(
        tf.pad(alike, [[0, 0], [0, 0], [0, 1]]), axis=-1, keepdims=True))
    field = ChromaField(
        flat, field.intercept + (field.slope - flat) * lightness)

    # What is seen at a hint's place in the photograph is a sum over the pixels
    # of the field around it, and so is what each addition changes there.
    taps, shares = _pixels_around(given, full, shape)

    def seen(plane):
        return tf.reduce_sum(
            tf.gather_nd(plane, taps) * shares[..., tf.newaxis], axis=1)

    missing = given[:, 2:] - seen(field.slope) * own_light - seen(
        field.intercept)
    additions = tf.linalg.solve(
        seen(alike) * exists + _RIDGE * tf.eye(tf.shape(own)[0]),
        missing * exists)
    return ChromaField(field.slope, field.intercept
                       + tf.tensordot(alike, additions, 1))


def _pixel(given, shape):
    """Returns the pixels, int32 [K, 2], in which hints lie."""
    place = tf.cast(tf.floor(given[:, :2] * tf.cast(shape, tf.float32)),
                    tf.int32)
    return tf.clip_by_value(place, 0, shape - 1)


def _reach_of_each(place, exists, shape):
    """Returns how far each addition reaches, pixels: to other hints at most."""
    reach = _DISTANCE * tf.cast(tf.reduce_max(shape), tf.float32)
    apart = tf.norm(place[:, tf.newaxis] - place, axis=-1)
    others = (1.0 - tf.eye(tf.shape(place)[0])) * exists[:, 0]
    nearest = tf.reduce_min(tf.where(others > 0, apart, 1e9), axis=-1)
    return tf.clip_by_value(nearest / 2.0, 1.0, tf.maximum(reach, 1.0))


def _pixels_around(given, full, shape):
    """Finds the pixels of a field that a pixel of the photograph is made of.

    Returns:
      int32 [K, 16, 2] and their shares, float32 [K, 16], as recolor takes them.
    """
    pixel = _pixel(given, full)
    (y, share_y), (x, share_x) = (
        cubic_taps(pixel[:, axis], full[axis], shape[axis])
        for axis in range(2))
    taps = tf.stack([tf.repeat(y, 4, axis=0), tf.tile(x, [4, 1])], axis=-1)
    return (tf.transpose(taps, [1, 0, 2]),
            tf.transpose(tf.repeat(share_y, 4, axis=0)
                         * tf.tile(share_x, [4, 1])))
