"""One update: who learns from what, in which order, and what is refused."""

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
    before = losses.GAN_LOSSES["vanilla"].fool(
        discriminator([condition, fake], training=True))

    step = train_step.make_train_step(
        state, train_step.Objective(gan_weight=0.5, l1_weight=10.0))
    result: Any = step(condition, target)

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
    after = losses.GAN_LOSSES["vanilla"].fool(
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

    result: Any = train_step.make_train_step(state, train_step.Objective(
        gan_weight=0.0, l1_weight=0.0, psnr_weight=2.0,
        colorfulness_weight=3.0))(condition, target)

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
    only: dict[str, Any] = {weight: 1.0}
    step = train_step.make_train_step(state, train_step.Objective(
        gan_weight=0.0, l1_weight=0.0, discriminator_updates=0, **only))
    first, *_, last = (float(getattr(step(condition, target), loss))
                       for _ in range(40))
    assert last < remaining * first


def test_without_a_weight_there_is_no_loss_of_pictures():
    result: Any = train_step.make_train_step(make_state())(*make_batch())
    assert result.generator_psnr is None
    assert result.generator_colorfulness is None


def test_without_gan_weight_the_generator_learns_from_l1_alone():
    state, twin = make_state(), make_state()
    condition, target = make_batch()
    train_step.make_train_step(
        state, train_step.Objective(gan_weight=0.0, l1_weight=1.0))(
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
    step = train_step.make_train_step(state)
    step(*make_batch())
    step(*make_batch(1))
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
    result: Any = train_step.make_train_step(state, train_step.Objective(
        gan_loss=gan_loss, label_smoothing=smoothing))(condition, target)
    np.testing.assert_allclose(result.discriminator_real, real_loss, rtol=1e-4)
    np.testing.assert_allclose(result.discriminator_fake, fake_loss, rtol=1e-4)
    logits = discriminator([condition, fake], training=True).numpy()
    np.testing.assert_allclose(result.generator_adversarial, {
        "vanilla": np.mean(np.log1p(np.exp(-logits))),
        "lsgan": np.mean((logits - 1)**2), "hinge": -np.mean(logits),
    }[gan_loss], rtol=2e-3)


def test_in_an_update_without_its_turn_the_discriminator_stays():
    state, (condition, target) = make_state(), make_batch()
    before = values(state.discriminator), values(state.generator)
    fake = state.generator(condition, training=True)
    logits = state.discriminator([condition, fake], training=True)
    result: Any = train_step.make_train_step(state, train_step.Objective(
        discriminator_updates=0))(condition, target)
    assert result[:3] == (None, None, None)
    # The generator still learns through it.
    np.testing.assert_allclose(
        result.generator_adversarial,
        losses.GAN_LOSSES["vanilla"].fool(logits), rtol=1e-4)
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
    result: Any = train_step.make_train_step(twice, train_step.Objective(
        discriminator_updates=2))(condition, target)
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
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    condition, target = tf.split(tf.constant(noise, tf.float32), [1, 2], -1)
    objective = train_step.Objective(gan_weight=0.0, discriminator_updates=0,
                                     freeze_encoder=True)
    before = {variable.path: variable.numpy()
              for variable in generator.variables}
    fake = generator(condition, training=True)
    step = train_step.make_train_step(state, objective)
    result: Any = step(condition, target)
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
    train_step.make_train_step(
        state, objective._replace(freeze_encoder=False))(condition, target)
    assert all(not np.array_equal(variable.numpy(), before[variable.path])
               for variable in encoder_unet.encoder_variables(generator))
    assert train_step.find_non_finite(
        state, condition, target, objective=objective) == []


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_the_encoder_learns_at_its_share_of_the_rate(share):
    state = make_state(config=Config(
        data=Data(image_size=64),
        networks=Networks(base_filters=8, generator="efficientnet_unet"),
        training=Training(encoder_rate=share, learning_rate=1e-3)))
    generator = state.generator
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    condition, target = tf.split(tf.constant(noise, tf.float32), [1, 2], -1)
    before = [variable.numpy() for variable in generator.trainable_variables]
    train_step.make_train_step(state, train_step.Objective(
        gan_weight=0.0, discriminator_updates=0))(condition, target)
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
    result: Any = train_step.make_train_step(state, train_step.Objective(
        gan_weight=0.0, discriminator_updates=0, l1_weight=10.0,
        psnr_weight=1.0))(condition, target, shown)
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
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    condition, target = tf.split(tf.constant(noise, tf.float32), [1, 2], -1)
    fake = state.generator(condition, training=True)
    result: Any = train_step.make_train_step(state, train_step.Objective(
        gan_weight=0.0, discriminator_updates=0, l1_weight=0.0,
        semantic_weight=2.0))(condition, target)
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
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 256, 256, 3))
    condition, target = tf.split(tf.constant(noise, tf.float32), [1, 2], -1)
    fake = state.generator(condition, training=True)
    result: Any = train_step.make_train_step(state, train_step.Objective(
        gan_weight=0.0, discriminator_updates=0, l1_weight=0.0,
        psnr_weight=1.0))(condition, target)
    lightness, real, colored = (
        tf.reshape(picture, [1, 128, 2, 128, 2, -1]) for picture in
        (condition, target, fake))
    lightness, real, colored = (tf.reduce_mean(picture, axis=[2, 4])
                                for picture in (lightness, real, colored))
    np.testing.assert_allclose(
        result.generator_psnr, losses.psnr_loss(*(
            color.LAB.decode_floats(lightness, ab)
            for ab in (real, colored))), rtol=1e-3)


