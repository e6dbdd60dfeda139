"""Kept photographs -> a TensorFlow Datasets directory."""

import dataclasses
import json
import os

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.preparation import row_files
from data_pipelines.sources import shards


class Photographs(  # type: ignore[call-arg]
        tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builds the data set from what audit_collection left in a work folder.

    Beam sorts the examples into shards. Meanwhile each picture is replaced by
    its location; the writer of a shard fills the pictures in.

    Args:
      work_dir: the folder.
      encoding: of the pictures, one of settings.ENCODINGS.
    """

    VERSION = tfds.core.Version("1.0.0")
    url_infos = None  # nothing is downloaded

    def __init__(self, *, work_dir: str, encoding: str, **kwargs) -> None:
        self._work_dir, self._encoding = work_dir, encoding
        super().__init__(**kwargs)

    def _info(self):
        return self.dataset_info_from_configs(
            description="Photographs prepared by data_pipelines.prepare.",
            features=tfds.features.FeaturesDict({
                "image": _image_feature(self._encoding),
                shards.IDENTITY_KEY: tfds.features.Text(
                    doc="The file's path in the collection."),
                "width": tfds.features.Scalar(tf.int32),
                "height": tfds.features.Scalar(tf.int32),
            }))

    def _split_generators(self, dl_manager, pipeline):
        del dl_manager
        return {shards.SPLIT: self._generate_examples(pipeline)}

    def _generate_examples(self, pipeline):
        return (pipeline
                | beam.Create(row_files.paths(self._work_dir, "kept"))
                | beam.FlatMap(_read_examples, self._encoding))

    def _example_writer(self):
        return _FillIn(self.info.file_format, work_dir=self._work_dir,
                       encoding=self._encoding)

    def _generate_splits(self, dl_manager, download_config):
        # TFDS counted the bytes without the pictures.
        return [dataclasses.replace(split, num_bytes=sum(
                    os.path.getsize(path) for path in split.filepaths))
                for split in super()._generate_splits(
                    dl_manager, download_config)]

    def _log_download_bytes(self):
        """Logs nothing: there are no downloads."""

    _log_download_done = _log_download_bytes


def _image_feature(encoding):
    if encoding == "raw":
        return tfds.features.Tensor(
            shape=(None, None, 3), dtype=np.uint8, encoding="bytes")
    return tfds.features.Image(
        shape=(None, None, 3), encoding_format=encoding)


def _read_examples(path, encoding):
    for row in row_files.read_rows_file(path):
        identity, *place, width, height = row
        name = os.fsencode(identity)
        yield name, {
            "image": _stand_in(json.dumps(place).encode(), encoding),
            shards.IDENTITY_KEY: name, "width": width, "height": height}


def _stand_in(text, encoding):
    """Makes a location acceptable to the image feature; blanks fill it up."""
    if encoding == "raw":
        return np.frombuffer(
            text + b" " * (-len(text) % 3), np.uint8).reshape(1, -1, 3)
    return text


class _FillIn(tfds.core.ExampleWriter):
    """Writes a shard and replaces each location by its picture."""

    def __init__(self, file_format, *, work_dir, encoding):
        super().__init__(file_format)
        self._work_dir, self._encoding = work_dir, encoding

    def write(self, path, examples):
        return super().write(path, (
            (key, self._fill_in(example)) for key, example in examples))

    def _fill_in(self, serialized):
        example = tf.train.Example.FromString(serialized)
        features = example.features.feature
        key = "image"
        if self._encoding == "raw":
            key = "image/value"
            features["image/shape"].int64_list.value[:] = [
                *features["height"].int64_list.value,
                *features["width"].int64_list.value, 3]
        images = features[key].bytes_list.value
        path, offset, length = json.loads(images[0])
        with open(os.path.join(self._work_dir, path), "rb") as pictures:
            pictures.seek(offset)
            images[0] = pictures.read(length)
        return example.SerializeToString(deterministic=True)
