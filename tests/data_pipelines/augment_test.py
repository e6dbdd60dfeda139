"""Crops, resizes and mirrors, against Pillow and against plain slices."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import augment


def noise(height, width):
    return np.random.default_rng(0).integers(
        0, 256, (height, width, 3), dtype=np.uint8)


def coordinates(height, width):
    """A photograph whose red is the row and whose green is the column."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, 0 * x], axis=-1).astype(np.uint8)


def checkerboard(side):
    squares = np.indices((side, side)).sum(axis=0) % 2 * 255
    return np.stack([squares] * 3, axis=-1).astype(np.uint8)


def jitter(rgb, *, image_size, resize_size, seed=(0, 0)):
    return augment.jitter(
        tf.constant(rgb), image_size=image_size, resize_size=resize_size,
        seed=tf.constant(seed, tf.int64)).numpy()


def jitter_many(rgb, *, image_size, resize_size, num_seeds,
                max_resize_size=0, min_detail=0):
    """uint8 [num_seeds, S, S, 3]: the photograph under the seeds (7, 0..)."""
    def jittered(ordinal):
        return augment.jitter(
            tf.constant(rgb), image_size=image_size, resize_size=resize_size,
            max_resize_size=max_resize_size, min_detail=min_detail,
            seed=tf.stack([tf.constant(7, tf.int64), ordinal]))

    dataset = tf.data.Dataset.range(num_seeds).map(jittered)
    return np.stack(list(dataset.as_numpy_iterator()))


def center_square(rgb, image_size):
    return augment.center_square(
        tf.constant(rgb), image_size=image_size).numpy()


@pytest.mark.parametrize("height, width", [
    (1, 1), (2, 3), (3, 500), (500, 3), (31, 64), (64, 31), (200, 200)])
def test_any_photograph_becomes_a_square_of_bytes(height, width):
    photo = noise(height, width)
    for rgb in (jitter(photo, image_size=32, resize_size=36),
                center_square(photo, 32)):
        assert rgb.shape == (32, 32, 3)
        assert rgb.dtype == np.uint8


def test_one_pixel_fills_the_square():
    pixel = np.asarray([[[10, 20, 30]]], np.uint8)
    expected = np.tile(pixel, (8, 8, 1))
    np.testing.assert_array_equal(center_square(pixel, 8), expected)
    for resize_size in (8, 9, 32):
        np.testing.assert_array_equal(
            jitter(pixel, image_size=8, resize_size=resize_size), expected)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_plain_photograph_stays_plain_up_to_its_borders(value):
    plain = np.full((61, 90, 3), value, np.uint8)
    for size in (16, 100):
        assert (center_square(plain, size) == value).all()
        assert (jitter(plain, image_size=size, resize_size=110)
                == value).all()


def test_the_picture_depends_on_both_numbers_of_the_seed():
    first, again, *others = (
        jitter(noise(50, 70), image_size=32, resize_size=36, seed=seed)
        for seed in [(3, 4), (3, 4), (3, 5), (4, 4), (4, 3)])
    np.testing.assert_array_equal(first, again)
    for other in others:
        assert (first != other).mean() > 0.5


def test_jitter_is_the_same_in_dataset_map():
    mapped = jitter_many(
        noise(50, 70), image_size=32, resize_size=36, num_seeds=6)
    for ordinal, rgb in enumerate(mapped):
        np.testing.assert_array_equal(rgb, jitter(
            noise(50, 70), image_size=32, resize_size=36, seed=(7, ordinal)))


def test_center_square_is_the_same_in_dataset_map():
    dataset = tf.data.Dataset.from_tensors(noise(50, 70)).map(
        lambda rgb: augment.center_square(rgb, image_size=32))
    np.testing.assert_array_equal(
        next(iter(dataset)), center_square(noise(50, 70), 32))


