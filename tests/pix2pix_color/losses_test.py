"""The losses against numbers worked out by hand."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color
from pix2pix_color import losses
from pix2pix_color.config import Training

LOG_2 = 0.69314718
# The logistic loss log(1 + exp(-x)) at x = 2 and x = -2.
AT_2, AT_MINUS_2 = 0.12692801, 2.12692801


def logits_of(*values):
    return tf.reshape(tf.constant(values, tf.float32), [1, 1, len(values), 1])


@pytest.mark.parametrize("logit, is_real, expected", [
    (0.0, True, LOG_2), (0.0, False, LOG_2),
    (2.0, True, AT_2), (-2.0, True, AT_MINUS_2),
    (2.0, False, AT_MINUS_2), (-2.0, False, AT_2),
    (1e4, True, 0.0), (-1e4, True, 1e4),
    (1e4, False, 1e4), (-1e4, False, 0.0)])
def test_cross_entropy_is_the_logistic_loss(logit, is_real, expected):
    loss = losses.cross_entropy(logits_of(logit), is_real=is_real)
    assert loss.dtype == tf.float32 and loss.shape == ()
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_cross_entropy_is_the_mean_over_all_patches_of_all_images():
    logits = tf.constant([0.0] * 6 + [2.0] * 4 + [-2.0] * 2, tf.float32)
    loss = losses.cross_entropy(tf.reshape(logits, [2, 2, 3, 1]), is_real=True)
    expected = (6 * LOG_2 + 4 * AT_2 + 2 * AT_MINUS_2) / 12
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
        loss = losses.GAN_LOSSES["vanilla"].generator(logits)
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


def test_l1_gradient_is_the_sign_over_the_number_of_elements():
    real_target = tf.zeros([1, 1, 2, 2])
    fake_target = tf.constant([[[[3.0, -0.1], [0.001, -4.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(fake_target)
        loss = losses.l1_loss(real_target, fake_target)
    gradient = tape.gradient(loss, fake_target)
    np.testing.assert_allclose(
        np.ravel(gradient), [0.25, -0.25, 0.25, -0.25], rtol=0, atol=1e-7)


# Losses of pictures.


def test_psnr_loss_is_what_each_picture_lacks_to_40_decibels():
    real_colors = tf.zeros([3, 2, 2, 3])
    # Mean squared errors of 0, of 100 and of that at 40 dB, 6.5025.
    fake_colors = tf.stack([tf.zeros([2, 2, 3]), tf.fill([2, 2, 3], 10.0),
                            tf.fill([2, 2, 3], 2.55)])
    for picture, expected in enumerate((
            0.0, 10 * math.log10(1 + 100 / 6.5025), 10 * math.log10(2))):
        loss = losses.psnr_loss(real_colors[picture:picture + 1],
                                fake_colors[picture:picture + 1])
        assert loss.dtype == tf.float32 and loss.shape == ()
        assert float(loss) == pytest.approx(expected, abs=1e-5)
    # A mean of logarithms, not the logarithm of a mean.
    assert float(losses.psnr_loss(real_colors, fake_colors)) == pytest.approx(
        (10 * math.log10(1 + 100 / 6.5025) + 10 * math.log10(2)) / 3, abs=1e-5)


def test_psnr_loss_of_ordinary_errors_is_40_less_psnr():
    generator = np.random.default_rng(0)
    real_colors, fake_colors = (tf.constant(
        generator.integers(0, 256, (2, 8, 8, 3)), tf.float32)
        for _ in range(2))
    psnr = tf.reduce_mean(tf.image.psnr(real_colors, fake_colors, max_val=255))
    assert float(losses.psnr_loss(real_colors, fake_colors)) == pytest.approx(
        40 - float(psnr), abs=0.01)


def halves(*differences):
    """float32 [N, 1, 2, 3]: gray 100, red higher and lower by a difference."""
    return tf.constant([[[[100.0 + difference, 100, 100],
                          [100.0 - difference, 100, 100]]]
                        for difference in differences])


def test_colorfulness_loss_is_of_the_batch_as_a_whole():
    # R - G deviates by the difference, (R + G) / 2 - B by half of it.
    unit = math.sqrt(1.25)
    real_colors = halves(10.0, 30.0)
    assert float(losses.colorfulness_loss(real_colors, halves(5.0, 5.0))
                 ) == pytest.approx(15 * unit, rel=1e-5)
    assert float(losses.colorfulness_loss(real_colors, halves(50.0, 0.0))
                 ) == pytest.approx(5 * unit, rel=1e-5)
    # Which picture is how colorful does not matter.
    assert float(losses.colorfulness_loss(real_colors, halves(40.0, 0.0))
                 ) == pytest.approx(0.0, abs=1e-4)


def test_pale_pictures_are_made_more_colorful_and_garish_ones_less():
    for fake, sign in ((5.0, -1), (50.0, 1)):
        fake_colors = halves(fake)
        with tf.GradientTape() as tape:
            tape.watch(fake_colors)
            loss = losses.colorfulness_loss(halves(20.0), fake_colors)
        red = tape.gradient(loss, fake_colors)[0, 0, :, 0]
        assert np.sign(red[0]) == sign and np.sign(red[1]) == -sign


@pytest.mark.parametrize("color_space", [color.LAB, color.RGB],
                         ids=["lab", "rgb"])
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_losses_of_pictures_have_finite_gradients_everywhere(
        color_space, value):
    condition = tf.constant([[[[-1.0], [0.0], [1.0]]]])
    real = tf.zeros([1, 1, 3, color_space.target_channels])
    fake = tf.fill(real.shape, value)
    for loss in (losses.psnr_loss, losses.colorfulness_loss):
        with tf.GradientTape() as tape:
            tape.watch(fake)
            total = loss(color_space.decode_floats(condition, real),
                         color_space.decode_floats(condition, fake))
        assert np.isfinite(tape.gradient(total, fake)).all()


# Other GAN losses.


def test_every_choice_of_gan_loss_has_its_two_sides():
    choices = {field.name: field.metadata["choices"] for field
               in dataclasses.fields(Training)}["gan_loss"]
    assert choices == tuple(losses.GAN_LOSSES)


@pytest.mark.parametrize("gan_loss, real, fake, generator", [
    # Of logits 2, 0.5, -1: -log(sigmoid(x)), -log(1 - sigmoid(x)).
    ("vanilla", (AT_2 + 0.47407698 + 1.31326169) / 3,
     (AT_MINUS_2 + 0.97407698 + 0.31326169) / 3,
     (AT_2 + 0.47407698 + 1.31326169) / 3),
    # (x - 1)^2, x^2.
    ("lsgan", (1 + 0.25 + 4) / 3, (4 + 0.25 + 1) / 3, (1 + 0.25 + 4) / 3),
    # max(0, 1 - x), max(0, 1 + x), -x.
    ("hinge", (0 + 0.5 + 2) / 3, (3 + 1.5 + 0) / 3, -0.5)])
@pytest.mark.parametrize("shape", [(1, 1, 3, 1), (3, 1)],
                         ids=["patches", "images"])
def test_each_gan_loss_by_hand(gan_loss, real, fake, generator, shape):
    logits = tf.reshape(tf.constant([2.0, 0.5, -1.0], tf.bfloat16), shape)
    gan = losses.GAN_LOSSES[gan_loss]
    for loss, expected in ((gan.discriminator(logits, is_real=True), real),
                           (gan.discriminator(logits, is_real=False), fake),
                           (gan.generator(logits), generator)):
        assert loss.dtype == tf.float32 and loss.shape == ()
        assert float(loss) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("gan_loss, at_zero, at_two", [
    # Label 0.9: 0.9 log(1 + exp(-x)) + 0.1 log(1 + exp(x)); (x - 0.9)^2.
    ("vanilla", LOG_2, 0.9 * AT_2 + 0.1 * AT_MINUS_2),
    ("lsgan", 0.81, 1.21)])
def test_smoothing_moves_the_label_of_what_is_real_alone(
        gan_loss, at_zero, at_two):
    loss = losses.GAN_LOSSES[gan_loss].discriminator
    for logit, expected in ((0.0, at_zero), (2.0, at_two)):
        logits = logits_of(logit)
        assert float(loss(logits, is_real=True, label_smoothing=0.1)
                     ) == pytest.approx(expected, abs=1e-6)
        assert float(loss(logits, is_real=False, label_smoothing=0.1)
                     ) == float(loss(logits, is_real=False))
