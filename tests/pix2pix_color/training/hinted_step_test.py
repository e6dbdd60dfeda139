"""Training with color hints: what they and the classification head learn."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color
from pix2pix_color import metrics
from pix2pix_color.config import Config, Data, Networks
from pix2pix_color.networks import encoder_unet
from pix2pix_color.training import train_state, train_step
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal

# An update of the generator by itself, without any loss but the head's.
ALONE = train_step.Objective(gan_weight=0.0, l1_weight=0.0,
                             discriminator_updates=0)


CONFIG = Config(data=Data(image_size=64), networks=Networks(
    base_filters=8, generator="efficientnet_unet", dropout=0.0, hints=True))


def new_state():
    return train_state.TrainState.create(CONFIG, precision="float32")


@pytest.fixture(scope="module")
def state():
    return new_state()


@pytest.fixture(scope="module")
def batch():
    """Condition and target of noise."""
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    return tf.split(tf.constant(noise, tf.float32), [1, 2], axis=-1)


def make_hints(target, *, which):
    """Hints of everything for some photographs of a batch."""
    target = target[:, ::2, ::2]
    full = tf.concat([target, tf.ones_like(target[..., :1])], axis=-1)
    return full * tf.reshape(tf.constant(which, tf.float32), [-1, 1, 1, 1])


def test_the_bins_loss_trains_the_classification_head_alone(state, batch):
    condition, target = batch
    before = {variable.path: variable.numpy() for variable
              in state.generator.trainable_variables}
    result: Any = train_step.make_train_step(state, ALONE)(
        condition, target, None, make_hints(target, which=[0, 0]))
    assert result.generator_bins > 1
    changed = {variable.path for variable
               in state.generator.trainable_variables
               if not np.array_equal(variable.numpy(), before[variable.path])}
    assert changed
    assert all(path.startswith(encoder_unet.BINS_HEAD) for path in changed)


def test_only_photographs_without_hints_count_in_the_colorfulness_loss(
        state, batch):
    condition, target = batch
    results = []
    for which in ([0, 0], [0, 1], [1, 1]):
        hints = make_hints(target, which=which)
        fake = state.generator([condition, hints], training=True)
        real, colored = (metrics.colorfulness(
            color.LAB.decode_floats(condition, ab)).numpy()
            for ab in (target, fake))
        result: Any = train_step.make_train_step(
            state, ALONE._replace(colorfulness_weight=1.0))(
                condition, target, None, hints)
        counted = np.array(which) == 0
        expected = (float(abs((colored - real)[counted].mean()))
                    if counted.any() else 0.0)
        np.testing.assert_allclose(
            result.generator_colorfulness, expected, rtol=1e-3)
        results.append(expected)
    assert len({round(value, 3) for value in results}) == 3


def test_hints_train_the_generator_to_follow_them(state, batch):
    condition, target = batch
    target = tf.reduce_mean(target, [1, 2], keepdims=True) + 0.5 + (
        tf.zeros_like(target))
    objective = ALONE._replace(l1_weight=100.0, freeze_encoder=True)
    state.set_learning_rates(generator=2e-3, discriminator=0.0)
    step = train_step.make_train_step(state, objective)
    first, *_, last = [
        float(step(condition, target * sign, None, make_hints(
            target * sign, which=[1, 1])).generator_l1)
        for _ in range(30) for sign in (1, -1)]
    # One condition, two targets: without the hints the error would stay.
    assert last < first / 2


def test_a_checkpoint_holds_every_weight(tmp_path):
    saved, restored = new_state(), new_state()
    for variable in saved.shared_variables():
        if variable.dtype == tf.float32:
            variable.assign(tf.random.stateless_normal(
                variable.shape, [variable.shape.num_elements(), 1]))
    for state, act in ((saved, lambda kept: kept.save(Journal())),
                       (restored, Checkpoints.restore_latest)):
        act(Checkpoints(state, config=CONFIG, directory=str(tmp_path), keep=1))
    for expected, found in zip(saved.shared_variables(),
                               restored.shared_variables(), strict=True):
        np.testing.assert_array_equal(expected, found)
