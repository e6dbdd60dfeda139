"""Photographs in records: serialized tf.train.Examples, each read by index.

The feature with the image is parsed in TensorFlow ops. It is an encoded image,
or undecoded pixels in TensorFlow Datasets' form,
tfds.features.Tensor(shape=(None, None, 3), dtype=uint8, encoding="bytes"):

    KEY/value    the pixels, three bytes each, row by row from the upper left
    KEY/shape    height, width, 3
"""

from typing import Callable, NamedTuple, Sequence

import tensorflow as tf

from data_pipelines import decode_file
from data_pipelines.sources import source


class Records(NamedTuple):
    """The records of a split.

    Attributes:
      read: index -> a serialized tf.train.Example; any thread may call it.
      num_records: number of records.
      image_key: the feature of the example that contains the image.
      holds_pixels: whether that is undecoded pixels, not an encoded image.
      others: other features of the example that contain an image.
    """

    read: Callable[[int], bytes]
    num_records: int
    image_key: str
    holds_pixels: bool = False
    others: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """Names the feature that is read, and the others."""
        return f"the images are those of the feature {self.image_key}" + (
            f", not of {', '.join(self.others)}" if self.others else "")


def from_records(records: Records, *, identities: Sequence[str],
                 origin: str) -> source.Source:
    """Makes a source of the images in records.

    Args:
      records: the records.
      identities: one name per record.
      origin: the flag and data spec, for messages.
    """
    def read(index):
        try:
            return records.read(index)
        except Exception as error:  # each format has its own
            raise tf.errors.DataLossError(
                None, None, f"record {index}: {error}") from error

    def load(index):
        record = tf.ensure_shape(tf.numpy_function(
            read, [index], tf.string, stateful=False), [])
        if records.holds_pixels:
            return _pixels(record, records.image_key, index)
        return decode_file.decode_file(tf.io.parse_single_example(record, {
            records.image_key: tf.io.FixedLenFeature([], tf.string),
        })[records.image_key])

    return source.Source(origin=origin, identities=identities, load=load,
                         remark=f"{origin}: {records.remark}")


def _pixels(record: tf.Tensor, key: str, index: tf.Tensor) -> tf.Tensor:
    """Parses string [] to uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: the record is damaged.
    """
    example = tf.io.parse_single_example(record, {
        f"{key}/value": tf.io.FixedLenFeature([], tf.string),
        f"{key}/shape": tf.io.FixedLenFeature([3], tf.int64)})
    value, shape = example[f"{key}/value"], example[f"{key}/shape"]
    num_bytes = tf.strings.length(value)
    # Sides above the number of bytes are refused first: the product of large
    # ones could overflow to the right number.
    fits = (tf.reduce_all((0 < shape) & (shape <= tf.cast(num_bytes, tf.int64)))
            & (shape[2] == 3) & (num_bytes % 3 == 0)
            & (shape[0] * shape[1] == tf.cast(num_bytes // 3, tf.int64)))
    with tf.control_dependencies([tf.raw_ops.Assert(
            condition=fits, data=[tf.strings.format(
                "record {} is damaged: {} bytes of pixels are not of shape {}",
                (index, num_bytes, shape))])]):
        rgb = tf.reshape(tf.io.decode_raw(value, tf.uint8), shape)
    return tf.ensure_shape(rgb, [None, None, 3])
