"""TensorFlow Datasets: mocked ones, and small real ones written to disk."""

import io
import os
import socket

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines.errors import UserError
from data_pipelines.sources import tfds as tfds_source

COUNTS = {"train": 23, "test": 4}
ORIGIN = "--data=tfds:tiny_reds"


class TinyReds(tfds.core.GeneratorBasedBuilder):
    """PNGs of one color each: in split s, number n is (n, len(s), 7)."""

    VERSION = tfds.core.Version("1.0.0")
    url_infos = None

    def _info(self):
        return self.dataset_info_from_configs(
            # In the order of their keys, so that tests know which is where.
            disable_shuffling=True,
            features=tfds.features.FeaturesDict({
                "label": tfds.features.Text(),
                "mask": tfds.features.LabeledImage(labels=2),
                "photo": tfds.features.Image(encoding_format="png"),
                "thumbnail": tfds.features.Image(encoding_format="png"),
            }))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in COUNTS}

    def _generate_examples(self, split):
        for number in range(COUNTS[split]):
            color = (number, len(split), 7)
            yield number, {
                "label": str(number),
                "mask": np.ones((2, 2, 1), np.uint8),
                # A file may end in zeros, and must not lose them.
                "photo": io.BytesIO(png_bytes(color) + bytes(3)),
                "thumbnail": io.BytesIO(png_bytes((255, 255, 255)))}


