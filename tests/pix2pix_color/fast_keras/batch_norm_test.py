"""Fused batch normalization against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.batch_norm import FusedBatchNormalization

SHAPE = (4, 8, 8, 5)


def make(kind, dtype):
    layer = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
    layer.build(SHAPE)
    layer.gamma.assign([0.5, 1.0, 1.5, -1.0, 2.0])
    layer.beta.assign([0.0, 1.0, -1.0, 0.5, 3.0])
    return layer


def pictures(seed=0):
    return tf.constant(np.random.default_rng(seed).normal(
        2.0, 3.0, SHAPE).astype(np.float32))


def outputs_and_gradients(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(layer(x, training=True), tf.float32)
        loss = tf.reduce_mean(y**3)
    return [y, *tape.gradient(loss, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("dtype, tolerance", [
    ("float32", 2e-6), ("mixed_bfloat16", 2e-2)])
def test_training_and_gradients_are_those_of_keras(dtype, tolerance):
    layers = [make(kind, dtype) for kind in (
        FusedBatchNormalization, keras.layers.BatchNormalization)]
    for ours, theirs in zip(*(outputs_and_gradients(layer, pictures())
                              for layer in layers)):
        np.testing.assert_allclose(
            ours, theirs, rtol=tolerance,
            atol=tolerance * float(tf.reduce_max(tf.abs(theirs))))


def test_averages_are_of_the_mean_and_the_unbiased_variance():
    layer = make(FusedBatchNormalization, "float32")
    for seed in range(2):
        layer(pictures(seed), training=True)
    mean, variance = np.zeros(5), np.ones(5)
    for seed in range(2):
        x = pictures(seed).numpy().reshape(-1, 5)
        mean = 0.9 * mean + 0.1 * x.mean(axis=0)
        variance = 0.9 * variance + 0.1 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [
    ("float32", 1e-5), ("mixed_bfloat16", 3e-2)])
def test_inference_is_that_of_keras_with_the_same_weights(dtype, tolerance):
    ours = make(FusedBatchNormalization, dtype)
    theirs = make(keras.layers.BatchNormalization, dtype)
    ours(pictures(), training=True)
    theirs.set_weights(ours.get_weights())
    assert ours(pictures()).dtype == theirs(pictures()).dtype
    np.testing.assert_allclose(
        tf.cast(ours(pictures()), tf.float32),
        tf.cast(theirs(pictures()), tf.float32), rtol=tolerance,
        atol=tolerance)


def test_one_picture_of_one_pixel_gives_the_offset_and_stays_finite():
    layer = make(FusedBatchNormalization, "float32")
    y = layer(tf.fill([1, 1, 1, 5], 7.0), training=True)
    np.testing.assert_allclose(y[0, 0, 0], layer.beta)
    assert np.isfinite(layer.moving_variance).all()
