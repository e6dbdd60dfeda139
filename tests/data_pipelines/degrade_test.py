"""Degraded lightness: what is drawn, how often, and from what."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import augment, color, degrade
from data_pipelines.sources import sample_photos


def photo(size=128, name="gcompris_red_panda.jpg"):
    return augment.center_square(tf.io.decode_jpeg(tf.io.read_file(
        f"{sample_photos.DIRECTORY}/{name}")), image_size=size)


def seed(number):
    return tf.constant([number, 5], tf.int64)


@pytest.fixture(scope="module")
def drawn():
    """200 degraded versions of one flat picture: uint8 [200, 64, 64]."""
    flat = tf.fill([64, 64, 3], tf.constant(128, tf.uint8))
    return np.stack([degrade.degrade(flat, seed=seed(number))[..., 0]
                     for number in range(200)])


def test_the_same_seed_gives_the_same_picture_in_a_dataset_too():
    one = photo()
    results = list(tf.data.Dataset.range(6).map(
        lambda number: degrade.degrade(one, seed=tf.stack(
            [number, tf.constant(5, tf.int64)]))))
    for number, result in enumerate(results):
        assert result.shape == (128, 128, 1) and result.dtype == tf.uint8
        np.testing.assert_array_equal(
            result, degrade.degrade(one, seed=seed(number)))
    assert not np.array_equal(results[0], results[1])


def test_a_fifth_have_a_white_border_of_2_to_8_percent(drawn):
    edge = np.concatenate([drawn[:, 0], drawn[:, -1], drawn[:, :, 0],
                           drawn[:, :, -1]], axis=1)
    has_border = edge.min(axis=1) > 215  # JPEG bleeds
    assert 0.12 < has_border.mean() < 0.28
    whites = (drawn[has_border][:, 32] > 215).sum(axis=1) / 2
    assert whites.min() >= 1 and whites.max() <= 6


def test_tones_are_lifted_and_lowered_within_limits(drawn):
    center = drawn[:, 28:36, 28:36].mean(axis=(1, 2))
    # 128/255 to the power of 0.75 or 1.35, between 0..40 and 215..255.
    lowest = (128 / 255)**1.35 * 215
    highest = (128 / 255)**0.75 * 215 + 40
    assert lowest - 12 < np.percentile(center, 2)
    assert np.percentile(center, 98) < highest + 12
    assert np.ptp(center) > 40


def test_a_third_have_scratches(drawn):
    # A line is 60 from its surroundings; the grain is not.
    inner = drawn[:, 6:-6, 6:-6].astype(int)
    jump = np.abs(inner - np.median(inner, axis=(1, 2), keepdims=True))
    scratched = (jump > 42).mean(axis=(1, 2)) > 0.004
    assert 0.15 < scratched.mean() < 0.45


def test_film_weighs_red_green_and_blue_in_four_ways():
    pure = tf.constant(np.eye(3, dtype=np.uint8) * 255)
    seen = set()
    for number in range(40):
        levels = []
        for channel in range(3):
            flat = tf.tile(pure[channel][tf.newaxis, tf.newaxis], [32, 32, 1])
            levels.append(float(np.median(degrade.degrade(
                flat, seed=seed(number)))))
        seen.add(tuple(np.argsort(levels)))
    # green, blue, or red is the brightest
    assert {order[-1] for order in seen} == {0, 1, 2}


def test_lengths_grow_with_the_picture():
    """The same seed draws the same print at another size."""
    small, large = (degrade.degrade(photo(size), seed=seed(3))
                    for size in (128, 256))
    reduced = np.asarray(Image.fromarray(large[..., 0].numpy()).resize(
        (128, 128), Image.Resampling.BOX), np.float32)
    difference = np.abs(reduced - small[..., 0].numpy().astype(np.float32))
    assert difference.mean() < 8


def test_a_gray_photograph_of_its_own_is_degraded_instead():
    rgb, gray = photo(64), tf.fill([64, 64, 1], tf.constant(128, tf.uint8))
    flat = degrade.degrade(tf.concat([rgb, gray], axis=-1), seed=seed(0))
    assert flat.numpy().std() < degrade.degrade(rgb, seed=seed(0)).numpy().std()


def test_training_shows_half_of_the_photographs_as_they_are():
    rgb = photo(64)
    clean = color.given_gray(rgb)[..., 0].numpy()
    shown = [degrade.degrade_half(rgb, seed=seed(number)).numpy()
             for number in range(60)]
    for picture in shown:
        assert picture.shape == (64, 64, 4)
        np.testing.assert_array_equal(picture[..., :3], rgb)
    same = [np.array_equal(picture[..., 3], clean) for picture in shown]
    assert 0.3 < np.mean(same) < 0.7


def test_seeds_follow_from_names_alone():
    seeds = degrade.seeds_of(["a.jpg", "b/c.jpg", "caf\udce9.jpg"])
    assert seeds.shape == (3, 2) and seeds.dtype == np.int64
    np.testing.assert_array_equal(seeds[1:2], degrade.seeds_of(["b/c.jpg"]))
    assert len(set(map(tuple, seeds.tolist()))) == 3
