"""Fused batch and instance normalization against Keras's own."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.batch_norm import FusedBatchNormalization
from pix2pix_color.fast_keras.instance_norm import InstanceNormalization

SHAPE = (3, 4, 6, 5)
BATCH = dict(momentum=0.9)
PAIRS: dict[str, Any] = {
    "batch": ((FusedBatchNormalization, BATCH),
              (keras.layers.BatchNormalization, BATCH)),
    "instance": ((InstanceNormalization, {}),
                 (keras.layers.GroupNormalization, dict(groups=-1))),
}


def make(kind, options, dtype="float32"):
    layer = kind(epsilon=1e-5, dtype=dtype, **options)
    layer.build(SHAPE)
    layer.gamma.assign([0.5, 1.0, 1.5, -1.0, 2.0])
    layer.beta.assign([0.0, 1.0, -1.0, 0.5, 3.0])
    return layer


def pictures(seed=0):
    """Every channel of every picture has its own statistics."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0.0, 3.0, (3, 1, 1, 5))
    return tf.constant(rng.normal(means, 2.0, SHAPE), tf.float32)


@pytest.mark.parametrize("norm", PAIRS)
@pytest.mark.parametrize("dtype, tolerance", [
    ("float32", 5e-6), ("mixed_bfloat16", 2e-2)])
def test_outputs_and_gradients_are_those_of_keras(norm, dtype, tolerance):
    def outputs_and_gradients(pair):
        layer, x = make(pair[0], pair[1], dtype=dtype), pictures()
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_mean(tf.cast(y, tf.float32)**3)
        assert y.dtype == layer.compute_dtype
        return [tf.cast(y, tf.float32),
                *tape.gradient(loss, [x, layer.gamma, layer.beta])]

    for value, expected in zip(*map(outputs_and_gradients, PAIRS[norm])):
        np.testing.assert_allclose(
            value, expected, rtol=tolerance,
            atol=tolerance * float(tf.reduce_max(tf.abs(expected))))


def test_averages_are_of_the_mean_and_the_unbiased_variance():
    layer = make(FusedBatchNormalization, BATCH)
    mean, variance = np.zeros(5), np.ones(5)
    for seed in range(2):
        layer(pictures(seed), training=True)
        x = pictures(seed).numpy().reshape(-1, 5)
        mean = 0.9 * mean + 0.1 * x.mean(axis=0)
        variance = 0.9 * variance + 0.1 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [
    ("float32", 1e-5), ("mixed_bfloat16", 3e-2)])
def test_batch_norm_s_inference_is_that_of_keras(dtype, tolerance):
    ours, theirs = (make(pair[0], pair[1], dtype=dtype) for pair in
                    PAIRS["batch"])
    ours(pictures(), training=True)
    theirs.set_weights(ours.get_weights())
    assert ours(pictures()).dtype == theirs(pictures()).dtype
    np.testing.assert_allclose(
        tf.cast(ours(pictures()), tf.float32),
        tf.cast(theirs(pictures()), tf.float32), rtol=tolerance,
        atol=tolerance)


def test_batch_norm_of_one_pixel_gives_the_offset_and_stays_finite():
    layer = make(FusedBatchNormalization, BATCH)
    y = layer(tf.fill([1, 1, 1, 5], 7.0), training=True)
    np.testing.assert_allclose(y[0, 0, 0], layer.beta)
    assert np.isfinite(layer.moving_variance).all()


def test_instance_norm_normalizes_each_channel_of_each_picture():
    x, layer = pictures().numpy(), make(InstanceNormalization, {})
    axes = dict(axis=(1, 2), keepdims=True)
    expected = (x - x.mean(**axes)) / np.sqrt(x.var(**axes) + 1e-5)
    expected = expected * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    np.testing.assert_allclose(layer(x[1:2])[0], expected[1], atol=1e-5)


def test_instance_norm_of_any_batch_size_is_compiled_once():
    layer, x = make(InstanceNormalization, {}), pictures()
    compiled = tf.function(
        layer, input_signature=[tf.TensorSpec([None, *SHAPE[1:]], tf.float32)])
    assert compiled.get_concrete_function().outputs[0].shape[1:] == SHAPE[1:]
    for size in (1, 3):
        np.testing.assert_allclose(compiled(x[:size]), layer(x[:size]),
                                   atol=1e-6)


def test_instance_norm_refuses_a_single_pixel():
    layer = InstanceNormalization(epsilon=1e-5, name="innermost")
    with pytest.raises(ValueError, match="innermost would normalize a single"):
        layer.build((None, 1, 1, 8))
