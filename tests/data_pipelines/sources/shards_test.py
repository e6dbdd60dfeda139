"""Directories of prepared photographs: what is read and what is refused."""

import io
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines.errors import InputError
from data_pipelines.sources import shards

NAMES = ["a.jpg", "b/c d.jpg", "line\nbreak,\"comma\".jpg", "写真.png",
         os.fsdecode(b"caf\xe9.jpg"), "carriage\rreturn.jpg", " .jpg"]


class NamedGrays(tfds.core.GeneratorBasedBuilder):
    """Picture n of NAMES is gray n; TFDS shuffles them."""

    VERSION = tfds.core.Version("1.0.0")
    url_infos = None

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Image(encoding_format="png"),
                "identity": tfds.features.Text()}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for gray, name in enumerate(NAMES):
            buffer = io.BytesIO()
            Image.new("L", (3, 2), gray).save(buffer, "PNG")
            yield os.fsencode(name), {"image": buffer.getvalue(),
                                      "identity": os.fsencode(name)}


def write(directory, file_format):
    """Writes the dataset; returns the directory that is the dataset's own."""
    builder = NamedGrays(data_dir=str(directory))
    builder.download_and_prepare(
        file_format=file_format,
        download_config=tfds.download.DownloadConfig(num_shards=2))
    return builder.data_dir


@pytest.fixture(params=["array_record", "tfrecord"])
def directory(request, tmp_path):
    path = write(tmp_path, request.param)
    assert shards.write_identities(path) == len(NAMES)
    return path


def open_shards(directory):
    return shards.open_shards(directory, origin="--data=shards:x")


def grays(photographs):
    return [int(rgb[0, 0, 0]) for rgb in
            tf.data.Dataset.range(len(photographs)).map(photographs.load)]


def test_identities_go_with_their_photographs(directory):
    photographs = open_shards(directory)
    assert photographs.origin == "--data=shards:x"
    read = dict(zip(photographs.identities, grays(photographs)))
    assert read == {name: gray for gray, name in enumerate(NAMES)}
    assert list(photographs.identities) != NAMES  # they were shuffled


def test_pictures_are_whole(directory):
    rgb = open_shards(directory).load(tf.constant(0, tf.int64))
    assert rgb.dtype == tf.uint8
    assert rgb.shape == (2, 3, 3)
    assert np.ptp(rgb) == 0


def test_directory_can_be_moved(directory, tmp_path):
    moved = tmp_path / "somewhere else"
    os.rename(directory, moved)
    assert sorted(open_shards(str(moved)).identities) == sorted(NAMES)


def test_directory_without_identities_has_numbers(tmp_path):
    photographs = open_shards(write(tmp_path, "array_record"))
    assert list(photographs.identities)[:2] == ["train/0", "train/1"]
    assert sorted(grays(photographs)) == list(range(len(NAMES)))


def test_identities_that_do_not_fit_are_refused(directory):
    path = os.path.join(directory, "identities.csv")
    with open(path, "a") as file:
        file.write("one_more.jpg\n")
    with pytest.raises(InputError, match="names 8 example.*records are 7"):
        open_shards(directory)


@pytest.mark.parametrize("make, message", [
    (lambda path: None, "there is no folder"),
    (lambda path: path.write_text(""), "there is no folder"),
    (lambda path: path.mkdir(), "no dataset that TensorFlow Datasets can read"),
    (lambda path: (path.mkdir(),
                   (path / "dataset_info.json").write_text("{broken")),
     "no dataset that TensorFlow Datasets can read"),
], ids=["missing", "file", "empty", "damaged"])
def test_what_is_no_dataset_is_refused(tmp_path, make, message):
    path = tmp_path / "shards"
    make(path)
    with pytest.raises(InputError) as caught:
        open_shards(str(path))
    assert str(caught.value).startswith("--data=shards:x: ")
    assert message in str(caught.value) and repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)
