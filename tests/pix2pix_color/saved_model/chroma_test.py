"""Chroma at full resolution: edges, panoramas, sizes."""

import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from data_pipelines import augment, color
from pix2pix_color.saved_model import chroma, recolor

SIZE = 32


def by_lightness(condition):
    """A generator that colors dark pixels blue and light ones orange."""
    return tf.concat([0.2 * condition, 0.3 * condition], axis=-1)


def predict_field(rgb, predict=by_lightness, size=SIZE):
    return chroma.predict_field(tf.constant(rgb), predict=predict, size=size,
                                color_space=color.LAB)


def step_edge(height=200, width=256, at=131):
    """A dark half and a light half, uint8."""
    rgb = np.full((height, width, 3), 70, np.uint8)
    rgb[:, at:] = 190
    return rgb


def test_color_ends_at_an_edge_where_bicubic_bleeds():
    rgb = step_edge()
    lab = skimage.color.rgb2lab(rgb)
    true_ab = np.concatenate(
        [22 * (lab[..., :1] / 50 - 1), 33 * (lab[..., :1] / 50 - 1)], -1)
    field = predict_field(rgb)
    ours = skimage.color.rgb2lab(recolor.recolor(rgb, field))[..., 1:]

    reduced = augment.resize(tf.constant(rgb), [25, 32])
    low = color.LAB.encode(reduced)[0]
    bicubic = tf.image.resize(
        by_lightness(low) * 110, rgb.shape[:2], method="bicubic").numpy()

    def bleeding(ab):
        """Columns in which the color is off by more than 3; mean error."""
        off = np.abs(ab - true_ab)[100, 115:147].max(axis=-1)
        return int((off > 3).sum()), float(off.mean())

    columns, error = bleeding(ours)
    bicubic_columns, bicubic_error = bleeding(bicubic)
    assert bicubic_columns >= 8 and bicubic_error > 3
    assert columns == 0
    assert error < bicubic_error / 5


def test_at_the_generator_s_own_size_nothing_is_changed():
    rng = np.random.default_rng(0)
    lightness = tf.constant(rng.uniform(-1, 1, (9, 12, 1)), tf.float32)
    ab = tf.constant(rng.uniform(-50, 50, (9, 12, 2)), tf.float32)
    slope, intercept = chroma.follow_lightness(lightness, ab)
    np.testing.assert_allclose(slope * lightness + intercept, ab, atol=1e-4)


def test_slopes_are_averaged_over_the_windows_of_a_pixel():
    """As the guided filter has it (He, Sun, Tang 2010, equation 8)."""
    rng = np.random.default_rng(1)
    lightness = rng.uniform(-1, 1, (5, 5, 1)).astype(np.float32)
    ab = rng.uniform(-50, 50, (5, 5, 2)).astype(np.float32)
    slopes = []
    for y in range(1, 4):
        for x in range(1, 4):
            window = (slice(y - 1, y + 2), slice(x - 1, x + 2))
            deviation = lightness[window] - lightness[window].mean()
            slopes.append((deviation * ab[window]).mean((0, 1)) / (
                lightness[window].var() + chroma.EPSILON))
    slope, _ = chroma.follow_lightness(tf.constant(lightness), tf.constant(ab))
    np.testing.assert_allclose(slope[2, 2], np.mean(slopes, 0), rtol=1e-3)


@pytest.mark.parametrize("shape, expected", [
    ((32, 32), (32, 32)), ((480, 640), (24, 32)), ((10, 20), (16, 32)),
    ((1, 1), (32, 32)), ((500, 200), (40, 16)), ((11, 300), (11, 300)),
    ((8, 20), (13, 32)), ((1, 100_000), (1, 1024))])
def test_reduced_sizes(shape, expected):
    size = chroma.reduced_size(tf.constant(shape), SIZE)
    assert tuple(size.numpy()) == expected


def test_a_photograph_is_mirrored_to_a_square():
    picture = tf.reshape(tf.range(8), [2, 4, 1])
    square = chroma.mirror(picture, 4, 4)
    np.testing.assert_array_equal(
        square[..., 0], [[0, 1, 2, 3], [4, 5, 6, 7]] * 2)


@pytest.mark.parametrize("turned", [False, True])
def test_a_panorama_is_covered_by_tiles_that_blend(turned):
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (4, 24, 3), np.uint8)
    rgb = tf.cast(tf.image.resize(coarse, (60, 600)), tf.uint8).numpy()
    if turned:
        rgb = rgb.transpose(1, 0, 2)
    seen = []

    def predict(condition):
        assert condition.shape == (1, SIZE, SIZE, 1)
        seen.append(condition)
        return by_lightness(condition)

    field = predict_field(rgb, predict)
    shape = (160, 16) if turned else (16, 160)
    assert field.slope.shape == (*shape, 2)
    assert len(seen) == 9  # 160 = 32 + 8 * 16
    lightness = color.scale_lightness(
        color.rgb_to_lab(augment.resize(tf.constant(rgb), shape))[..., :1])
    # A generator that looks at single pixels shows no seams.
    np.testing.assert_allclose(
        field.slope * lightness + field.intercept,
        by_lightness(lightness) * 110, atol=1e-3)


def test_tiles_that_disagree_change_into_each_other_slowly():
    num_calls: list[None] = []

    def predict(condition):
        num_calls.append(None)
        return tf.fill([1, SIZE, SIZE, 2], 0.2 if len(num_calls) % 2 else 0.4)

    gray = np.full((60, 300, 3), 119, np.uint8)
    field = predict_field(gray, predict)
    ab = field.intercept.numpy() + field.slope.numpy() * 0
    assert len(num_calls) == 4
    assert ab.min() >= 22 - 1e-3 and ab.max() <= 44 + 1e-3
    assert np.abs(np.diff(ab, axis=1)).max() < 3


@pytest.mark.parametrize("size", [64, tf.constant(64)], ids=["int", "tensor"])
def test_a_larger_square_shows_the_generator_more(size):
    rgb = step_edge(64, 64, at=33)
    field = predict_field(rgb, size=size)
    assert field.slope.shape == (64, 64, 2)
    lightness = color.LAB.encode(tf.constant(rgb))[0]
    np.testing.assert_allclose(
        field.slope * lightness + field.intercept,
        by_lightness(lightness) * 110, atol=1e-3)
