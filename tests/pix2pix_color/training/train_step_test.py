"""One update: who learns from what, in which order."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color import losses
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.training import train_state, train_step

CONFIG = Config(data=Data(image_size=32),
                networks=Networks(base_filters=4, dropout=0.0))


def make_state(precision="float32", config=CONFIG):
    return train_state.TrainState.create(config, precision=precision)


def make_batch(seed=0, batch_size=2):
    generator = np.random.default_rng(seed)
    shape = (batch_size, 32, 32)
    return (tf.constant(generator.uniform(-1, 1, (*shape, 1)), tf.float32),
            tf.constant(generator.uniform(-1, 1, (*shape, 2)), tf.float32))


def values(network):
    return [variable.numpy().copy() for variable
            in network.trainable_variables]


def all_equal(before, after):
    return all(np.array_equal(x, y) for x, y in zip(before, after))


def test_losses_are_those_of_the_networks_before_and_between_the_turns():
    state, (condition, target) = make_state(), make_batch()
    generator, discriminator = state.generator, state.discriminator
    fake = generator(condition, training=True)
    real_loss = losses.cross_entropy(
        discriminator([condition, target], training=True), is_real=True)
    fake_loss = losses.cross_entropy(
        discriminator([condition, fake], training=True), is_real=False)
    before = losses.adversarial_loss(
        discriminator([condition, fake], training=True))

    step = train_step.make_train_step(state, gan_weight=0.5, l1_weight=10.0)
    result = step(condition, target)

    np.testing.assert_allclose(result.discriminator_real, real_loss, rtol=1e-4)
    np.testing.assert_allclose(result.discriminator_fake, fake_loss, rtol=1e-4)
    np.testing.assert_allclose(
        result.discriminator, (real_loss + fake_loss) / 2, rtol=1e-4)
    np.testing.assert_allclose(
        result.generator_l1, 10 * tf.reduce_mean(tf.abs(target - fake)),
        rtol=1e-4)
    np.testing.assert_allclose(
        result.generator, result.generator_adversarial + result.generator_l1,
        rtol=1e-5)
    # The generator is judged by the discriminator that has just learned.
    after = losses.adversarial_loss(
        discriminator([condition, fake], training=True))
    np.testing.assert_allclose(
        result.generator_adversarial, 0.5 * after, rtol=1e-3)
    assert abs(float(after) - float(before)) > 1e-2


def test_without_gan_weight_the_generator_learns_from_l1_alone():
    state, twin = make_state(), make_state()
    condition, target = make_batch()
    train_step.make_train_step(state, gan_weight=0.0, l1_weight=1.0)(
        condition, target)
    with tf.GradientTape() as tape:
        loss = losses.l1_loss(target, twin.generator(condition, training=True))
    variables = twin.generator.trainable_variables
    twin.generator_optimizer.apply_gradients(
        zip(tape.gradient(loss, variables), variables))
    for ours, plain in zip(values(state.generator), values(twin.generator)):
        np.testing.assert_allclose(ours, plain, atol=2e-6)


def test_both_networks_and_the_step_advance():
    state = make_state()
    before = values(state.generator), values(state.discriminator)
    step = train_step.make_train_step(state, gan_weight=1.0, l1_weight=100.0)
    step(*make_batch())
    step(*make_batch(1))
    assert int(state.step) == 2
    assert int(state.generator_optimizer.iterations) == 2
    assert not all_equal(before[0], values(state.generator))
    assert not all_equal(before[1], values(state.discriminator))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_l1_falls_when_one_batch_is_repeated(precision):
    state = make_state(precision, Config(
        data=CONFIG.data, networks=CONFIG.networks,
        training=Training(learning_rate=2e-3)))
    step = train_step.make_train_step(state, gan_weight=1.0, l1_weight=100.0)
    condition, _ = make_batch()
    target = tf.fill([2, 32, 32, 2], 0.5)
    history = [float(step(condition, target).generator_l1) for _ in range(20)]
    assert history[0] == pytest.approx(50.0, abs=5.0)
    assert history[-1] < 0.8 * history[0]
    assert all(variable.dtype == "float32"
               for variable in state.generator.variables
               if "seed" not in variable.path)


def test_the_seed_determines_the_initial_weights():
    assert all_equal(values(make_state().generator),
                     values(make_state().generator))
    other = Config(data=CONFIG.data, networks=CONFIG.networks,
                   training=Training(seed=1))
    assert not all_equal(values(make_state().generator),
                         values(make_state(config=other).generator))


def test_the_served_generator_has_the_same_weights_in_float32():
    state = make_state("mixed_bfloat16")
    served = state.served_generator(CONFIG)
    assert all_equal(values(state.generator), values(served))
    assert {layer.compute_dtype for layer in served.layers} == {"float32"}


def test_adam_is_that_of_pix2pix():
    optimizer = train_state.make_adam(3e-4)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (
        0.5, 0.999, 1e-8)
    assert float(optimizer.learning_rate) == pytest.approx(3e-4)
