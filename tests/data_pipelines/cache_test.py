"""The cache changes neither order nor pictures, and reads each file once."""

import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import cache, color, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
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
        part=pipeline.WorkerShard(2), seed=5)
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


def fill_up(photos, disk, monkeypatch):
    """A source whose cache has room for five of the seven photographs."""
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    source = cache.cached(photos, "disk")
    for index in range(5):
        source.load(tf.constant(index, tf.int64))
    return source


FULL = (r"^--cache=disk: cannot write to .*/disk0: No space left on device "
        r"after 5 photograph\(s\), 31,500 bytes; use --cache=none, or set "
        r"TMPDIR to a folder with more room$")


def test_a_full_disk_is_not_the_photographs_fault(
        photos, small_disk, monkeypatch):
    source = fill_up(photos, small_disk(36), monkeypatch)
    for _ in range(2):
        with pytest.raises(UserError, match=FULL):
            source.load(tf.constant(5, tf.int64))
    for index in (0, 6):
        place = tf.constant(index, tf.int64)
        np.testing.assert_array_equal(source.load(place), photos.load(place))


@pytest.mark.parametrize("watch", ["training", "evaluation"])
def test_a_full_disk_stops_the_streams(
        photos, small_disk, monkeypatch, watch):
    source = fill_up(photos, small_disk(36), monkeypatch)
    rejected = RejectedExamples(max_bad_fraction=1.0)
    batches = {
        "training": lambda: rejected.watch_training(
            lambda first_ordinal: pipeline.training_batches(
                source, color_space=color.LAB, image_size=32, resize_size=36,
                part=pipeline.WorkerShard(2), seed=5,
                first_ordinal=first_ordinal),
            source, seed=5, first_ordinal=0),
        "evaluation": lambda: rejected.watch_evaluation(
            pipeline.evaluation_batches(source, image_size=32, batch_size=2),
            source)}[watch]()
    with pytest.raises(UserError, match=FULL):
        for _ in range(20):
            next(batches)
    assert not rejected.reasons


def test_fit_on_a_full_disk_ends_with_a_line_and_1(photos, small_disk,
                                                   tmp_path):
    disk = small_disk(36)
    folder = photos.origin.partition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "pix2pix_color.fit", f"--data=folder:{folder}",
         "--eval_data=sample_photos", f"--workdir={tmp_path}/run",
         "--image_size=32", "--base_filters=4", "--steps=50", "--cache=disk"],
        env={**os.environ, "TMPDIR": str(disk)}, capture_output=True,
        text=True, timeout=200, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"error: --cache=disk: cannot write to {disk}: No space left on device")
    assert "skipped" not in done.stderr
