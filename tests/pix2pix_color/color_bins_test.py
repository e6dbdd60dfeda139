"""Distributions over bins of a*b*, and the colors offered from them."""

import numpy as np
import tensorflow as tf

from pix2pix_color import color_bins


def peaks(*shares):
    """Logits of a distribution: ((a*, b*), share) of each peak."""
    logits = np.full((1, color_bins.NUM_BINS), -30.0, np.float32)
    for ab, share in shares:
        place = np.abs(color_bins.CENTERS - ab).sum(axis=-1).argmin()
        logits[0, place] = np.log(share)
    return tf.constant(logits)


def test_a_color_is_divided_among_the_four_bins_around_it():
    bins = color_bins.soft_bins(tf.constant(
        [[13.0, -27.0], [0.0, 0.0], [-110.0, 105.0]])).numpy()
    np.testing.assert_allclose(bins.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        bins @ color_bins.CENTERS, [[13, -27], [0, 0], [-110, 105]], atol=1e-3)
    assert list((bins > 1e-6).sum(axis=-1)) == [4, 1, 2]


def test_the_loss_is_lowest_for_the_real_bins():
    ab = tf.constant([[20.0, 40.0]])
    right, wrong = (float(color_bins.bins_loss(peaks((place, 1.0)), ab))
                    for place in ((20, 40), (40, 20)))
    assert right < 0.01 and wrong > 10


def test_likely_colors_are_different_ones_in_the_order_of_their_probability():
    colors, probabilities = color_bins.most_likely(
        peaks(((0, 0), 0.45), ((50, 40), 0.3), ((50, 50), 0.1),
              ((-40, 0), 0.15)), number=4)
    np.testing.assert_allclose(
        colors[0, :3], np.array([[0, 0], [50, 42.5], [-40, 0]]), atol=1e-3)
    np.testing.assert_allclose(
        probabilities[0], [0.45, 0.4, 0.15, 0.0], atol=1e-3)
    assert np.isfinite(colors).all()
