"""A file's bytes -> uint8 RGB [H, W, 3], as sRGB and upright, for tf.data.

Python looks at the file's header. TensorFlow decodes JPEG, PNG and BMP where it
sees what Pillow sees, which is nearly always and quicker. The others (embedded
profiles that are not sRGB's, CMYK, other formats) go to photo_file.py. So
training sees the picture that `prepare` and `colorize` see.

The graph has few operations: TensorFlow visits those of a branch that is not
taken, too, and a JPEG of 640 x 480 takes less than a millisecond.
"""

import io

import numpy as np
import tensorflow as tf

from data_pipelines import color_profile, image_header, photo_file
from data_pipelines.command import MAX_PIXELS

# Who decodes a file: tf.io.decode_jpeg, tf.io.decode_image, or photo_file.py.
_JPEG, _IMAGE, _PHOTO_FILE = range(3)
_TENSORFLOWS = {"JPEG": _JPEG, "PNG": _IMAGE, "BMP": _IMAGE}


def decode_file(image_bytes: tf.Tensor) -> tf.Tensor:
    """Decodes one photograph; not for a SavedModel, since it calls Python.

    Args:
      image_bytes: string [], a file of a format that photo_file.py reads.

    Returns:
      uint8 [H, W, 3], sRGB, upright.

    Raises:
      tf.errors.InvalidArgumentError: it cannot be read; the message says why.
    """
    plan = tf.ensure_shape(tf.numpy_function(
        _plan, [image_bytes], tf.int64, stateful=False), [2])
    decoder, orientation = plan[0], plan[1]
    rgb = tf.cond(
        tf.equal(decoder, _JPEG),
        lambda: tf.io.decode_jpeg(image_bytes, channels=3),
        lambda: tf.cond(
            tf.equal(decoder, _IMAGE),
            lambda: tf.io.decode_image(
                image_bytes, channels=3, expand_animations=False),
            lambda: _read(image_bytes)))
    return tf.ensure_shape(tf.cond(
        tf.equal(orientation, image_header.UPRIGHT), lambda: rgb,
        lambda: tf.numpy_function(
            _turn, [rgb, orientation], tf.uint8, stateful=False)),
        [None, None, 3])


def _plan(image_bytes):
    """Returns who decodes a file and how it is turned then, int64 [2]."""
    image_bytes = _as_bytes(image_bytes)
    header = image_header.read_header(image_bytes)
    decoder = _PHOTO_FILE
    if header.is_plain and 0 < header.num_pixels <= MAX_PIXELS and not (
            header.icc_profile and color_profile.find_transform(
                header.icc_profile, header.mode)):
        decoder = _TENSORFLOWS.get(header.file_format, _PHOTO_FILE)
    if decoder == _PHOTO_FILE:  # which turns it
        return np.array((decoder, image_header.UPRIGHT), np.int64)
    return np.array((decoder, image_header.read_orientation(
        image_bytes[slice(*header.exif)])), np.int64)


def _read(image_bytes):
    def read(content):
        try:
            rgb = photo_file.read_rgb(io.BytesIO(_as_bytes(content)))
        except photo_file.Rejected as rejected:
            return np.zeros([0, 0, 3], np.uint8), rejected.detail.encode()
        return np.asarray(rgb), b""

    rgb, detail = tf.numpy_function(
        read, [image_bytes], [tf.uint8, tf.string], stateful=False)
    with tf.control_dependencies([tf.raw_ops.Assert(
            condition=tf.equal(detail, b""), data=[detail])]):
        return tf.ensure_shape(tf.identity(rgb), [None, None, 3])


def _turn(rgb, orientation):
    """Turns a picture upright (EXIF 2.32, 4.6.4 A)."""
    if orientation >= 5:
        rgb = rgb.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    return np.ascontiguousarray(rgb)


def _as_bytes(image_bytes):
    """An array of one element comes from TensorFlow outside a graph."""
    return (image_bytes.item() if isinstance(image_bytes, np.ndarray)
            else image_bytes)
