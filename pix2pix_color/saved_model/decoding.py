"""Encoded bytes of a request -> RGB, or an error that tells which they are."""

from typing import Callable

import tensorflow as tf

from data_pipelines import decode


def decode_request(image_bytes: tf.Tensor, index: tf.Tensor, *,
                   max_pixels: int) -> tf.Tensor:
    """Decodes one of a request's images.

    Args:
      image_bytes: string [].
      index: int32 [], its place in the request, for messages.
      max_pixels: height times width of the largest image that is decoded.

    Returns:
      uint8 [H, W, 3], upright.

    Raises:
      tf.errors.InvalidArgumentError: it is no image that can be read, or has
        more than max_pixels, which is found before it is decoded.
    """
    size = _attempt(decode.read_size, image_bytes, tf.zeros([2], tf.int64))
    image_bytes = _require(
        tf.reduce_all(size > 0), image_bytes, index, "no image of a format "
        f"that is read: {decode.FORMATS}")
    image_bytes = _require(
        tf.reduce_prod(size) <= max_pixels, image_bytes, index,
        "{} x {} pixels, more than --max_pixels={} allowed", size[1], size[0],
        max_pixels)
    rgb = _attempt(
        lambda encoded: decode.decode_rgb(encoded, max_pixels=max_pixels),
        image_bytes, tf.zeros([0, 0, 3], tf.uint8))
    return _require(tf.size(rgb) > 0, rgb, index,
                    "the image is truncated, damaged or of an unusual kind")


def _attempt(function: Callable[[tf.Tensor], tf.Tensor], argument: tf.Tensor,
             otherwise: tf.Tensor) -> tf.Tensor:
    """Returns function(argument), or else, where that raises, `otherwise`.

    A tf.data pipeline is the one place of a graph where errors are caught.
    """
    results = tf.data.Dataset.from_tensors(argument).map(
        tf.autograph.experimental.do_not_convert(function))
    results = results.ignore_errors().concatenate(
        tf.data.Dataset.from_tensors(otherwise))
    return results.take(1).get_single_element()


def _require(condition, value, index, otherwise, *details):
    """The same value, once the condition holds; an error where it does not."""
    message = tf.strings.format("image_bytes[{}]: " + otherwise,
                                (index, *details))
    with tf.control_dependencies(
            [tf.raw_ops.Assert(condition=condition, data=[message])]):
        return tf.identity(value)
