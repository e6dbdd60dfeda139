"""Measurements, against scikit-image and Pillow."""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import augment
from data_pipelines.errors import UserError
from data_pipelines.inspection import measuring
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source, open_source

SIZE = 64


def measure(source, *, examples=0):
    """Returns the measurements, and the names that were rejected."""
    rejected = RejectedExamples(math.inf)
    measured = measuring.measure(source, image_size=SIZE, examples=examples,
                                 rejected=rejected, name="")
    return measured, [name.partition(": ")[2] for name in rejected.reasons]


def square_of(source, index):
    return augment.center_square(
        source.load(tf.constant(index, tf.int64)), image_size=SIZE).numpy()


def test_the_numbers_agree_with_scikit_image(photo_folder):
    source = open_source(f"folder:{photo_folder}", flag="--data")
    measured, rejected = measure(source)
    assert (measured.total, measured.chosen) == (14, 14)
    assert sorted(measured.identities) == sorted(
        path.name for path in photo_folder.glob("g*.jpg"))
    assert rejected == ["cut $off$.jpg", "写真.png"]

    lab = []
    for name, size, chroma, variety in zip(
            measured.identities, measured.sizes, measured.chroma,
            measured.variety):
        photo = square_of(source, source.identities.index(name))
        lab.append(skimage_color.rgb2lab(photo))
        with Image.open(photo_folder / name) as image:
            assert size == image.size[::-1]
        a, b = lab[-1][..., 1], lab[-1][..., 2]
        assert chroma == pytest.approx(np.hypot(a, b).mean(), abs=2e-3)
        assert variety == pytest.approx(np.hypot(a.std(), b.std()), abs=2e-3)

    lightness, a, b = np.reshape(lab, [-1, 3]).T
    edges = np.arange(-110, 111)
    for counts, expected in (
            (measured.ab_counts, np.histogram2d(a, b, [edges, edges])[0]),
            (measured.chroma_counts,
             np.histogram(np.hypot(a, b), np.arange(135))[0]),
            (measured.lightness_counts,
             np.histogram(lightness, np.arange(101))[0])):
        assert counts.sum() == len(a) == 12 * SIZE * SIZE
        # A color on a bin's edge may fall to either side.
        assert abs(counts - expected).sum() < 0.005 * len(a)


@pytest.mark.parametrize("rgb, lightness, chroma, a, b", [
    ((0, 0, 0), 0, 0, None, None),
    ((255, 255, 255), 99, 0, None, None),
    ((0, 0, 255), 32, 133, 79, -108),
    ((255, 0, 0), 53, 104, 80, 67),
])
def test_the_ends_of_the_gamut_are_counted(rgb, lightness, chroma, a, b):
    measured = measuring.Measurements(total=1)
    measured.add(np.broadcast_to(np.uint8(rgb), [1, 2, 2, 3]))
    assert measured.lightness_counts[lightness] == 4
    assert measured.chroma_counts[chroma] == 4
    assert measured.ab_counts.sum() == 4
    if a is not None:
        assert measured.ab_counts[a + 110, b + 110] == 4


def test_examples_are_spread_over_the_source(photo_folder):
    source = open_source(f"folder:{photo_folder}", flag="--data")
    measured, _ = measure(source.select(range(1, 13)), examples=3)
    assert (measured.total, measured.chosen) == (12, 3)
    assert measured.identities == [source.identities[index]
                                   for index in (1, 7, 12)]


def test_photographs_are_found_by_name_and_by_number():
    train, evaluation = (
        Source(origin="", identities=names, load=tf.identity)
        for names in (["a", "b"], ["c", "7"]))
    assert measuring.find_photo("b", train, evaluation) == (train, 1)
    assert measuring.find_photo("c", train, evaluation) == (evaluation, 0)
    assert measuring.find_photo("7", train, evaluation) == (evaluation, 1)
    assert measuring.find_photo("0", train, evaluation) == (train, 0)
    for wrong in ("2", "-1", "d"):
        with pytest.raises(UserError, match=rf"^--photo={wrong} is neither .* "
                           r"number from 0 to 1$"):
            measuring.find_photo(wrong, train, evaluation)
