"""The semantic loss and the judge, against numbers worked out with numpy."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment
from data_pipelines.errors import UserError
from data_pipelines.sources import sample_photos
from pix2pix_color import semantic_loss
from pix2pix_color.evaluation import judge
from pix2pix_color.networks import efficientnet_lite, efficientnet_weights


@pytest.fixture(scope="module")
def classifier():
    return efficientnet_weights.load_classifier(
        efficientnet_weights.find_weights("imagenet", flag=""), flag="")


@pytest.fixture(scope="module")
def pictures():
    """Two photographs, and the same without color: float32 [2, 64, 64, 3]."""
    photos = [augment.center_square(tf.io.decode_jpeg(tf.io.read_file(
        f"{sample_photos.DIRECTORY}/{name}")), image_size=64)
        for name in ("gcompris_red_panda.jpg", "sklearn_china.jpg")]
    real = tf.cast(tf.stack(photos), tf.float32)
    return real, tf.repeat(tf.reduce_mean(real, axis=-1, keepdims=True), 3, -1)


def test_the_loss_is_divergence_and_distance(classifier, pictures):
    real, fake = (classifier(efficientnet_lite.scale_rgb(colors))
                  for colors in pictures)
    real_shares, fake_shares = (
        np.exp(seen[-1]) / np.exp(seen[-1]).sum(axis=-1, keepdims=True)
        for seen in (real, fake))
    divergence = (real_shares * np.log(real_shares / fake_shares)).sum(-1)
    distances = []
    for real_tap, fake_tap in zip(real[:-1], fake[:-1]):
        units = [tap / np.linalg.norm(tap, axis=-1, keepdims=True)
                 for tap in (real_tap.numpy(), fake_tap.numpy())]
        distances.append(((units[0] - units[1])**2).sum(axis=-1).mean())
    assert float(semantic_loss.semantic_loss(
        *pictures, classifier=classifier)) == pytest.approx(
            2 * divergence.mean() + 5 * np.mean(distances), rel=1e-3)
    np.testing.assert_allclose(
        judge.kl(real[-1], fake[-1]), divergence, rtol=1e-3)


def test_it_is_zero_for_the_photograph_and_falls_on_the_way_there(
        classifier, pictures):
    real, gray = pictures
    losses = [float(semantic_loss.semantic_loss(
        real, gray + share * (real - gray), classifier=classifier))
        for share in (0.0, 0.5, 1.0)]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] == pytest.approx(0.0, abs=1e-5)


def test_its_gradient_reaches_the_colors_and_not_the_classifier(
        classifier, pictures):
    real, gray = pictures
    with tf.GradientTape() as tape:
        tape.watch(gray)
        loss = semantic_loss.semantic_loss(real, gray, classifier=classifier)
    gradient = tape.gradient(loss, gray)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    assert not classifier.trainable_variables


def test_the_judge_agrees_with_itself_and_sees_missing_color(pictures):
    the_judge = judge.Judge("imagenet")
    assert the_judge.name == "efficientnet_lite2"
    real, gray = (the_judge.logits(tf.cast(colors, tf.uint8))
                  for colors in pictures)
    assert real.shape == (2, 1000)
    np.testing.assert_array_equal(judge.agreement(real, real), [1, 1])
    np.testing.assert_allclose(judge.kl(real, real), [0, 0], atol=1e-5)
    assert (judge.kl(real, gray).numpy() > 0.01).all()
    np.testing.assert_array_equal(
        judge.agreement(real, tf.roll(real, 1, axis=-1)), [0, 0])


def test_nobody_judges_what_was_trained_to_please_him():
    with pytest.raises(UserError, match=(
            "--judge_weights=imagenet is efficientnet_lite2, which the model "
            "was trained to please by --semantic_weight; name another")):
        judge.Judge("imagenet", "efficientnet_lite2")
    assert judge.Judge("imagenet", "efficientnet_lite0").name
