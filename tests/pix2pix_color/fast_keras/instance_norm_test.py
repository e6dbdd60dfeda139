"""Instance normalization against Keras's groups of one channel."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.instance_norm import InstanceNormalization

SHAPE = (3, 4, 6, 5)


def make(kind, dtype="float32", **options):
    layer = kind(epsilon=1e-5, dtype=dtype, **options)
    layer.build(SHAPE)
    layer.gamma.assign([0.5, 1.0, 1.5, -1.0, 2.0])
    layer.beta.assign([0.0, 1.0, -1.0, 0.5, 3.0])
    return layer


def pictures():
    """Every channel of every picture with statistics of its own."""
    rng = np.random.default_rng(0)
    means = rng.normal(0.0, 3.0, (3, 1, 1, 5))
    return tf.constant(rng.normal(means, 2.0, SHAPE), tf.float32)


@pytest.mark.parametrize("dtype, tolerance", [
    ("float32", 5e-6), ("mixed_bfloat16", 2e-2)])
def test_outputs_and_gradients_are_those_of_keras(dtype, tolerance):
    def outputs_and_gradients(layer):
        x = pictures()
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_mean(tf.cast(y, tf.float32)**3)
        assert y.dtype == layer.compute_dtype
        return [tf.cast(y, tf.float32),
                *tape.gradient(loss, [x, layer.gamma, layer.beta])]

    ours = make(InstanceNormalization, dtype)
    theirs = make(keras.layers.GroupNormalization, dtype, groups=-1)
    for value, expected in zip(*map(outputs_and_gradients, (ours, theirs))):
        np.testing.assert_allclose(
            value, expected, rtol=tolerance,
            atol=tolerance * float(tf.reduce_max(tf.abs(expected))))


def test_each_channel_of_each_picture_is_normalized_by_itself():
    x = pictures().numpy()
    layer = make(InstanceNormalization)
    expected = np.empty_like(x)
    for index in np.ndindex(3, 5):
        channel = x[index[0], :, :, index[1]]
        expected[index[0], :, :, index[1]] = (
            (channel - channel.mean()) / np.sqrt(channel.var() + 1e-5)
            * layer.gamma.numpy()[index[1]] + layer.beta.numpy()[index[1]])
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    np.testing.assert_allclose(layer(x[1:2])[0], expected[1], atol=1e-5)


def test_a_batch_of_unknown_size_is_compiled_once():
    layer = make(InstanceNormalization)
    compiled = tf.function(
        layer, input_signature=[tf.TensorSpec([None, *SHAPE[1:]], tf.float32)])
    x = pictures()
    assert compiled.get_concrete_function().outputs[0].shape[1:] == SHAPE[1:]
    for size in (1, 3):
        np.testing.assert_allclose(compiled(x[:size]), layer(x[:size]),
                                   atol=1e-6)


def test_a_single_pixel_is_refused():
    layer = InstanceNormalization(epsilon=1e-5, name="innermost")
    with pytest.raises(ValueError, match="innermost would normalize a single"):
        layer.build((None, 1, 1, 8))
