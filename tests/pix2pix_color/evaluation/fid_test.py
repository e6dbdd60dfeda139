"""The Frechet distance, against closed forms and scipy-free arithmetic."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.evaluation import fid

TURN, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))


@pytest.mark.parametrize("mean, scales, others, expected", [
    # Of s^2 I: |m1 - m2|^2 + D (s1 - s2)^2.
    ((1, 2, 2, 0), (4, 4, 4, 4), (9, 9, 9, 9), 9 + 4),
    # In a common basis: the sum of (sqrt(l1) - sqrt(l2))^2.
    ((0, 0, 0, 0), (1, 4, 9, 16), (4, 4, 1, 0), 1 + 0 + 4 + 16)])
def test_covariances_that_commute(mean, scales, others, expected):
    assert fid.frechet_distance(
        np.array(mean), TURN * scales @ TURN.T, np.zeros(4),
        TURN * others @ TURN.T) == pytest.approx(expected)


def test_two_dimensional_covariances_that_do_not_commute():
    # Tr sqrt(M) = sqrt(Tr M + 2 sqrt(det M)) for M = C1 C2 of size 2 x 2.
    first = np.array([[2.0, 0.5], [0.5, 1.0]])
    second = np.array([[1.0, -0.8], [-0.8, 3.0]])
    product = first @ second
    cross = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    assert fid.frechet_distance(
        np.zeros(2), first, np.zeros(2), second) == pytest.approx(
            np.trace(first) + np.trace(second) - 2 * cross)


def test_features_become_gaussians():
    features = np.random.default_rng(0).normal(size=(50, 6))
    assert fid.distance(features, features) == pytest.approx(0, abs=1e-9)
    assert fid.distance(features, features + 2) == pytest.approx(24)
    # Fewer pictures than features: eigenvalues that are 0 but for rounding.
    few = np.random.default_rng(1).normal(size=(5, 40))
    assert fid.distance(few, few + 1) == pytest.approx(40, abs=1e-3)


@pytest.mark.slow
def test_inception_takes_keras_s_weights(tmp_path):
    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(
        include_top=False, pooling="avg", weights=None,
        input_shape=(299, 299, 3))
    path = tmp_path / "inception.weights.h5"
    network.save_weights(path)
    rgb = tf.random.stateless_uniform(
        [2, 299, 299, 3], seed=[0, 1], maxval=256, dtype=tf.int32)
    rgb = tf.cast(rgb, tf.uint8)
    expected = network(keras.applications.inception_v3.preprocess_input(
        tf.cast(rgb, tf.float32)), training=False)
    features = fid.inception_features(str(path))(rgb)
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_weights_that_are_none_are_refused(tmp_path):
    path = tmp_path / "inception.weights.h5"
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="--inception_weights=.* must be"):
        fid.inception_features(str(path))