def test_jitter_cuts_every_square_that_fits_about_equally_often():
    # The shorter side is resize_size already, so that no pixel is resized and
    # every picture is a slice of the photograph or its mirror.
    photograph = coordinates(20, 22)
    num_places, num_seeds = 5 * 7, 1400
    counts = np.zeros((5, 7), int)
    num_mirrored = 0
    for rgb in jitter_many(
            photograph, image_size=16, resize_size=20, num_seeds=num_seeds):
        if rgb[0, 0, 1] > rgb[0, -1, 1]:
            rgb = rgb[:, ::-1]
            num_mirrored += 1
        y, x = rgb[0, 0, :2]
        np.testing.assert_array_equal(rgb, photograph[y:y + 16, x:x + 16])
        counts[y, x] += 1
    expected = num_seeds / num_places
    assert counts.min() > expected / 2
    assert counts.max() < expected * 2
    assert 0.45 < num_mirrored / num_seeds < 0.55


def test_mirror_row_and_column_do_not_depend_on_each_other():
    rgb = jitter_many(
        coordinates(20, 20), image_size=8, resize_size=20,
        num_seeds=600).astype(float)
    choices = [rgb[:, 0, 0, 1] > rgb[:, 0, -1, 1],
               rgb[..., 0].min(axis=(1, 2)), rgb[..., 1].min(axis=(1, 2))]
    correlations = np.corrcoef(np.stack(choices).astype(float))
    assert np.abs(correlations - np.eye(3)).max() < 0.12


@pytest.mark.parametrize("height, width, scale", [
    (40, 60, 2.0), (60, 40, 2.0), (200, 80, 4.0), (10, 15, 0.5)])
def test_jitter_equals_resize_then_crop_for_any_aspect_ratio(
        height, width, scale):
    """Scale is what the shorter side is divided by to become 20 pixels."""
    for rgb in jitter_many(coordinates(height, width), image_size=16,
                           resize_size=20, num_seeds=10).astype(float):
        for axis, length, values in (
                (0, height, rgb[..., 0]), (1, width, rgb[..., 1])):
            slope = np.abs(np.mean(np.diff(values, axis=axis)[2:-2, 2:-2]))
            assert slope == pytest.approx(scale, abs=0.1)
            assert 0 <= values.min() and values.max() <= length - 1
            # Half a pixel lies outside the outermost centers on each side.
            assert np.ptp(values) == pytest.approx(15 * scale, abs=1.5)


@pytest.mark.parametrize("height, width", [(240, 240), (240, 250),
                                           (250, 240)])
def test_a_drawn_size_shows_more_or_less_of_the_photograph(height, width):
    rgb = jitter_many(coordinates(height, width), image_size=60,
                      resize_size=60, max_resize_size=240, num_seeds=600)
    rows, columns = (np.ptp(rgb[..., axis].astype(float), axis=(1, 2)) + 1
                     for axis in (0, 1))
    np.testing.assert_allclose(rows, columns, rtol=0, atol=2)  # squares
    # The whole shorter side is 240 pixels, a quarter of it 60, and of sizes
    # whose logarithm is even as many lie above their geometric mean as below.
    assert 58 <= rows.min() < 63 and 230 < rows.max() <= 241
    assert np.median(rows) == pytest.approx(120, rel=0.1)
    for quarter in (60, 85, 120, 170):
        share = ((rows > quarter) & (rows < quarter * 2**0.5)).mean()
        assert 0.18 < share < 0.32


def test_the_drawn_size_does_not_depend_on_place_or_mirror():
    rgb = jitter_many(coordinates(240, 240), image_size=60, resize_size=60,
                      max_resize_size=240, num_seeds=600).astype(float)
    side = np.ptp(rgb[..., 0], axis=(1, 2)) + 1
    room = np.maximum(240 - side, 1)
    choices = np.stack([rgb[:, 0, 0, 1] > rgb[:, 0, -1, 1], side,
                        rgb[..., 0].min(axis=(1, 2)) / room])
    choices = choices[:, side < 230]
    correlations = np.corrcoef(choices.astype(float))
    assert np.abs(correlations - np.eye(3)).max() < 0.12


def test_the_largest_size_of_zero_draws_none():
    of_one_size, drawn_from_one = (jitter_many(
        noise(50, 70), image_size=16, resize_size=20, num_seeds=8,
        max_resize_size=max_resize_size) for max_resize_size in (0, 20))
    np.testing.assert_array_equal(of_one_size, drawn_from_one)


