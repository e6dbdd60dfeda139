"""A person's color hints: how they spread, and how they are kept.

A hint is (y, x, a*, b*): its place, in 0..1 of the photograph's height and
width, and its color in native units. Rows of NaN are padding.

The generator's colors differ from the hints'. spread takes that difference to
what is alike: near, of the same lightness, and of the same predicted color. It
is the mean of a Gaussian process (Rasmussen and Williams 2006, section 2.2)
whose kernel has a wide and a narrow part, so many hints count no more than they
say. settle then adds what is still missing at the hints' places, so that what
was asked for is what is seen. Its addition fades with the distance from the
hint and with the difference in lightness, as in the bilateral filter (Tomasi
and Manduchi 1998). All hints are solved for together, so that none disturbs
another.
"""

from typing import Any

import tensorflow as tf

from data_pipelines import augment, color
from pix2pix_color.saved_model.recolor import ChromaField, cubic_taps

# The kernel of spread: each part's share, and deviations in longer sides of the
# photograph, in L*/50 and in units of a*b*. Chosen on photographs with 1, 10
# and 100 hints: a wider kernel gives 0.1 dB more, and leaks into backgrounds.
_KERNEL = ((0.6, 1.0, 0.6, 15.0), (0.4, 0.15, 0.24, 12.0))
# Variance of a hint's color, where the kernel's is 1.
_NOISE = 0.03
# How far an addition of settle reaches: sides of the photograph, and L*/50.
_DISTANCE, _LIGHTNESS = 0.08, 0.15
# Keeps hints at one place solvable: they get the mean of their colors.
_RIDGE = 1e-4


def is_hint(given: tf.Tensor) -> tf.Tensor:
    """Tells which rows, float32 [K, 4], are hints: bool [K]."""
    return tf.reduce_all(tf.math.is_finite(given), axis=-1)


def add_hints(field: ChromaField, given: tf.Tensor,
              rgb: tf.Tensor) -> ChromaField:
    """Makes a prediction follow hints.

    Args:
      field: the prediction, of height h and width w.
      given: float32 [K, 4], hints.
      rgb: uint8 [H, W, 3], the photograph.

    Returns:
      A field of the same size.
    """
    lightness = color.scale_lightness(color.rgb_to_lab(augment.resize(
        rgb, tf.shape(field.slope)[:2]))[..., :1])
    return settle(spread(field, lightness, given), lightness, given, rgb)


@tf.function(autograph=False, input_signature=[
    tf.TensorSpec([None, None, 2], tf.float32),
    tf.TensorSpec([None, None, 2], tf.float32),
    tf.TensorSpec([None, 4], tf.float32),
    tf.TensorSpec([None, None, 3], tf.uint8)])
def add_hints_of_arrays(slope, intercept, given, rgb):
    """Does what add_hints does, compiled once for all sizes."""
    return tuple(add_hints(ChromaField(slope, intercept), given, rgb))


def spread(field: ChromaField, lightness: tf.Tensor,
           given: tf.Tensor) -> ChromaField:
    """Spreads the hints' difference to predicted colors over what is alike.

    Args:
      field: the prediction, of height h and width w.
      lightness: float32 [h, w, 1], L*/50 - 1.
      given: float32 [K, 4], hints.

    Returns:
      A field of the same size.
    """
    exists = tf.cast(is_hint(given), tf.float32)[:, tf.newaxis]
    given = tf.where(exists > 0, given, 0.0)
    shape = tf.shape(lightness)[:2]
    ab = field.slope * lightness + field.intercept
    pixel = _pixel(given, shape)
    longer = tf.cast(tf.reduce_max(shape), tf.float32)
    own = tf.gather_nd(_describe(lightness, ab, longer), pixel)
    kernel = _kernel(own, own) * exists * tf.transpose(exists)
    missing = (given[:, 2:] - tf.gather_nd(ab, pixel)) * exists
    shares = exists * tf.linalg.solve(
        kernel + _NOISE * tf.eye(tf.shape(own)[0]), missing)
    added = tf.map_fn(  # for all pixels at once it would fill the memory
        lambda row: tf.matmul(_kernel(row, own), shares),
        _describe(lightness, ab, longer))
    return ChromaField(field.slope, field.intercept + added)


def _describe(lightness, ab, longer):
    """Returns what spread compares of each pixel, float32 [h, w, 5]."""
    y, x = tf.meshgrid(*(
        (tf.range(tf.cast(side, tf.float32)) + 0.5) / longer
        for side in tf.unstack(tf.shape(lightness)[:2])), indexing="ij")
    return tf.concat([y[..., tf.newaxis], x[..., tf.newaxis], lightness, ab],
                     -1)


def _kernel(one: tf.Tensor, other: tf.Tensor) -> Any:
    """Returns how alike pixels [N, 5] and [K, 5] are, float32 [N, K], 0 to 1.
    """
    def apart(first, last):
        return sum(tf.square(one[:, axis, tf.newaxis] - other[:, axis])
                   for axis in range(first, last))

    place, light, color_apart = apart(0, 2), apart(2, 3), apart(3, 5)
    return sum(share * tf.exp(-0.5 * (
        place / sides**2 + light / light_deviation**2
        + color_apart / units**2))
        for share, sides, light_deviation, units in _KERNEL)


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
