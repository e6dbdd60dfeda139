"""Collections of files for `prepare`, read as bytes by name.

Unlike a source, a collection includes files that are not photographs, and it
can be sent to other processes and machines.
"""

import dataclasses
import functools
import io
import os
import stat
from typing import BinaryIO, Callable, Iterator, Protocol

import tensorflow as tf

from data_pipelines import data_spec, photo_file
from data_pipelines.errors import UserError
from data_pipelines.results import RESULT, find_results
from data_pipelines.sources import sample_photos
from data_pipelines.sources import tfds as tfds_source
from data_pipelines.sources.records import Records


class Collection(Protocol):
    """Files of any kind with unique names.

    Attributes:
      held_out: names that the collection sets aside for evaluation.
    """

    @property
    def held_out(self) -> frozenset[str]: ...

    def identities(self) -> Iterator[str]:
        """Yields the names in a fixed order."""

    def open(self, identity: str) -> tuple[BinaryIO, int]:
        """Opens a file for reading and returns its size in bytes as well.

        Raises:
          OSError: it cannot be opened.
          photo_file.Rejected: it is not a regular file.
        """


def open_collection(spec: str, *, tfds_data_dir: str,
                    say: Callable[[str], None]) -> Collection:
    """Opens a collection and downloads it if necessary.

    Args:
      spec: `sample_photos`, `folder:DIR` or
        `tfds:NAME[/CONFIG][@SPLIT][#FEATURE]`.
      tfds_data_dir: folder of TFDS's data sets; empty for its default.
      say: called with messages: before a download, and which images are read.

    Raises:
      UserError: the kind is unknown or the collection cannot be opened.
    """
    origin = f"--data={spec}"
    kind, argument = data_spec.require_preparable(spec)
    if kind == "sample_photos":
        return _Folder(sample_photos.DIRECTORY, origin, data_spec.ENDINGS,
                       sample_photos.HELD_OUT)
    if kind == "folder":
        return _Folder(os.path.abspath(argument), origin)
    return _download(argument, tfds_data_dir, origin, say)


@dataclasses.dataclass(frozen=True)
class _Folder:
    """The files below a folder; names are paths relative to it."""

    directory: str
    origin: str
    endings: tuple[str, ...] = ("",)
    held_out: frozenset[str] = frozenset()

    def identities(self):
        return data_spec.list_files(
            self.directory, origin=self.origin, endings=self.endings)

    def open(self, identity):
        folder, name = os.path.split(os.path.join(self.directory, identity))
        if RESULT.fullmatch(name) and name in find_results(os.listdir(folder)):
            raise photo_file.Rejected("result_of_colorize",
                                      "its photograph is beside it")
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        number = os.open(os.path.join(self.directory, identity),
                         os.O_RDONLY | os.O_NONBLOCK)
        file = os.fdopen(number, "rb")
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            file.close()
            raise photo_file.Rejected("not_an_image", "not a regular file")
        return file, status.st_size


def _download(argument, data_dir, origin, say):
    name, split, feature = tfds_source.split_argument(argument)
    builder = tfds_source.find_builder(name, origin=origin, data_dir=data_dir)
    if not tfds_source.is_prepared(builder):
        say(f"{builder.info.full_name}: downloading "
            f"{builder.info.download_size or 'an unknown amount'} and writing "
            f"{builder.info.dataset_size or 'an unknown amount'} to "
            f"{builder.data_dir}")
        try:
            builder.download_and_prepare(file_format="array_record")
        except Exception as error:  # network, disk, missing packages
            why = str(error).strip().partition("\n")[0]
            raise UserError(
                f"{origin}: TensorFlow Datasets could not prepare it: "
                f"{type(error).__name__}: {why}") from error
    records = tfds_source.open_records(builder, split=split, feature=feature,
                                       origin=origin)
    say(f"{origin}: {records.remark}")
    if records.holds_pixels:
        raise UserError(f"{origin}: {builder.info.full_name} holds undecoded "
                        f"pixels, which need no preparation; train on it as it "
                        f"is")
    return _TfdsSplit(argument, data_dir, origin, records.num_records)


@dataclasses.dataclass(frozen=True)
class _TfdsSplit:
    """The images of a prepared data set; names are split and number."""

    argument: str
    data_dir: str
    origin: str
    count: int
    held_out: frozenset[str] = frozenset()

    def identities(self):
        _, split, _ = tfds_source.split_argument(self.argument)
        return (f"{split}/{number}" for number in range(self.count))

    def open(self, identity):
        records = _open_records(self)
        record = records.read(int(identity.rpartition("/")[2]))
        features = tf.train.Example.FromString(record).features.feature
        image = features[records.image_key].bytes_list.value[0]
        return io.BytesIO(image), len(image)


@functools.lru_cache(maxsize=1)
def _open_records(collection: _TfdsSplit) -> Records:
    """Opens the records, once per process."""
    name, split, feature = tfds_source.split_argument(collection.argument)
    builder = tfds_source.find_builder(
        name, origin=collection.origin, data_dir=collection.data_dir)
    return tfds_source.open_records(
        builder, split=split, feature=feature, origin=collection.origin)