def test_square_of_the_networks_size_is_the_photograph_or_its_mirror():
    photograph = noise(16, 16)
    pictures = jitter_many(
        photograph, image_size=16, resize_size=16, num_seeds=40)
    same = (pictures == photograph).all(axis=(1, 2, 3))
    mirrored = (pictures == photograph[:, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 10 < same.sum() < 30


@pytest.mark.parametrize("height, width, side", [(16, 40, 24), (40, 16, 24)])
def test_only_the_longer_side_is_jittered_at_the_networks_size(
        height, width, side):
    pictures = jitter_many(
        coordinates(height, width), image_size=16, resize_size=16,
        num_seeds=200)
    tops = pictures[..., 0].min(axis=(1, 2))
    lefts = pictures[..., 1].min(axis=(1, 2))
    shorter, longer = (tops, lefts) if height < width else (lefts, tops)
    assert (shorter == 0).all()
    assert longer.min() == 0 and longer.max() == side


@pytest.mark.parametrize("height, width, top, left", [
    (10, 20, 0, 5), (20, 10, 5, 0), (10, 17, 0, 3), (17, 10, 3, 0),
    (10, 11, 0, 0), (10, 10, 0, 0)])
def test_center_square_is_cut_from_the_middle(height, width, top, left):
    photograph = noise(height, width)
    np.testing.assert_array_equal(
        center_square(photograph, 10),
        photograph[top:top + 10, left:left + 10])


@pytest.mark.parametrize("height, width", [
    (20, 20), (37, 90), (100, 100), (300, 200)])
@pytest.mark.parametrize("image_size", [16, 64, 100])
def test_center_square_agrees_with_pillows_antialiased_resize(
        height, width, image_size):
    photograph = noise(height, width)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    expected = Image.fromarray(
        photograph[top:top + side, left:left + side]).resize(
            (image_size, image_size), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(
        center_square(photograph, image_size).astype(int),
        np.asarray(expected).astype(int), rtol=0, atol=1)


def test_a_fine_checkerboard_shrinks_to_flat_gray():
    for gray in (center_square(checkerboard(256), 64),
                 jitter(checkerboard(256), image_size=32, resize_size=36)):
        np.testing.assert_allclose(gray.astype(int), 127.5, rtol=0, atol=2)


@pytest.mark.parametrize("image_size, expected", [(256, 286), (128, 143)])
def test_jitter_defaults_to_that_of_pix2pix(image_size, expected):
    assert augment.default_resize_size(image_size) == expected


@pytest.mark.parametrize("shorter, is_cropped", [
    (36, True), (37, False), (35, False), (288, True), (283, True),
    (280, False), (292, False)])
def test_photograph_near_the_scale_is_cropped_as_it_is(shorter, is_cropped):
    image_size, resize_size = (32, 36) if shorter < 40 else (256, 286)
    photograph = noise(shorter, shorter + 20)
    rgb = jitter(photograph, image_size=image_size, resize_size=resize_size)
    slices = np.lib.stride_tricks.sliding_window_view(
        photograph, rgb.shape).squeeze(2)
    found = any((slices[row, column] == picture).all()
                for picture in (rgb, rgb[:, ::-1])
                for row in range(slices.shape[0])
                for column in range(slices.shape[1])
                if (slices[row, column, 0, 0] == picture[0, 0]).all())
    assert found == is_cropped


def test_photograph_near_the_scale_but_too_small_is_resized():
    rgb = jitter(noise(63, 80), image_size=64, resize_size=64)
    assert rgb.shape == (64, 64, 3)


def test_half_of_the_photographs_have_less_detail():
    rgb = noise(128, 128)
    options = dict(image_size=128, resize_size=128, num_seeds=60)
    plain = jitter_many(rgb, **options)
    reduced = jitter_many(rgb, min_detail=32, **options)
    is_same = (plain == reduced).all(axis=(1, 2, 3))
    assert 0.3 < is_same.mean() < 0.7
    # Noise that is averaged over n x n pixels varies by 1/n.
    spread = reduced[~is_same].std(axis=(1, 2, 3)) / plain.std()
    assert spread.min() > 0.08 and spread.max() < 0.95
    assert spread.min() < 0.35


def test_detail_is_never_more_than_there_is():
    rgb = noise(24, 40)
    options = dict(image_size=64, resize_size=64, num_seeds=20)
    np.testing.assert_array_equal(
        jitter_many(rgb, **options),
        jitter_many(rgb, min_detail=32, **options))
