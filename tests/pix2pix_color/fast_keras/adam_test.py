"""Fused Adam against Keras's own, alone and over 200 updates of pix2pix."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.config import Config, Data, Networks
from pix2pix_color.fast_keras import convolution
from pix2pix_color.fast_keras.adam import FusedAdam
from pix2pix_color.networks import layers
from pix2pix_color.training import train_state, train_step

OPTIONS = dict(beta_1=0.5, beta_2=0.999, epsilon=1e-8)


# XLA compiles the update of large variables with gradients in bfloat16.
@pytest.mark.parametrize("precision", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize("shape, num_steps", [((50, 3), 40), ((1024, 1024), 8)])
def test_weights_and_slots_are_those_of_keras(precision, shape, num_steps):
    noise = np.random.default_rng(0)
    first = noise.normal(size=shape).astype(np.float32)
    gradients = tf.cast(noise.normal(size=(num_steps, *shape)), precision)
    results = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variable, optimizer = keras.Variable(first), kind(0.01, **OPTIONS)
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply_gradients([(
                gradient if kind is FusedAdam else
                tf.cast(gradient, tf.float32), variable)])
        results.append([variable, *optimizer.variables])
    assert np.abs(results[0][0] - first).max() > 0.05
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)


def test_a_new_learning_rate_counts_at_once():
    variable, optimizer = keras.Variable([1.0]), FusedAdam(0.1, **OPTIONS)
    optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    before = variable.numpy()
    optimizer.learning_rate.assign(0.0)
    optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    np.testing.assert_array_equal(variable, before)


def train(num_steps, *, way=convolution.TRAINING):
    """float32 [num_steps, 6]: the losses of a small pix2pix."""
    config = Config(data=Data(image_size=32),
                    networks=Networks(base_filters=2))
    state = train_state.TrainState.create(config, precision="float32")
    for network in (state.generator, state.discriminator):
        convolution.set_way(network, way)
    step = train_step.make_train_step(state)
    noise = np.random.default_rng(0)
    conditions = [tf.constant(noise.uniform(-1, 1, (4, 32, 32, 1)), tf.float32)
                  for _ in range(4)]
    return np.asarray([
        step(condition, condition * [0.9, -0.5])[:6]
        for condition in (conditions[n % 4] for n in range(num_steps))])


def test_fused_forms_train_as_the_plain_ones_do(monkeypatch):
    fused = train(200)
    with monkeypatch.context() as plain:
        plain.setattr(train_state, "FusedAdam", keras.optimizers.Adam)
        plain.setattr(layers, "FusedBatchNormalization",
                      keras.layers.BatchNormalization)
        plainly = train(200, way=convolution.KERAS)
    np.testing.assert_allclose(fused[:20], plainly[:20], rtol=1e-3)
    # Differences of rounding grow; the courses stay together.
    np.testing.assert_allclose(
        fused.reshape(4, 50, 6).mean(axis=1),
        plainly.reshape(4, 50, 6).mean(axis=1), rtol=0.05, atol=0.01)
    assert fused[-50:, 4].mean() < 0.95 * fused[:10, 4].mean()  # it learned


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_plain_forms_are_not_used_on_one_device(precision):
    state = train_state.TrainState.create(
        Config(data=Data(image_size=32), networks=Networks(base_filters=2)),
        precision=precision)
    norms = {type(layer).__name__ for network in
             (state.generator, state.discriminator)
             for layer in network.layers if "norm" in layer.name}
    assert norms == {"FusedBatchNormalization"}
    assert isinstance(state.generator_optimizer, FusedAdam)
