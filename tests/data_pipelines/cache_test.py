"""The cache changes neither order nor pictures, and reads each file once."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import cache, color, pipeline
from data_pipelines.sources import open_source


@pytest.fixture
def photos(tmp_path):
    """Seven photographs of different sizes."""
    random = np.random.default_rng(0)
    for number in range(7):
        pixels = random.integers(0, 256, (40 + number, 50, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return open_source(f"folder:{tmp_path}", flag="--data")


def stream(source, count):
    batches = pipeline.training_batches(
        source, color_space=color.LAB, image_size=32, resize_size=36,
        batch_size=2, seed=5)
    return list(batches.take(count).as_numpy_iterator())


@pytest.mark.parametrize("kind", cache.KINDS)
def test_batches_are_equal_to_the_bit(photos, kind):
    plain = stream(photos, 14)
    for one, other in zip(plain, stream(cache.cached(photos, kind), 14)):
        for mine, its in zip(one, other):
            np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("kind, expected", [
    ("none", 21), ("memory", 7), ("disk", 7)])
def test_a_cached_photograph_is_decoded_once(photos, kind, expected):
    reads = []

    def counting(index):
        tf.numpy_function(lambda place: reads.append(int(place)), [index], [])
        return photos.load(index)

    counted = cache.cached(
        type(photos)(origin=photos.origin, identities=photos.identities,
                     load=counting), kind)
    for _ in range(3):
        for photo in tf.data.Dataset.range(7).map(counted.load):
            assert photo.shape[1:] == (50, 3)
    assert len(reads) == expected


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_an_unreadable_photograph_stays_unreadable(tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    source = cache.cached(
        open_source(f"folder:{tmp_path}", flag="--data"), kind)
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            source.load(tf.constant(0, tf.int64))
