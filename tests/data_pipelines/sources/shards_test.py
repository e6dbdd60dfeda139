"""Directories of prepared photographs: what is read and what is refused."""

import io
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines.errors import UserError
from data_pipelines.sources import shards
from data_pipelines.sources.records import Records, from_records

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


class RawPixels(tfds.core.GeneratorBasedBuilder):
    """Four pictures of 2 x 5 undecoded pixels; picture n is n, n + 1..."""

    VERSION = tfds.core.Version("1.0.0")
    url_infos = None

    def _info(self):
        return self.dataset_info_from_configs(
            disable_shuffling=True,
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Tensor(
                    shape=(None, None, 3), dtype=np.uint8, encoding="bytes")}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(4):
            yield number, {"image": raw_pixels(number)}


def raw_pixels(number):
    return np.arange(number, number + 30, dtype=np.uint8).reshape(2, 5, 3)


def write(directory, file_format, builder_class=NamedGrays):
    """Writes the dataset; returns the directory that is the dataset's own."""
    builder = builder_class(data_dir=str(directory))
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


@pytest.mark.parametrize("held_out", [[], NAMES[:1], NAMES[2:5]])
def test_what_is_held_out_stays_so(tmp_path, held_out):
    path = write(tmp_path, "array_record")
    shards.write_identities(path, held_out=frozenset([*held_out, "dropped"]))
    photographs = open_shards(path)
    assert photographs.held_out == frozenset(held_out)
    assert sorted(photographs.identities) == sorted(NAMES)


def test_directory_without_identities_has_numbers(tmp_path):
    photographs = open_shards(write(tmp_path, "array_record"))
    assert list(photographs.identities)[:2] == ["train/0", "train/1"]
    assert sorted(grays(photographs)) == list(range(len(NAMES)))


def test_identities_that_do_not_fit_are_refused(directory):
    path = os.path.join(directory, "identities.csv")
    with open(path, "a") as file:
        file.write("one_more.jpg,0\n")
    with pytest.raises(UserError, match="names 8 .* are 7 records"):
        open_shards(directory)


@pytest.mark.parametrize("make, message", [
    (lambda path: None, "there is no folder"),
    (lambda path: path.write_text(""), "there is no folder"),
    (lambda path: path.mkdir(), "no data set that TensorFlow Datasets can"),
    (lambda path: (path.mkdir(),
                   (path / "dataset_info.json").write_text("{broken")),
     "no data set that TensorFlow Datasets can read"),
], ids=["missing", "file", "empty", "damaged"])
def test_what_is_no_dataset_is_refused(tmp_path, make, message):
    path = tmp_path / "shards"
    make(path)
    with pytest.raises(UserError) as caught:
        open_shards(str(path))
    assert str(caught.value).startswith("--data=shards:x: ")
    assert message in str(caught.value) and repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_raw_pixels_are_read_as_they_are(tmp_path, file_format):
    photographs = open_shards(write(tmp_path, file_format, RawPixels))
    dataset = tf.data.Dataset.range(4).map(photographs.load)
    assert dataset.element_spec == tf.TensorSpec([None, None, 3], tf.uint8)
    for number, rgb in enumerate(dataset):
        np.testing.assert_array_equal(rgb, raw_pixels(number))
        np.testing.assert_array_equal(
            photographs.load(tf.constant(number, tf.int64)), rgb)


def example_of(value, shape):
    """A serialized example of raw pixels."""
    return tf.train.Example(features=tf.train.Features(feature={
        "image/value": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[value])),
        "image/shape": tf.train.Feature(
            int64_list=tf.train.Int64List(value=shape)),
    })).SerializeToString()


@pytest.mark.parametrize("record, message", [
    (example_of(bytes(30), [2, 5, 3]), ""),
    (example_of(bytes(29), [2, 5, 3]),
     r"record 1 is damaged: 29 bytes of pixels are not of shape \[2 5 3\]"),
    (example_of(bytes(30), [5, 5, 3]), "record 1 .* 30 bytes .* shape"),
    (example_of(bytes(30), [2, 15, 1]), "record 1 .* 30 bytes .* shape"),
    (example_of(bytes(30), [-2, -5, 3]), "record 1 .* 30 bytes .* shape"),
    (example_of(b"", [0, 5, 3]), "record 1 .* 0 bytes .* shape"),
    # So many pixels are 12 in 64 bits.
    (example_of(bytes(36), [2**62 + 3, 4, 3]), "record 1 .* 36 bytes"),
    (example_of(bytes(30), [2, 5]), "image/shape"),
    (b"no example", "parse"),
    (None, "record 1: it is gone"),
], ids=["whole", "short", "too many rows", "one channel", "negative", "empty",
        "overflow", "two sides", "no example", "no record"])
def test_a_damaged_record_of_pixels_is_an_error(record, message):
    def read(index):
        if record is None:
            raise OSError("it is gone")
        return record

    photographs = from_records(
        Records(read, 2, "image", holds_pixels=True),
        identities=["a", "b"], origin="--data=shards:x")
    index = tf.constant(1, tf.int64)
    in_a_graph = tf.data.Dataset.from_tensors(index).map(photographs.load)
    for load in (lambda: next(iter(in_a_graph)),
                 lambda: photographs.load(index)):
        if message:
            with pytest.raises(tf.errors.OpError, match=message):
                load()
        else:
            assert load().shape == (2, 5, 3)
