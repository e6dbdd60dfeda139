"""Crops and resizes photographs to the network's square.

uint8 in, uint8 out, with any number of channels.

Training uses pix2pix's jitter (Isola et al. 2017, 6.2): resize, random crop,
mirror. Here the random square is cut first, at the photograph's own resolution,
and then resized once, with antialiasing. The picture is the same, for less
work. Evaluation uses the center square.

Everything is stateless: the same seed gives the same picture in any process.
"""

import tensorflow as tf

# Antialiasing takes three times as long. Training does without it below this
# reduction: from 258 to 256 px the difference is at most one level.
_ANTIALIASED_FROM = 1.25
# A photograph whose scale is this close to the right one (as a share) is not
# resized at all: at 288 px for 286, 256 px are cut instead of 258.
_SAME_SCALE = 0.02


def default_resize_size(image_size: int) -> int:
    """Returns pix2pix's shorter side before the crop: 286 px for 256."""
    return round(image_size * 286 / 256)


def jitter(photo: tf.Tensor, *, image_size: int, resize_size: int,
           max_resize_size: int = 0, min_detail: int = 0,
           seed: tf.Tensor) -> tf.Tensor:
    """Cuts a random square, resizes it, and mirrors it half of the time.

    Equals resizing the shorter side to resize_size and cropping a random
    square of image_size, for any aspect ratio. Within 2 % of that size a
    photograph is cropped as it is. With max_resize_size the size is drawn,
    uniformly in its logarithm, so that the crop shows more or less of the
    photograph (Szegedy et al. 2015, arXiv:1409.4842, section 6, without their
    distortion).

    Args:
      photo: uint8 [H, W, C].
      image_size: side of the returned square, pixels.
      resize_size: length of the shorter side before the crop, pixels; at least
        image_size. If it is equal, only the longer side is jittered.
      max_resize_size: upper limit of the drawn size, pixels; 0 always takes
        resize_size.
      min_detail: lower limit, in pixels, of a drawn side to which half of the
        crops are reduced first, so that they lose detail; 0 reduces none.
      seed: int64 [2].

    Returns:
      uint8 [image_size, image_size, C].
    """
    size = tf.shape(photo)[:2]
    shorter = tf.cast(tf.reduce_min(size), tf.float32)
    random = tf.random.stateless_uniform([4], seed)
    if max_resize_size:
        resize_size *= (max_resize_size / resize_size)**random[3]
    side = tf.cast(tf.round(shorter * image_size / resize_size), tf.int32)
    side = tf.maximum(side, 1)
    off_scale = tf.abs(shorter / resize_size - 1)
    # A photograph smaller than image_size cannot be cropped to it.
    fits = (off_scale <= _SAME_SCALE) & (tf.reduce_min(size) >= image_size)
    side = tf.where(fits, image_size, side)
    room = tf.cast(size - side + 1, tf.float32)
    offset = tf.cast(random[:2] * room, tf.int32)
    if min_detail:
        photo, offset, side = _with_less_detail(
            photo, offset, side, min_detail,
            tf.random.experimental.stateless_fold_in(seed, 2))
    photo = _crop_and_resize(photo, offset, side, image_size,
                             antialiased_from=_ANTIALIASED_FROM)
    return tf.cond(random[2] < 0.5, lambda: tf.reverse(photo, [1]),
                   lambda: photo)


def _with_less_detail(photo, offset, side, min_detail, seed):
    """Returns the crop, reduced or as it is, its offset and its side."""
    share = tf.random.stateless_uniform([2], seed)
    photo = photo[offset[0]:offset[0] + side, offset[1]:offset[1] + side]
    largest = tf.cast(tf.maximum(side, min_detail), tf.float32)
    # Uniform in the logarithm; below the side in half of the photographs.
    detail = min_detail * (largest / min_detail)**share[0]
    detail = tf.where(share[1] < 0.5, tf.cast(detail, tf.int32), side)
    photo = tf.cond(
        detail < side, lambda: resize(photo, [detail, detail]), lambda: photo)
    return photo, tf.zeros_like(offset), tf.minimum(detail, side)


def center_square(photo: tf.Tensor, *, image_size: int) -> tf.Tensor:
    """Cuts the largest centered square, as evaluation does, and resizes it.

    Args:
      photo: uint8 [H, W, C].
      image_size: side of the returned square, pixels.

    Returns:
      uint8 [image_size, image_size, C].
    """
    size = tf.shape(photo)[:2]
    side = tf.reduce_min(size)
    return _crop_and_resize(photo, (size - side) // 2, side, image_size,
                            antialiased_from=1.0)


def resize(photo: tf.Tensor, size: tf.Tensor, *,
           antialias: bool = True) -> tf.Tensor:
    """Resizes in uint8, the same for training and serving.

    Args:
      photo: uint8 [H, W, C].
      size: int32 [2], the new height and width.
      antialias: whether to filter out detail that the new size cannot hold.

    Returns:
      uint8 [size[0], size[1], C], rounded to nearest.
    """
    floats = tf.image.resize(photo, size, antialias=antialias)
    return tf.cast(tf.clip_by_value(tf.round(floats), 0.0, 255.0), tf.uint8)


def _crop_and_resize(photo, offset, side, image_size, *, antialiased_from):
    photo = photo[offset[0]:offset[0] + side, offset[1]:offset[1] + side]

    def resized(antialias):
        return lambda: resize(photo, [image_size, image_size],
                              antialias=antialias)

    # Photographs prepared at --resize_size are only cropped. Enlarging needs
    # no antialiasing.
    reduction = tf.cast(side, tf.float32) / image_size
    photo = tf.case([
        (tf.equal(side, image_size), lambda: photo),
        (reduction <= antialiased_from, resized(antialias=False)),
    ], default=resized(antialias=True))
    return tf.ensure_shape(photo, [image_size, image_size, None])
