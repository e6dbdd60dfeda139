"""The average of the generator's weights, against one made by hand."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.training import train_step
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

DECAY = 0.15


def config(ema_decay=DECAY):
    return Config(data=Data(image_size=32), networks=Networks(base_filters=2),
                  training=Training(ema_decay=ema_decay, learning_rate=1e-2))


def values(network):
    return [variable.numpy() for variable in network.variables]


def batch(seed):
    noise = np.random.default_rng(seed).uniform(-1, 1, (2, 32, 32, 3))
    return tf.split(tf.constant(noise, tf.float32), [1, 2], -1)


@pytest.fixture(scope="module")
def trained():
    """A state after three updates, and the generator's weights at each."""
    state = TrainState.create(config(), precision="float32")
    step = train_step.make_train_step(state)
    history = [values(state.generator)]
    for seed in range(3):
        step(*batch(seed))
        history.append(values(state.generator))
    return state, history


def test_it_follows_the_weights_and_the_statistics(trained):
    state, history = trained
    expected = history[0]
    for kept, weights in zip((1 / 10, DECAY, DECAY), history[1:]):
        expected = [
            kept * old + (1 - kept) * new
            for old, new in zip(expected, weights, strict=True)]
    for found, wanted, now in zip(values(state.average), expected,
                                  history[-1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert any(np.abs(found - now).max() > 1e-4 for found, now
               in zip(values(state.average), history[-1]))


def test_it_is_what_is_evaluated_and_served(trained):
    state, _ = trained
    assert state.inference_generator is state.average
    served = state.served_generator(config())
    for found, wanted in zip(served.get_weights(),
                             state.average.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_checkpoint_has_it(trained, tmp_path):
    state, _ = trained
    Checkpoints(state, config=config(), directory=str(tmp_path)).save(
        Journal())
    restored = TrainState.create(config(), precision="float32")
    Checkpoints(restored, config=config(),
                directory=str(tmp_path)).restore_latest()
    assert len(state.shared_variables()) == len(restored.shared_variables())
    for found, wanted in zip(restored.shared_variables(),
                             state.shared_variables()):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    assert {id(variable.value) for variable in state.average.variables} <= {
        id(variable) for variable in state.shared_variables()}


def test_it_begins_as_the_generator_and_changes_nothing_else(trained):
    _, history = trained
    without = TrainState.create(config(0.0), precision="float32")
    assert without.average is None
    assert without.inference_generator is without.generator
    created = TrainState.create(config(), precision="float32")
    for one, other, average in zip(
            values(without.generator), values(created.generator),
            values(created.average), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, average)
    for one, other in zip(values(without.discriminator),
                          values(created.discriminator), strict=True):
        np.testing.assert_array_equal(one, other)
    step = train_step.make_train_step(without)
    step(*batch(0))
    for found, wanted in zip(values(without.generator), history[1]):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
