"""Recoloring in strips, against the conversions of color.py."""

import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.saved_model import recolor


def random_rgb(height, width):
    return np.random.default_rng(height * width).integers(
        0, 256, (height, width, 3), np.uint8)


def constant_field(ab):
    """A field whose chroma is ab, whatever the lightness."""
    return recolor.ChromaField(tf.zeros_like(ab), tf.constant(ab))


@pytest.mark.parametrize("scale", [20.0, 110.0], ids=["inside", "outside"])
def test_it_agrees_with_the_slow_conversion_to_one_step(scale):
    rgb = random_rgb(40, 60)
    ab = np.random.default_rng(1).uniform(
        -scale, scale, (40, 60, 2)).astype(np.float32)
    lightness = color.rgb_to_lab(rgb)[..., :1]
    expected = color.lab_to_rgb(tf.concat([lightness, ab], -1)).numpy()
    result = recolor.recolor(rgb, constant_field(ab)).numpy()
    difference = np.abs(result.astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01
    change = skimage.color.rgb2lab(result)[..., 0] - lightness[..., 0].numpy()
    assert np.abs(change).mean() < 0.2


def test_the_photograph_s_own_color_gives_the_photograph():
    rgb = random_rgb(30, 20)
    ab = color.rgb_to_lab(rgb)[..., 1:].numpy()
    result = recolor.recolor(rgb, constant_field(ab)).numpy()
    assert np.abs(result.astype(int) - rgb).max() <= 1


def test_chroma_follows_slope_and_intercept():
    gray = np.full((8, 8, 3), 119, np.uint8)  # L* 50, lightness 0
    gray[:, 4:] = 185  # L* 75, lightness 0.5
    field = recolor.ChromaField(tf.fill([8, 8, 2], 20.0),
                                tf.fill([8, 8, 2], 3.0))
    ab = skimage.color.rgb2lab(recolor.recolor(gray, field))[..., 1:]
    np.testing.assert_allclose(ab[:, :4], 3.0, atol=0.7)
    np.testing.assert_allclose(ab[:, 4:], 13.0, atol=0.7)


@pytest.mark.parametrize("height, width", [(1, 1), (7, 100), (50, 3)])
def test_strips_of_any_size_give_the_same(height, width):
    rgb = random_rgb(height, width)
    field = recolor.ChromaField(*tf.unstack(tf.random.stateless_normal(
        [2, 5, 4, 2], seed=[0, 1]) * 20))
    whole = recolor.recolor(rgb, field).numpy()
    np.testing.assert_array_equal(
        recolor.recolor(rgb, field, strip_pixels=4 * width), whole)
    assert whole.shape == (height, width, 3)


def test_a_field_is_stretched_as_tensorflow_resizes():
    ab = np.random.default_rng(3).uniform(-15, 15, (6, 5, 2)).astype(np.float32)
    gray = np.full((24, 20, 3), 119, np.uint8)
    stretched = skimage.color.rgb2lab(
        recolor.recolor(gray, constant_field(ab)))[..., 1:]
    # Inside: at the border TensorFlow does not repeat the last values.
    np.testing.assert_allclose(
        stretched[8:-8, 8:-8], tf.image.resize(
            ab, [24, 20], method="bicubic")[8:-8, 8:-8], atol=0.7)


def test_fields_are_scaled_and_blended():
    one, other = recolor.ChromaField(10.0, 4.0), recolor.ChromaField(0.0, 8.0)
    assert one.scaled(0.5) == (5.0, 2.0)
    assert one.blended(other, 0.25) == (7.5, 5.0)
