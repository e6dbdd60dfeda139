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
def test_strips_of_any_size_give_the_same(height, width, monkeypatch):
    rgb = random_rgb(height, width)
    field = recolor.ChromaField(*tf.unstack(tf.random.stateless_normal(
        [2, 5, 4, 2], seed=[0, 1]) * 20))
    whole = recolor.recolor(rgb, field).numpy()
    monkeypatch.setattr(recolor, "_STRIP_PIXELS", 4 * width)
    np.testing.assert_array_equal(recolor.recolor(rgb, field), whole)
    assert whole.shape == (height, width, 3)


def test_a_field_is_stretched_as_tensorflow_resizes():
    field = tf.random.stateless_uniform([6, 5, 4], seed=[0, 3])
    # Inside, where the border's treatment is not seen.
    expected = tf.image.resize(field, [24, 20], method="bicubic")[8:-8, 8:-8]
    planes = recolor._stretch_rows(tf.transpose(field, [2, 0, 1]), 20)
    rows = recolor._rows_at(planes, tf.range(8, 16), 24)
    np.testing.assert_allclose(
        tf.stack(rows, axis=-1)[:, 8:-8], expected, atol=1e-4)
