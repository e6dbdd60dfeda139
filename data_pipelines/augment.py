"""From a photograph of any size to a square of the network's: uint8 to uint8.

Training takes pix2pix's jitter (Isola et al. 2017, 6.2): resize, random crop,
mirror. Crop and resize change places here, which is the same picture with one
interpolation and less work: the random square is cut from the photograph in
its own resolution, then resized once, with antialiasing. Evaluation takes the
centre square.

Everything is stateless: the same seed gives the same picture, in any process
and whatever runs beside it.
"""

import tensorflow as tf


def jitter(rgb: tf.Tensor, *, image_size: int, resize_size: int,
           seed: tf.Tensor) -> tf.Tensor:
    """Random square crop, resize and mirror.

    Equals resizing the shorter side to resize_size and cropping a random
    square of image_size, for any aspect ratio.

    Args:
      rgb: uint8 [H, W, 3].
      image_size: side of the square that comes out, pixels.
      resize_size: what the shorter side is resized to before the crop, pixels;
        at least image_size. Equal to it, only the longer side is jittered.
      seed: int64 [2].

    Returns:
      uint8 [image_size, image_size, 3].
    """
    size = tf.shape(rgb)[:2]
    shorter = tf.cast(tf.reduce_min(size), tf.float32)
    side = tf.cast(tf.round(shorter * image_size / resize_size), tf.int32)
    side = tf.maximum(side, 1)
    random = tf.random.stateless_uniform([3], seed)
    room = tf.cast(size - side + 1, tf.float32)
    offset = tf.cast(random[:2] * room, tf.int32)
    rgb = _crop_and_resize(rgb, offset, side, image_size)
    return tf.cond(random[2] < 0.5, lambda: tf.reverse(rgb, [1]), lambda: rgb)


def centre_square(rgb: tf.Tensor, *, image_size: int) -> tf.Tensor:
    """The largest centred square, resized: the evaluation protocol's view.

    Args:
      rgb: uint8 [H, W, 3].
      image_size: side of the square that comes out, pixels.

    Returns:
      uint8 [image_size, image_size, 3].
    """
    size = tf.shape(rgb)[:2]
    side = tf.reduce_min(size)
    return _crop_and_resize(rgb, (size - side) // 2, side, image_size)


def _crop_and_resize(rgb, offset, side, image_size):
    rgb = rgb[offset[0]:offset[0] + side, offset[1]:offset[1] + side]
    # Pixels at the photograph's own resolution stay as they are.
    resized = tf.image.resize(rgb, [image_size, image_size], antialias=True)
    resized = tf.clip_by_value(tf.round(resized), 0.0, 255.0)
    return tf.cast(resized, tf.uint8)