class TinyNumbers(tfds.core.GeneratorBasedBuilder):
    """A dataset without images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"number": tf.int64}))

    def _split_generators(self, dl_manager):
        return {}

    def _generate_examples(self):
        yield from ()


def png_bytes(color):
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module", params=["array_record", "tfrecord"])
def data_dir(request, tmp_path_factory):
    directory = str(tmp_path_factory.mktemp(request.param))
    tfds.builder("tiny_reds", data_dir=directory).download_and_prepare(
        file_format=request.param,
        download_config=tfds.download.DownloadConfig(num_shards=3))
    files = os.listdir(os.path.join(directory, "tiny_reds", "1.0.0"))
    assert sum(f"train.{request.param}-0000" in name for name in files) == 3
    return directory


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"a connection was tried: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def open_tiny(data_dir, argument="tiny_reds"):
    return tfds_source.open_tfds(argument, origin=ORIGIN, data_dir=data_dir)


def colors(photographs, parallel=1):
    """The color of each photograph, through Dataset.map."""
    dataset = tf.data.Dataset.range(len(photographs)).map(
        photographs.load, num_parallel_calls=parallel)
    read = [rgb.numpy() for rgb in dataset]
    assert {rgb.shape for rgb in read} == {(4, 5, 3)}
    assert all((rgb == rgb[0, 0]).all() for rgb in read)
    return [tuple(rgb[0, 0].tolist()) for rgb in read]


def test_every_photograph_of_the_split_is_read_by_index(data_dir):
    photographs = open_tiny(data_dir)
    assert len(photographs) == 23
    assert colors(photographs) == [(n, 5, 7) for n in range(23)]
    assert photographs.origin == ORIGIN
    assert photographs.held_out == frozenset()


def test_eager_and_selected_loading_agree(data_dir):
    photographs = open_tiny(data_dir).select([20, 0, 9])
    assert list(photographs.identities) == ["train/20", "train/0", "train/9"]
    assert [int(photographs.load(tf.constant(index, tf.int64))[0, 0, 0])
            for index in range(3)] == [20, 0, 9]


def test_many_threads_read_at_once(data_dir):
    photographs = open_tiny(data_dir)
    indices = np.random.default_rng(0).integers(0, 23, 2000)
    dataset = (tf.data.Dataset.from_tensor_slices(indices)
               .map(photographs.load, num_parallel_calls=16))
    assert [int(rgb[0, 0, 0]) for rgb in dataset] == indices.tolist()


def test_record_is_whole_with_zeros_at_its_end(data_dir):
    records = tfds_source.open_records(
        tfds.builder("tiny_reds", data_dir=data_dir), split="train",
        origin=ORIGIN)
    assert records.image_key == "photo"
    example = tf.train.Example.FromString(records.read(3))
    image, = example.features.feature["photo"].bytes_list.value
    assert image == png_bytes((3, 5, 7)) + bytes(3)


@pytest.mark.parametrize("argument, expected", [
    ("tiny_reds@test", [(n, 4, 7) for n in range(4)]),
    ("tiny_reds@train[10:14]", [(n, 5, 7) for n in range(10, 14)]),
    ("tiny_reds@train[-2:]", [(21, 5, 7), (22, 5, 7)]),
    ("tiny_reds@train[:3]+test[3:]",
     [(0, 5, 7), (1, 5, 7), (2, 5, 7), (3, 4, 7)]),
    ("tiny_reds:1.0.0@test", [(n, 4, 7) for n in range(4)])])
def test_splits_are_written_as_tfds_writes_them(data_dir, argument, expected):
    photographs = open_tiny(data_dir, argument)
    assert colors(photographs) == expected
    split = argument.partition("@")[2]
    assert photographs.identities[0] == f"{split}/0"


@pytest.mark.parametrize("split", ["validation", "train[:0]", "train[::2]"])
def test_split_of_nothing_is_refused_with_those_there_are(data_dir, split):
    with pytest.raises(UserError) as caught:
        open_tiny(data_dir, f"tiny_reds@{split}")
    assert str(caught.value) == (
        f"{ORIGIN}: tiny_reds/1.0.0 has no example in {split!r}; its splits: "
        f"train, test")


@pytest.mark.parametrize("name", [
    "coco/2017", "imagenette", "tf_flowers", "places365_small"])
def test_datasets_that_tfds_knows_are_opened(name):
    with tfds.testing.mock_data(num_examples=3):
        photographs = tfds_source.open_tfds(name, origin=f"--data=tfds:{name}")
        assert len(photographs) == 3
        assert list(photographs.identities) == ["train/0", "train/1", "train/2"]
        pictures = [rgb.numpy() for rgb in
                    tf.data.Dataset.range(3).map(photographs.load)]
    assert all(rgb.dtype == np.uint8 and rgb.shape[2] == 3
               for rgb in pictures)
    assert any(picture.shape != pictures[0].shape
               or (picture != pictures[0]).any() for picture in pictures)


def test_dataset_that_is_not_prepared_is_not_downloaded(tmp_path):
    with pytest.raises(UserError) as caught:
        tfds_source.open_tfds("tf_flowers", origin="--data=tfds:tf_flowers",
                              data_dir=str(tmp_path))
    message = str(caught.value)
    assert message.startswith(
        "--data=tfds:tf_flowers: tf_flowers/3.0.1 is not prepared in "
        f"{tmp_path}/tf_flowers/3.0.1; ")
    assert ("python -m data_pipelines.prepare --data=tfds:tf_flowers "
            f"--tfds_data_dir={tmp_path} --output_dir=DIR") in message
    assert "\n" not in message
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name, message", [
    ("no_such_set", "cannot open 'no_such_set'"),
    ("coco/no_such_config", "cannot open 'coco/no_such_config'"),
    ("tf_flowers:9.9.9", "cannot open 'tf_flowers:9.9.9'"),
    ("", "write tfds:NAME"), ("@train", "write tfds:NAME"),
    ("huggingface:mnist", "write tfds:NAME"),
    ("/a/folder", "write tfds:NAME"), ("two words", "write tfds:NAME"),
])
def test_unknown_names_are_refused_in_one_line(tmp_path, name, message):
    with pytest.raises(UserError) as caught:
        tfds_source.open_tfds(name, origin=f"--data=tfds:{name}",
                              data_dir=str(tmp_path))
    assert str(caught.value).startswith(f"--data=tfds:{name}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_image_feature_is_said_and_can_be_chosen(data_dir):
    assert open_tiny(data_dir).remark == (
        f"{ORIGIN}: the images are those of the feature photo, not of "
        f"thumbnail")
    photographs = open_tiny(data_dir, "tiny_reds@test#thumbnail")
    assert photographs.select([0]).remark == (
        f"{ORIGIN}: the images are those of the feature thumbnail, not of "
        f"photo")
    assert colors(photographs) == [(255, 255, 255)] * COUNTS["test"]
    with pytest.raises(UserError) as caught:
        open_tiny(data_dir, "tiny_reds#mask")
    assert str(caught.value) == (
        f"{ORIGIN}: tiny_reds/1.0.0 has no image feature 'mask'; its image "
        f"features: photo, thumbnail")


def test_dataset_without_an_image_is_refused(tmp_path):
    with pytest.raises(UserError, match="^--data=tfds:tiny_numbers: "
                       "tiny_numbers/1.0.0 has no image .* features: number$"):
        tfds_source.open_tfds("tiny_numbers", data_dir=str(tmp_path),
                              origin="--data=tfds:tiny_numbers")


@pytest.mark.parametrize("damage", ["shortened", "emptied", "lying length"])
def test_damaged_tfrecord_is_refused_with_its_name(tmp_path, damage):
    tfds.builder("tiny_reds", data_dir=str(tmp_path)).download_and_prepare(
        file_format="tfrecord")
    path, = tmp_path.glob("tiny_reds/1.0.0/*train.tfrecord*")
    data = path.read_bytes()
    path.write_bytes({"shortened": data[:-1], "emptied": b"",
                      "lying length": b"\xff" * 8 + data[8:]}[damage])
    with pytest.raises(UserError, match="train.tfrecord.* is damaged: "):
        open_tiny(str(tmp_path))


def test_file_that_vanishes_is_an_error_that_training_can_skip(tmp_path):
    for file_format in ("tfrecord", "array_record"):
        directory = tmp_path / file_format
        tfds.builder("tiny_reds", data_dir=str(directory)
                     ).download_and_prepare(file_format=file_format)
        photographs = open_tiny(str(directory))
        path, = directory.glob(f"tiny_reds/1.0.0/*train.{file_format}*")
        path.unlink()
        with pytest.raises(tf.errors.OpError):
            photographs.load(tf.constant(0, tf.int64))