def test_forgotten_moments_are_those_of_a_new_adam():
    state, (condition, target) = make_state(), make_batch()
    new = [variable.numpy() for variable in
           state.generator_optimizer.variables]
    step = train_step.make_train_step(state)
    step(condition, target)
    old = [variable.numpy() for variable in
           state.discriminator_optimizer.variables]
    assert not all_equal(new, [variable.numpy() for variable in
                               state.generator_optimizer.variables])
    state.forget_generator_moments()
    assert all_equal(new, [variable.numpy() for variable in
                           state.generator_optimizer.variables])
    assert all_equal(old, [variable.numpy() for variable in
                           state.discriminator_optimizer.variables])
    # Adam's first step is as long as its learning rate, for any gradient.
    before = values(state.generator)
    step(condition, target)
    longest = max(np.abs(after - one).max() for one, after in
                  zip(before, values(state.generator)))
    assert longest == pytest.approx(2e-4, rel=1e-2)


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


# What is not finite.


def with_nan(tensor):
    """A copy with a single NaN in its last example."""
    broken = tensor.numpy()
    broken[-1, 3, 5, 0] = np.nan
    return tf.constant(broken)


def all_values(*parts):
    """Values of all variables, batch normalization's averages aside."""
    return {(place, variable.path): variable.numpy().copy()
            for place, part in enumerate(parts) for variable in part.variables
            if "moving" not in variable.path}


def changed(before, *parts):
    """Paths of what is not as it was; a NaN is as little as anything else."""
    after = all_values(*parts)
    return [path for path, value in before.items()
            if not np.array_equal(value, after[path])]


# XLA takes a while, and knows no assertions: there the update is one of two
# branches.
@pytest.fixture(scope="module", params=[
    ("float32", False), ("mixed_bfloat16", False),
    pytest.param(("float32", True), marks=pytest.mark.slow)],
    ids=["plain", "bfloat16", "xla"])
def step_and_refusal(request):
    """The compiled update, and what one that was refused did to the state."""
    precision, jit_compile = request.param
    state = make_state(precision, Config(
        data=CONFIG.data, networks=CONFIG.networks,
        training=Training(ema_decay=0.9)))
    step = train_step.make_train_step(state, jit_compile=jit_compile)
    step(*make_batch())
    assert state.average is not None
    parts = (state.generator, state.discriminator, state.generator_optimizer,
             state.discriminator_optimizer, state.average)
    before = all_values(*parts)
    assert len(before) > 100
    condition, target = make_batch(1)
    with pytest.raises(tf.errors.InvalidArgumentError):
        step(condition, with_nan(target))
    return step, (state.step_number, changed(before, *parts))


def test_an_update_that_is_not_finite_changes_no_weight_and_no_moment(
        step_and_refusal):
    _, (_, different) = step_and_refusal
    assert [path for _, path in different
            if not path.endswith("/iteration")] == []


def test_an_update_that_is_not_finite_is_not_counted(step_and_refusal):
    assert step_and_refusal[1] == (1, [])


