"""One update: which network learns from what, and in which order."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color
from pix2pix_color import losses, metrics, semantic_loss
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.networks import encoder_unet
from pix2pix_color.training import train_state, train_step

# An update of the generator by itself, without any loss.
ALONE = train_step.Objective(gan_weight=0.0, l1_weight=0.0,
                             discriminator_updates=0)
CONFIG = Config(data=Data(image_size=32),
                networks=Networks(base_filters=4, dropout=0.0))


def make_state(precision="float32", config=CONFIG):
    return train_state.TrainState.create(config, precision=precision)


def make_batch(seed=0, *, batch_size=2, size=32):
    """Condition and target of noise."""
    noise = np.random.default_rng(seed).uniform(
        -1, 1, (batch_size, size, size, 3))
    return tf.split(tf.constant(noise, tf.float32), [1, 2], axis=-1)


def update(state, objective=train_step.Objective(), batch=None) -> Any:
    """The losses of one update."""
    return train_step.make_train_step(state, objective)(
        *(batch or make_batch()))


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
    before = losses.GAN_LOSSES["vanilla"].generator(
        discriminator([condition, fake], training=True))

    result = update(
        state, train_step.Objective(gan_weight=0.5, l1_weight=10.0))

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
    after = losses.GAN_LOSSES["vanilla"].generator(
        discriminator([condition, fake], training=True))
    np.testing.assert_allclose(
        result.generator_adversarial, 0.5 * after, rtol=1e-3)
    assert abs(float(after) - float(before)) > 1e-2


@pytest.mark.parametrize("color_space", ["lab", "rgb"])
def test_losses_of_pictures_are_of_what_they_show(color_space):
    config = dataclasses.replace(CONFIG, networks=dataclasses.replace(
        CONFIG.networks, color_space=color_space))
    state, space = make_state(config=config), color.COLOR_SPACES[color_space]
    photo = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    condition, target = space.encode(tf.constant(photo))
    shown = space.decode(condition, state.generator(condition, training=True))

    result = update(state, ALONE._replace(
        psnr_weight=2.0, colorfulness_weight=3.0), (condition, target))

    assert float(result.generator_psnr) == pytest.approx(
        2 * (40 - float(tf.reduce_mean(metrics.psnr_db(
            tf.constant(photo), shown)))), abs=0.1)
    assert float(result.generator_colorfulness) == pytest.approx(
        3 * abs(float(tf.reduce_mean(
            metrics.colorfulness(shown) - metrics.colorfulness(
                tf.constant(photo))))), rel=0.02)
    assert float(result.generator) == pytest.approx(
        float(result.generator_psnr + result.generator_colorfulness), rel=1e-5)


@pytest.mark.parametrize("weight, loss, remaining", [
    ("psnr_weight", "generator_psnr", 0.98),  # of noise it is mostly noise
    ("colorfulness_weight", "generator_colorfulness", 0.7)])
def test_a_loss_of_pictures_falls_as_the_generator_learns_from_it(
        weight, loss, remaining):
    state = make_state()
    photo = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    condition, target = color.LAB.encode(
        tf.constant(photo.repeat(8, 1).repeat(8, 2)))
    only: Any = {weight: 1.0}
    step = train_step.make_train_step(state, ALONE._replace(**only))
    first, *_, last = (float(getattr(step(condition, target), loss))
                       for _ in range(40))
    assert last < remaining * first


def test_without_gan_weight_the_generator_learns_from_l1_alone():
    state, twin = make_state(), make_state()
    condition, target = make_batch()
    update(state, train_step.Objective(gan_weight=0.0, l1_weight=1.0))
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
    step = train_step.make_train_step(state)
    for seed in (0, 1):
        result: Any = step(*make_batch(seed))
    assert result.generator_psnr is result.generator_colorfulness is None
    assert state.step_number == 2
    assert int(state.generator_optimizer.iterations) == 2
    assert not all_equal(before[0], values(state.generator))
    assert not all_equal(before[1], values(state.discriminator))


@pytest.mark.parametrize("gan_loss, smoothing", [
    ("vanilla", 0.1), ("lsgan", 0.2), ("hinge", 0.0)])
def test_each_game_is_played_on_both_sides_and_smoothed_on_one(
        gan_loss, smoothing):
    state, (condition, target) = make_state(), make_batch()
    discriminator = state.discriminator
    fake = state.generator(condition, training=True)
    real_logits, fake_logits = (
        discriminator([condition, picture], training=True).numpy()
        for picture in (target, fake))
    real_loss, fake_loss = {
        "vanilla": lambda x, y: (
            np.mean(0.9 * np.log1p(np.exp(-x)) + 0.1 * np.log1p(np.exp(x))),
            np.mean(np.log1p(np.exp(y)))),
        "lsgan": lambda x, y: (np.mean((x - 0.8)**2), np.mean(y**2)),
        "hinge": lambda x, y: (np.mean(np.maximum(0, 1 - x)),
                               np.mean(np.maximum(0, 1 + y))),
    }[gan_loss](real_logits, fake_logits)
    result = update(state, train_step.Objective(
        gan_loss=gan_loss, label_smoothing=smoothing))
    np.testing.assert_allclose(result.discriminator_real, real_loss, rtol=1e-4)
    np.testing.assert_allclose(result.discriminator_fake, fake_loss, rtol=1e-4)
    logits = discriminator([condition, fake], training=True).numpy()
    np.testing.assert_allclose(result.generator_adversarial, {
        "vanilla": np.mean(np.log1p(np.exp(-logits))),
        "lsgan": np.mean((logits - 1)**2), "hinge": -np.mean(logits),
    }[gan_loss], rtol=2e-3)


def test_in_an_update_without_its_turn_the_discriminator_stays():
    state, (condition, _) = make_state(), make_batch()
    before = values(state.discriminator), values(state.generator)
    fake = state.generator(condition, training=True)
    logits = state.discriminator([condition, fake], training=True)
    result = update(state, train_step.Objective(discriminator_updates=0))
    assert result[:3] == (None, None, None)
    # The generator still learns through it.
    np.testing.assert_allclose(
        result.generator_adversarial,
        losses.GAN_LOSSES["vanilla"].generator(logits), rtol=1e-4)
    assert all_equal(before[0], values(state.discriminator))
    assert not all_equal(before[1], values(state.generator))
    assert int(state.discriminator_optimizer.iterations) == 0
    assert state.step_number == 1


def test_two_updates_in_a_turn_are_two_turns_on_the_same_pictures():
    condition, target = make_batch()
    once, twice = make_state(), make_state()
    once.set_learning_rates(generator=0.0, discriminator=1e-3)
    step = train_step.make_train_step(once)
    step(condition, target)
    second: Any = step(condition, target)
    twice.set_learning_rates(generator=2e-4, discriminator=1e-3)
    result = update(twice, train_step.Objective(discriminator_updates=2))
    np.testing.assert_allclose(result.discriminator, second.discriminator,
                               rtol=1e-4)
    for one, two in zip(values(once.discriminator),
                        values(twice.discriminator)):
        np.testing.assert_allclose(one, two, atol=1e-5)
    assert int(twice.discriminator_optimizer.iterations) == 2
    assert int(twice.generator_optimizer.iterations) == 1


def test_a_frozen_encoder_stays_and_still_normalizes_as_in_training():
    state = make_state(config=Config(
        data=Data(image_size=64),
        networks=Networks(base_filters=2, generator="resnet18_unet")))
    generator = state.generator
    condition, target = make_batch(size=64)
    objective = ALONE._replace(l1_weight=100.0, freeze_encoder=True)
    before = {variable.path: variable.numpy()
              for variable in generator.variables}
    fake = generator(condition, training=True)
    result = update(state, objective, (condition, target))
    assert result.generator_adversarial == 0.0
    np.testing.assert_allclose(
        result.generator, 100 * tf.reduce_mean(tf.abs(target - fake)),
        rtol=1e-4)
    same = {path for path, value in before.items() if np.array_equal(
        value, {variable.path: variable.numpy()
                for variable in generator.variables}[path])}
    encoder = {variable.path
               for variable in encoder_unet.encoder_variables(generator)}
    assert len(encoder) > 50 and same == encoder
    assert all(variable.trainable for variable in generator.variables
               if variable.path in encoder)
    # The same update without the freeze moves them.
    update(state, objective._replace(freeze_encoder=False),
           (condition, target))
    assert all(not np.array_equal(variable.numpy(), before[variable.path])
               for variable in encoder_unet.encoder_variables(generator))


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_the_encoder_learns_at_its_share_of_the_rate(share):
    state = make_state(config=Config(
        data=Data(image_size=64),
        networks=Networks(base_filters=8, generator="efficientnet_unet"),
        training=Training(encoder_rate=share, learning_rate=1e-3)))
    generator = state.generator
    before = [variable.numpy() for variable in generator.trainable_variables]
    update(state, ALONE._replace(l1_weight=100.0), make_batch(size=64))
    encoder = {variable.path
               for variable in encoder_unet.encoder_variables(generator)}
    # Adam's first step is as long as the rate, whatever the gradient.
    lengths: dict[bool, list[float]] = {True: [], False: []}
    for variable, old in zip(generator.trainable_variables, before):
        lengths[variable.path in encoder].append(
            float(np.abs(variable.numpy() - old).max()))
    assert np.median(lengths[False]) == pytest.approx(1e-3, rel=0.01)
    assert np.median(lengths[True]) == pytest.approx(share * 1e-3, rel=0.01)


def test_the_generator_is_shown_one_condition_and_judged_by_another():
    state, (condition, target) = make_state(), make_batch()
    shown = condition[:, ::-1]
    fake = state.generator(shown, training=True)
    plain = state.generator(condition, training=True)
    result = update(state, ALONE._replace(l1_weight=10.0, psnr_weight=1.0),
                    (condition, target, shown))
    np.testing.assert_allclose(
        result.generator_l1, 10 * tf.reduce_mean(tf.abs(target - fake)),
        rtol=1e-4)
    assert np.abs(fake - plain).max() > 1e-3
    # Pictures have the clean lightness.
    real, colored = (color.LAB.decode_floats(condition, ab)
                     for ab in (target, fake))
    np.testing.assert_allclose(
        result.generator_psnr, losses.psnr_loss(real, colored), rtol=1e-4)


def test_the_semantic_loss_is_taken_of_the_decoded_colors():
    state = make_state(config=Config(
        data=Data(image_size=64), networks=Networks(base_filters=2),
        training=Training(semantic_weight=1.0)))
    condition, target = make_batch(size=64)
    fake = state.generator(condition, training=True)
    result = update(state, ALONE._replace(semantic_weight=2.0),
                    (condition, target))
    expected = 2 * semantic_loss.semantic_loss(
        color.LAB.decode_floats(condition, target),
        color.LAB.decode_floats(condition, fake),
        classifier=state.classifier)
    assert float(expected) > 0.01
    np.testing.assert_allclose(result.generator_semantic, expected, rtol=1e-3)
    assert float(result.generator) == float(result.generator_semantic)


def test_pictures_are_compared_at_the_size_of_their_colors():
    state = make_state(config=Config(
        data=Data(image_size=256), networks=Networks(
            base_filters=8, generator="efficientnet_unet")))
    condition, target = make_batch(batch_size=1, size=256)
    fake = state.generator(condition, training=True)
    result = update(state, ALONE._replace(psnr_weight=1.0),
                    (condition, target))
    lightness, real, colored = (
        tf.reshape(picture, [1, 128, 2, 128, 2, -1]) for picture in
        (condition, target, fake))
    lightness, real, colored = (tf.reduce_mean(picture, axis=[2, 4])
                                for picture in (lightness, real, colored))
    np.testing.assert_allclose(
        result.generator_psnr, losses.psnr_loss(*(
            color.LAB.decode_floats(lightness, ab)
            for ab in (real, colored))), rtol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_l1_falls_when_one_batch_is_repeated(precision):
    state = make_state(precision, Config(
        data=CONFIG.data, networks=CONFIG.networks,
        training=Training(learning_rate=2e-3)))
    step = train_step.make_train_step(state)
    condition, _ = make_batch()
    target = tf.fill([2, 32, 32, 2], 0.5)
    history = [float(step(condition, target).generator_l1) for _ in range(20)]
    assert history[0] == pytest.approx(50.0, abs=5.0)
    assert history[-1] < 0.8 * history[0]
    assert {variable.dtype for variable in state.generator.variables} == {
        "float32"}


# XLA and reduced precision.


@pytest.mark.slow
@pytest.mark.parametrize("discriminator_updates", [0, 1, 2])
def test_under_xla_losses_and_average_are_the_same(discriminator_updates):
    def train(jit_compile):
        state = make_state(config=Config(
            data=CONFIG.data, networks=CONFIG.networks,
            training=Training(ema_decay=0.9)))
        step = train_step.make_train_step(
            state, train_step.Objective(
                discriminator_updates=discriminator_updates),
            jit_compile=jit_compile)
        history = [[float(loss) for loss in step(*make_batch(seed))
                    if loss is not None] for seed in range(5)]
        assert state.average is not None
        return history, state.average.get_weights()

    (ours, our_average), (plain, plain_average) = map(train, (True, False))
    assert np.shape(ours) == (5, 6 if discriminator_updates else 3)
    np.testing.assert_allclose(ours, plain, rtol=1e-3)
    for one, other in zip(our_average, plain_average):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_gradients_are_left_in_bfloat16_and_are_the_same(monkeypatch):
    taken = []

    class Adam(train_state.FusedAdam):
        cast = False

        def update_step(self, gradient, variable, learning_rate):
            taken.append((gradient.dtype, len(gradient.shape)))
            if self.cast:
                gradient = tf.cast(gradient, tf.float32)
            super().update_step(gradient, variable, learning_rate)

    monkeypatch.setattr(train_state, "FusedAdam", Adam)

    def train():
        state = make_state("mixed_bfloat16")
        return [np.asarray(update(state)[:6]), *values(state.generator),
                *values(state.discriminator)]

    ours = train()
    # The generator's, except for its output layer, which computes in float32;
    # the discriminator's are sums over real and fake.
    assert taken.count((tf.bfloat16, 4)) == 9
    Adam.cast = True
    for one, other in zip(ours, train(), strict=True):
        np.testing.assert_array_equal(one, other)


def make_float16_state():
    return make_state("mixed_float16", Config(
        data=CONFIG.data, networks=CONFIG.networks,
        training=Training(precision="mixed_float16", learning_rate=2e-3)))


def test_in_float16_what_overflows_is_passed_over_until_it_fits():
    state = make_float16_state()
    scale = state.generator_optimizer.dynamic_scale
    scale.assign(2.0**40)
    step = train_step.make_train_step(state)
    before = values(state.generator)
    step(*make_batch())
    assert all_equal(before, values(state.generator))
    assert float(scale) == 2.0**39 and state.step_number == 1
    scale.assign(2.0**10)
    condition, _ = make_batch()
    target = tf.fill([2, 32, 32, 2], 0.5)
    history = [float(step(condition, target).generator_l1) for _ in range(20)]
    assert history[-1] < 0.8 * history[0]
    assert float(scale) == 2.0**10


def test_in_float16_gradients_are_scaled_and_unscaled():
    """One update equals float32's, though its loss was scaled."""
    states = make_float16_state(), make_state(config=Config(
        data=CONFIG.data, networks=CONFIG.networks,
        training=Training(learning_rate=2e-3)))
    for state in states:
        step = train_step.make_train_step(state)
        if state is states[0]:
            state.generator_optimizer.dynamic_scale.assign(2.0**8)
            state.discriminator_optimizer.dynamic_scale.assign(2.0**8)
        step(*make_batch())
    inner = states[0].generator_optimizer.inner_optimizer
    for ours, plain in zip(inner.variables,
                           states[1].generator_optimizer.variables):
        assert np.abs(ours.numpy() - plain.numpy()).max() <= (
            0.1 * np.abs(plain.numpy()).max())


@pytest.mark.parametrize("make", [make_state, make_float16_state])
def test_a_loss_that_is_not_finite_is_returned_and_counted(make):
    state, (condition, target) = make(), make_batch()
    broken = target.numpy()
    broken[-1, 3, 5, 0] = np.nan
    result = update(state, batch=(condition, broken))
    assert np.isnan(result.generator_l1) and np.isnan(result.discriminator)
    assert np.isfinite(result.discriminator_fake)
    assert state.step_number == 1
