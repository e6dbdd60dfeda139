"""The photographs that ship with the package, all of them."""

import csv
import hashlib
import os

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color
from data_pipelines.sources import sample_photos


def open_sample_photos(argument=""):
    return sample_photos.open_sample_photos(
        argument, origin="--data=sample_photos")


def read_credits():
    path = os.path.join(sample_photos.DIRECTORY, "CREDITS.csv")
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_there_are_64_of_which_8_are_held_out():
    photographs = open_sample_photos()
    assert len(photographs) == 64 and len(photographs.held_out) == 8
    assert photographs.held_out == sample_photos.HELD_OUT
    assert sample_photos.HELD_OUT <= set(photographs.identities)


def test_every_photograph_has_its_credit_and_every_credit_its_photograph():
    files = [row["file"] for row in read_credits()]
    assert sorted(files) == list(open_sample_photos().identities)


@pytest.mark.parametrize("column", [
    "title", "author", "licence", "source package", "changes"])
def test_no_credit_is_left_empty(column):
    assert not [row["file"] for row in read_credits()
                if not row[column].strip()]


def test_no_photograph_is_there_twice():
    digests = set()
    for identity in open_sample_photos().identities:
        path = os.path.join(sample_photos.DIRECTORY, identity)
        with open(path, "rb") as file:
            digests.add(hashlib.sha256(file.read()).digest())
    assert len(digests) == 64


def test_every_photograph_decodes_to_a_picture_in_color():
    photographs = open_sample_photos()
    dataset = tf.data.Dataset.range(len(photographs)).map(
        photographs.load, num_parallel_calls=tf.data.AUTOTUNE)
    num_decoded = 0
    for identity, rgb in zip(
            photographs.identities, dataset.as_numpy_iterator()):
        assert min(rgb.shape[:2]) == 256, identity
        assert rgb.dtype == np.uint8
        lab = color.rgb_to_lab(rgb[::4, ::4]).numpy()
        assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 3.0, identity
        assert np.ptp(lab[..., 0]) > 30.0, identity
        num_decoded += 1
    assert num_decoded == 64