def test_a_nan_in_the_condition_is_refused_too(step_and_refusal):
    step, _ = step_and_refusal
    condition, target = make_batch(2)
    assert np.isfinite(step(condition, target).generator)
    with pytest.raises(tf.errors.InvalidArgumentError):
        step(with_nan(condition), target)


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
        def update_step(self, gradient, variable, learning_rate):
            taken.append((gradient.dtype, len(gradient.shape)))
            super().update_step(gradient, variable, learning_rate)

    monkeypatch.setattr(train_state, "FusedAdam", Adam)

    def train():
        state = make_state("mixed_bfloat16")
        step_losses: Any = train_step.make_train_step(state)(*make_batch())
        return [np.asarray(step_losses), *values(state.generator),
                *values(state.discriminator)]

    ours = train()
    # The generator's, but for the output's, which is computed in float32; the
    # discriminator's are sums over real and fake.
    assert taken.count((tf.bfloat16, 4)) == 9
    taken.clear()
    monkeypatch.setattr(train_step, "_before_cast", lambda gradient: gradient)
    plain = train()
    assert {dtype for dtype, _ in taken} == {tf.float32}
    for one, other in zip(ours, plain):
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


def test_in_float16_moments_are_forgotten_and_the_scale_is_not():
    state = make_float16_state()
    scale = state.generator_optimizer.dynamic_scale
    scale.assign(2.0**8)
    step = train_step.make_train_step(state)
    step(*make_batch())
    adam = state.generator_optimizer.inner_optimizer
    moments = [*adam._momentums, *adam._velocities]
    assert int(adam.iterations) == 1
    assert max(np.abs(moment).max() for moment in moments) > 0
    state.forget_generator_moments()
    assert int(adam.iterations) == 0 and float(scale) == 2.0**8
    assert not any(np.any(moment) for moment in moments)


def test_in_float16_a_loss_that_is_not_finite_is_refused():
    step = train_step.make_train_step(make_float16_state())
    condition, target = make_batch()
    with pytest.raises(tf.errors.InvalidArgumentError):
        step(condition, with_nan(target))


def kinds(names):
    return [name.partition(" ")[0] for name in names]


def test_what_is_not_finite_is_named_inputs_first():
    condition, target = make_batch()
    state = make_state()
    before = all_values(state.generator, state.discriminator,
                        state.generator_optimizer)
    names = train_step.find_non_finite(
        state, condition, with_nan(target))
    assert names[0] == "target" and "condition" not in names
    assert [name for name in names if name.startswith("loss ")] == [
        "loss discriminator_real", "loss discriminator", "loss generator_l1",
        "loss generator"]
    order = ["target", "weight", "loss", "gradient"]
    assert kinds(names) == sorted(kinds(names), key=order.index)
    assert "gradient discriminator/patch0/kernel" in names
    assert "gradient generator/encoder0/kernel" in names
    assert [name for name in names if name.startswith("weight ")
            and "/moving_" not in name] == []
    # It only looks.
    assert changed(before, state.generator, state.discriminator,
                   state.generator_optimizer) == []
    assert state.step_number == 0


def test_nothing_is_named_where_all_is_finite():
    assert train_step.find_non_finite(
        make_state(), *make_batch()) == []


def break_a_weight(state):
    kernel = state.generator.get_layer("decoder1").kernel
    kernel.assign(tf.tensor_scatter_nd_update(
        kernel.value, [[1, 2, 0, 0]], [np.inf]))


@pytest.fixture(scope="module")
def names_of_a_broken_weight():
    state = make_state()
    break_a_weight(state)
    return train_step.find_non_finite(state, *make_batch())


def test_a_weight_that_is_not_finite_is_named(names_of_a_broken_weight):
    names = names_of_a_broken_weight
    assert "weight generator/decoder1/kernel" in names
    assert kinds(names)[0] == "weight" and "target" not in names
    assert "weight generator/encoder0/kernel" not in names
    assert "loss discriminator_real" not in names
    assert "loss discriminator_fake" in names


def test_only_a_weight_that_was_not_finite_before_is_named(
        names_of_a_broken_weight):
    assert [name for name in names_of_a_broken_weight
            if name.startswith("weight ")] == [
                "weight generator/decoder1/kernel"]
