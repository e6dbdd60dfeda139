"""Hashes of pictures: what they see and what they do not."""

import io
import itertools
import os

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from data_pipelines.preparation import duplicates
from data_pipelines.sources import sample_photos


def photograph(name="sklearn_china.jpg"):
    path = os.path.join(sample_photos.DIRECTORY, name)
    return Image.open(path).convert("RGB")


def bits_between(one, other):
    return (duplicates.perceptual_hash(one)
            ^ duplicates.perceptual_hash(other)).bit_count()


def recompressed(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(io.BytesIO(buffer.getvalue()))


def test_digest_is_of_pixels_and_shape():
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    digest = duplicates.pixel_digest(Image.fromarray(pixels))
    assert digest == duplicates.pixel_digest(Image.fromarray(pixels.copy()))
    assert len(digest) == 32
    changed = pixels.copy()
    changed[2, 3, 2] += 1
    for other in (changed, pixels.reshape(4, 3, 3), pixels[..., ::-1].copy()):
        assert duplicates.pixel_digest(Image.fromarray(other)) != digest


@pytest.mark.parametrize("change", [
    recompressed,
    lambda image: image.resize((image.width // 2, image.height // 2)),
    lambda image: image.resize((image.width, image.height - 9)),
    lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    lambda image: image.convert("L").convert("RGB"),
], ids=["recompressed", "halved", "squeezed", "darker", "gray"])
def test_hash_hardly_changes_with_the_file(change):
    image = photograph()
    assert bits_between(image, change(image)) <= 4


def test_hash_tells_photographs_apart():
    names = sorted(name for name in os.listdir(sample_photos.DIRECTORY)
                   if name.endswith(".jpg"))
    hashes = [duplicates.perceptual_hash(photograph(name)) for name in names]
    between = [(one ^ other).bit_count()
               for one, other in itertools.combinations(hashes, 2)]
    assert min(between) > 8
    assert 28 < np.mean(between) < 36
    # Each bit is worth its place: as often set as not.
    assert {number.bit_count() for number in hashes} == {32}


def test_turned_and_mirrored_photographs_are_others():
    image = photograph()
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.FLIP_LEFT_RIGHT):
        assert bits_between(image, image.transpose(turn)) > 8


@pytest.mark.parametrize("distance", [0, 1, 4, 16])
def test_hashes_within_the_distance_share_a_band(distance):
    rng = np.random.default_rng(distance)
    for _ in range(200):
        one = int(rng.integers(0, 2**64, dtype=np.uint64))
        other = one
        for bit in rng.choice(64, distance, replace=False).tolist():
            other ^= 1 << bit
        shared = (set(duplicates.bands(one, distance=distance))
                  & set(duplicates.bands(other, distance=distance)))
        assert shared


@pytest.mark.parametrize("distance", [0, 3, 4, 16])
def test_bands_hold_every_bit_once(distance):
    pieces = list(duplicates.bands(2**64 - 1, distance=distance))
    assert [number for number, _ in pieces] == list(range(distance + 1))
    assert sum(piece.bit_count() for _, piece in pieces) == 64


def test_a_distance_below_zero_has_no_bands():
    assert not list(duplicates.bands(5, distance=-1))


@pytest.mark.parametrize("pairs_at_once", [1, 1000, 2**21])
def test_earlier_alike_is_what_comparing_all_pairs_finds(pairs_at_once):
    rng = np.random.default_rng(1)
    seeds = rng.integers(0, 2**64, 20, dtype=np.uint64)
    flips = rng.integers(0, 64, (150, 2)).astype(np.uint64)
    hashes = rng.choice(seeds, 150)
    for column in range(2):
        hashes ^= np.uint64(1) << flips[:, column]
    found = duplicates.earlier_alike(
        hashes, distance=3, pairs_at_once=pairs_at_once)
    for index, value in enumerate(hashes.tolist()):
        earlier = [other for other in range(index)
                   if (value ^ hashes.tolist()[other]).bit_count() <= 3]
        assert found[index] == (earlier[0] if earlier else -1)
    assert 20 < (found >= 0).sum() < 150


def test_earlier_alike_of_nothing_is_nothing():
    assert duplicates.earlier_alike(np.array([], np.uint64), distance=4
                                    ).shape == (0,)
