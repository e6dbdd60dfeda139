"""The losses against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color import losses

LOG_2 = 0.69314718
# The logistic loss log(1 + exp(-x)) at x = 2 and x = -2.
AT_2, AT_MINUS_2 = 0.12692801, 2.12692801


def logits_of(*values):
    return tf.reshape(tf.constant(values, tf.float32), [1, 1, len(values), 1])


@pytest.mark.parametrize("is_real", [True, False])
def test_cross_entropy_of_undecided_logits_is_log_2(is_real):
    loss = losses.cross_entropy(tf.zeros([2, 3, 3, 1]), is_real=is_real)
    assert loss.dtype == tf.float32
    assert tuple(loss.shape) == ()
    assert float(loss) == pytest.approx(LOG_2, abs=1e-6)


@pytest.mark.parametrize("logit, is_real, expected", [
    (2.0, True, AT_2),
    (-2.0, True, AT_MINUS_2),
    (2.0, False, AT_MINUS_2),
    (-2.0, False, AT_2),
])
def test_cross_entropy_is_the_logistic_loss(logit, is_real, expected):
    loss = losses.cross_entropy(logits_of(logit), is_real=is_real)
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_cross_entropy_is_the_mean_over_all_patches_of_all_images():
    logits = tf.constant([0.0] * 6 + [2.0] * 4 + [-2.0] * 2, tf.float32)
    loss = losses.cross_entropy(tf.reshape(logits, [2, 2, 3, 1]), is_real=True)
    expected = (6 * LOG_2 + 4 * AT_2 + 2 * AT_MINUS_2) / 12
    assert float(loss) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("logit, is_real, expected", [
    (1e4, True, 0.0),
    (-1e4, True, 1e4),
    (1e4, False, 1e4),
    (-1e4, False, 0.0),
])
def test_huge_logits_give_finite_losses(logit, is_real, expected):
    loss = losses.cross_entropy(logits_of(logit), is_real=is_real)
    assert float(loss) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("is_real, expected", [(True, 0.64435031),
                                               (False, 0.74444797)])
def test_bfloat16_logits_are_cast_before_anything_is_computed(
        is_real, expected):
    # The nearest bfloat16 is 0.10009766; its steps near the loss are 0.004.
    logits = tf.fill([1, 3, 3, 1], tf.constant(0.1, tf.bfloat16))
    loss = losses.cross_entropy(logits, is_real=is_real)
    assert loss.dtype == tf.float32
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_discriminator_loss_is_half_of_the_sum():
    loss = losses.discriminator_loss(tf.constant(0.5), tf.constant(2.0))
    assert float(loss) == pytest.approx(1.25)


def test_discriminator_loss_of_an_undecided_discriminator_is_log_2():
    logits = tf.zeros([2, 3, 3, 1])
    loss = losses.discriminator_loss(
        losses.cross_entropy(logits, is_real=True),
        losses.cross_entropy(logits, is_real=False))
    assert float(loss) == pytest.approx(LOG_2, abs=1e-6)


@pytest.mark.parametrize("logit, expected",
                         [(0.0, LOG_2), (2.0, AT_2), (-2.0, AT_MINUS_2)])
def test_adversarial_loss_falls_as_the_fake_passes_for_real(logit, expected):
    loss = losses.adversarial_loss(logits_of(logit))
    assert float(loss) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("logit, slope", [
    (-1000.0, -1.0),
    (-20.0, -1.0),
    (0.0, -0.5),
    (20.0, 0.0),
])
def test_adversarial_gradient_is_full_where_the_discriminator_is_sure(
        logit, slope):
    """Non-saturating: log(1 - D) of equation 1 would give 0, -0.5 and -1."""
    logits = logits_of(logit, logit, logit, logit)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.adversarial_loss(logits)
    gradient = tape.gradient(loss, logits)
    np.testing.assert_allclose(
        np.ravel(gradient), [slope / 4] * 4, rtol=0, atol=1e-6)


def test_l1_loss_is_the_mean_absolute_difference_of_all_elements():
    real_target = tf.constant([[[[0.5, -0.5]], [[1.0, 0.0]]],
                               [[[0.0, 0.0]], [[-1.0, 0.25]]]])
    fake_target = tf.constant([[[[0.0, 0.5]], [[1.0, -0.5]]],
                               [[[0.0, 0.0]], [[1.0, 0.0]]]])
    loss = losses.l1_loss(real_target, fake_target)
    assert loss.dtype == tf.float32
    assert tuple(loss.shape) == ()
    # 0.5 + 1 + 0 + 0.5 + 0 + 0 + 2 + 0.25 of eight elements.
    assert float(loss) == pytest.approx(4.25 / 8)
    assert float(losses.l1_loss(fake_target, real_target)) == float(loss)


def test_l1_loss_of_equal_targets_is_zero():
    target = tf.random.stateless_uniform([2, 4, 4, 2], [1, 2], -1.0, 1.0)
    assert float(losses.l1_loss(target, target)) == 0.0


def test_l1_gradient_is_the_sign_over_the_number_of_elements():
    real_target = tf.zeros([1, 1, 2, 2])
    fake_target = tf.constant([[[[3.0, -0.1], [0.001, -4.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(fake_target)
        loss = losses.l1_loss(real_target, fake_target)
    gradient = tape.gradient(loss, fake_target)
    np.testing.assert_allclose(
        np.ravel(gradient), [0.25, -0.25, 0.25, -0.25], rtol=0, atol=1e-7)
