"""Small training streams for tests, and their order."""

import numpy as np
import tensorflow as tf

from data_pipelines import color, pipeline
from data_pipelines.sources import Source

# Leaves the bytes as they are, which is faster than Lab.
BYTES = color.ColorSpace(
    name="bytes", condition_channels=1, target_channels=2,
    encode=lambda rgb: tuple(tf.split(tf.cast(rgb, tf.float32), [1, 2], -1)),
    decode=lambda *channels: tf.cast(tf.concat(channels, -1), tf.uint8),
    decode_floats=lambda *channels: tf.concat(channels, -1),
    ab_of=lambda target: target)


def noise(index):
    """Returns a different picture for each index, uint8 [20, 24, 3]."""
    return tf.cast(tf.random.stateless_uniform(
        [20, 24, 3], tf.stack([0, tf.cast(index, tf.int32)]), 0, 256,
        tf.int32), tf.uint8)


def noise_source(num_examples, load=noise):
    return Source(origin="--data=noise",
                  identities=[str(index) for index in range(num_examples)],
                  load=load)


def training_batches(source, *, color_space=BYTES, batch_size=4, worker=0,
                     num_workers=1, seed=0, first_ordinal=0, image_size=8,
                     **options):
    return pipeline.training_batches(
        source, color_space=color_space, image_size=image_size, **options,
        resize_size=image_size + 1, seed=seed, first_ordinal=first_ordinal,
        part=pipeline.WorkerShard(batch_size, worker, num_workers))


def example_indices(ordinals, *, num_examples, seed=0):
    dataset = tf.data.Dataset.from_tensor_slices(
        np.asarray(ordinals, np.int64)).map(
            lambda ordinal: pipeline.example_index(
                ordinal, num_examples=num_examples, seed=seed))
    return [int(index) for index in dataset.as_numpy_iterator()]


def assert_same_batches(actual, expected):
    actual, expected = list(actual), list(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected):
        for tensor, reference in zip(one, other):
            np.testing.assert_array_equal(tensor, reference)
