"""The Kaggle collection: its very files, read where they lie."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from skimage import color as skimage_color

from data_pipelines import split
from data_pipelines.errors import UserError
from data_pipelines.sources import open_source

COUNTS = (4, 4, 2)  # 10000, 10000 and 5000 in the real one


def rgb_photos(count, size=224):
    """Smooth pictures of moderate colors, uint8 [count, size, size, 3]."""
    corners = np.random.default_rng(0).uniform(60, 200, (count, 2, 2, 3))
    return tf.cast(tf.image.resize(corners, [size, size]), tf.uint8).numpy()


def write_collection(directory, rgb, counts=COUNTS):
    """Writes RGB as OpenCV would have: 8-bit Lab in the collection's files."""
    lab = skimage_color.rgb2lab(rgb)
    lightness = np.round(lab[..., 0] * 255 / 100).astype(np.uint8)
    ab = np.round(lab[..., 1:] + 128).astype(np.uint8)
    os.makedirs(directory / "l")
    os.makedirs(directory / "ab" / "ab")
    np.save(directory / "l" / "gray_scale.npy", lightness)
    for part, values in enumerate(np.split(ab, np.cumsum(counts)[:-1]), 1):
        np.save(directory / "ab" / "ab" / f"ab{part}.npy", values)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    directory = tmp_path_factory.mktemp("kaggle")
    rgb = rgb_photos(sum(COUNTS))
    write_collection(directory, rgb)
    return directory, rgb


def test_every_photograph_comes_back_within_the_8_bit_rounding(collection):
    directory, rgb = collection
    photos = open_source(f"kaggle_npy:{directory}", flag="--data")
    assert list(photos.identities) == [str(n) for n in range(10)]
    for index, photo in enumerate(tf.data.Dataset.range(10).map(photos.load)):
        assert photo.dtype == tf.uint8 and photo.shape == (224, 224, 3)
        error = np.abs(photo.numpy().astype(int) - rgb[index])
        assert error.mean() < 1.5 and error.max() <= 6
    eager = photos.load(tf.constant(9, tf.int64))
    np.testing.assert_array_equal(eager, photo)


def test_it_splits_as_other_sources_do(collection):
    train, evaluation = split.open_train_and_eval(
        data=f"kaggle_npy:{collection[0]}", eval_data="", eval_fraction=0.5,
        train_examples=0, eval_examples=0)
    assert sorted([*train.identities, *evaluation.identities]) == [
        str(n) for n in range(10)]


def test_reading_takes_memory_for_a_photograph_and_not_for_the_arrays(tmp_path):
    """1,200 photographs are 180 MB of arrays; one is 150 KB."""
    counts = (500, 500, 200)
    (tmp_path / "l").mkdir()
    (tmp_path / "ab" / "ab").mkdir(parents=True)
    shapes = {"l/gray_scale.npy": (1200, 224, 224),
              **{f"ab/ab/ab{part}.npy": (count, 224, 224, 2)
                 for part, count in enumerate(counts, 1)}}
    for name, shape in shapes.items():
        np.lib.format.open_memmap(
            tmp_path / name, "w+", np.uint8, shape)[:] = 128
    code = (
        "import sys, tensorflow as tf;"
        "from data_pipelines.sources import open_source;"
        "anonymous = lambda: sum(int(line.split()[1]) for line in"
        " open('/proc/self/status') if line.startswith('RssAnon'));"
        "photos = open_source('kaggle_npy:' + sys.argv[1], flag='--data');"
        "photos.load(tf.constant(0, tf.int64)); before = anonymous();"
        "[photos.load(tf.constant(i, tf.int64)) for i in range(0, 1200, 40)];"
        "print(anonymous() - before)")
    output = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True,
        capture_output=True, text=True).stdout
    assert int(output) < 40_000  # KiB; all of it would be 180,000


def damage_missing(directory):
    (directory / "ab" / "ab" / "ab2.npy").unlink()


def damage_truncated(directory):
    path = directory / "l" / "gray_scale.npy"
    path.write_bytes(path.read_bytes()[:-1000])


def damage_other_file(directory):
    (directory / "l" / "gray_scale.npy").write_bytes(b"no array at all")


def damage_type(directory):
    np.save(directory / "l" / "gray_scale.npy", np.zeros((10, 8, 8), "f4"))


def damage_count(directory):
    np.save(directory / "l" / "gray_scale.npy", np.zeros((9, 8, 8), "u1"))


def damage_size(directory):
    np.save(directory / "ab" / "ab" / "ab3.npy", np.zeros((2, 7, 8, 2), "u1"))


@pytest.mark.parametrize("damage, message", [
    (damage_missing, "cannot open '.*ab2.npy': No such file"),
    (damage_truncated, "'.*gray_scale.npy' is not an array file"),
    (damage_other_file, "'.*gray_scale.npy' is not an array file"),
    (damage_type, r"holds float32 \(10, 8, 8\), expected uint8 \(N, H, W\)"),
    (damage_count, "gray_scale.npy holds 9 photographs and .* hold 10"),
    (damage_size, r"ab3.npy holds photographs of \(7, 8\) and .* of \(8, 8\)"),
])
def test_files_that_do_not_fit_are_refused(tmp_path, damage, message):
    write_collection(tmp_path, rgb_photos(10, size=8))
    damage(tmp_path)
    with pytest.raises(UserError, match=message):
        open_source(f"kaggle_npy:{tmp_path}", flag="--data")
