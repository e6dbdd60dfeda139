"""The files of a collection -> the photographs to keep, through Beam.

    names -> examine each file -> photographs ------> keep -> `kept`
                     |                | digest, hash    |
                     |                v                 |
                     |            duplicates ----------'
                     v                |
                `rejected` <---------'

A photograph is dropped if one before it, in the order of names, has the same
pixels, or else if one before it looks nearly the same.

Pictures do not go through Beam, whose direct runner keeps several copies of
everything: each worker appends its pictures to a file of its own. Names go
through Beam as bytes, because its strings must be text.
"""

import os
import uuid
import zlib
from typing import Iterator, NamedTuple, Union

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options import pipeline_options
from PIL import Image

from data_pipelines import photo_file
from data_pipelines.preparation import duplicates, row_files
from data_pipelines.preparation.collection import Collection
from data_pipelines.preparation.settings import Settings

_BYTES_READ = "bytes_read"
_OUTPUT_FILES = 64


class Kept(NamedTuple):
    """A prepared photograph and the location of its picture.

    Attributes:
      identity: the name of its file, as bytes because not all names are text.
      path: the file in the work folder that contains the picture.
      offset, length: of the picture in that file, bytes.
      width, height: of the picture, pixels.
      digest: of its pixels.
      perceptual: its perceptual hash.
    """

    identity: bytes
    path: str
    offset: int
    length: int
    width: int
    height: int
    digest: bytes
    perceptual: int


class Rejection(NamedTuple):
    """A file that was left out.

    Attributes:
      identity: the name of the file, as bytes.
      reason: a keyword to count by.
      detail: the details, as bytes because they may quote a name.
    """

    identity: bytes
    reason: str
    detail: bytes


def audit_collection(collection: Collection, *, settings: Settings,
                     work_dir: str,
                     options: pipeline_options.PipelineOptions) -> int:
    """Examines every file of a collection.

    Args:
      collection: the files.
      settings: what to do with them.
      work_dir: a folder that every worker sees. Its row_files `listing` contain
        the files' names. This function adds the row_files `rejected`
        [identity, reason, detail] and `kept` [identity, path, offset, length,
        width, height], the files of pictures that `kept` names, and files below
        `progress/` that grow by one byte per examined file.
      options: Beam's.

    Returns:
      The number of bytes read.
    """
    pipeline = beam.Pipeline(options=options)
    with pipeline:
        examined = (
            pipeline
            | beam.Create(row_files.paths(work_dir, "listing"))
            | beam.FlatMap(lambda path: [
                os.fsencode(name) for name in row_files.read_rows_file(path)])
            | beam.Reshuffle()
            | beam.ParDo(_Examine(collection, settings, work_dir))
            .with_outputs("rejected", main="photos"))
        copies = (
            examined.photos
            | "ByDigest" >> beam.Map(lambda photo: (photo.digest, photo))
            | "SamePixels" >> beam.GroupByKey()
            | beam.FlatMap(_after_the_first).with_outputs(
                "first", main="copies"))
        looks_alike = copies.first | _NearDuplicates(
            settings.near_duplicate_distance)
        dropped = looks_alike | beam.Map(lambda late: (late.identity, None))
        (copies.first
         | beam.Filter(lambda photo, dropped: photo.identity not in dropped,
                       dropped=beam.pvalue.AsDict(dropped))
         | "Kept" >> _WriteRows(work_dir, "kept", 6))
        ((examined.rejected, copies.copies, looks_alike)
         | beam.Flatten()
         | "Rejected" >> _WriteRows(work_dir, "rejected", 3))
    counters = pipeline.result.metrics().query(
        MetricsFilter().with_name(_BYTES_READ))["counters"]
    return sum(counter.committed for counter in counters)


class _Examine(beam.DoFn):
    """Turns a name into a Kept, or into a Rejection as a second output."""

    def __init__(self, collection, settings, work_dir):
        self._collection, self._settings = collection, settings
        self._work_dir = work_dir

    def setup(self):
        name = uuid.uuid4().hex
        self._path = f"pictures-{name}"
        self._pictures = open(os.path.join(self._work_dir, self._path), "wb")
        self._progress = open(
            os.path.join(self._work_dir, "progress", name), "wb", buffering=0)
        self._bytes_read = Metrics.counter(_Examine, _BYTES_READ)

    def process(self, name):
        rgb, num_bytes = _read_photo(self._collection, name, self._settings)
        self._bytes_read.inc(num_bytes)
        self._progress.write(b".")
        if isinstance(rgb, Rejection):
            yield beam.pvalue.TaggedOutput("rejected", rgb)
            return
        offset = self._pictures.tell()
        length = self._pictures.write(photo_file.encode_rgb(
            rgb, encoding=self._settings.encoding,
            jpeg_quality=self._settings.jpeg_quality))
        self._pictures.flush()  # raises here if the disk is full
        yield Kept(name, self._path, offset, length, rgb.width, rgb.height,
                   duplicates.pixel_digest(rgb),
                   duplicates.perceptual_hash(rgb))

    def teardown(self):
        self._pictures.close()
        self._progress.close()


def _read_photo(collection: Collection, name: bytes, settings: Settings,
                ) -> tuple[Union[Image.Image, Rejection], int]:
    """Returns a usable photograph or its rejection, and the file's bytes."""
    num_bytes = 0
    try:
        file, num_bytes = collection.open(os.fsdecode(name))
        with file:
            rgb = photo_file.read_rgb(
                file, shorter_side=settings.shorter_side,
                min_size=settings.min_size)
        photo_file.require_color(rgb, min_chroma=settings.min_chroma)
        return rgb, num_bytes
    except photo_file.Rejected as rejected:
        reason, detail = rejected.reason, rejected.detail
    except OSError as error:
        reason, detail = "unreadable", error.strerror or str(error)
    return Rejection(
        name, reason, detail.encode("utf-8", "backslashreplace")), num_bytes


def _after_the_first(group) -> Iterator:
    """Yields the first of (digest, Kepts), and the others' rejections."""
    first, *others = sorted(group[1])
    yield beam.pvalue.TaggedOutput("first", first)
    for photo in others:
        yield Rejection(photo.identity, "duplicate",
                        b"same pixels as " + first.identity)


class _NearDuplicates(beam.PTransform):
    """Turns Kepts into Rejections of those that resemble an earlier one."""

    def __init__(self, distance):
        super().__init__()
        self._distance = distance

    def expand(self, pcoll):
        distance = self._distance
        return (
            pcoll
            | beam.FlatMap(lambda photo: [
                (band, (photo.identity, photo.perceptual)) for band
                in duplicates.bands(photo.perceptual, distance=distance)])
            | "SameBand" >> beam.GroupByKey()
            | beam.FlatMap(_pairs_alike, distance)
            | "FirstAlike" >> beam.CombinePerKey(min)
            | beam.MapTuple(lambda identity, first: Rejection(
                identity, "near_duplicate",
                b"looks like %b, %d of %d bits differ" % (
                    first[0], first[1], duplicates.HASH_BITS))))


def _pairs_alike(group, distance) -> Iterator:
    """Yields (identity, (earlier identity, number of differing bits))."""
    rows = sorted(group[1])
    hashes = np.array([perceptual for _, perceptual in rows], np.uint64)
    for index, earlier in enumerate(duplicates.earlier_alike(
            hashes, distance=distance).tolist()):
        if earlier >= 0:
            bits = int(np.bitwise_count(hashes[index] ^ hashes[earlier]))
            yield rows[index][0], (rows[earlier][0], bits)


class _WriteRows(beam.PTransform):
    """Writes the first few fields of named tuples to row_files."""

    def __init__(self, work_dir, name, num_fields):
        super().__init__()
        self._work_dir, self._name = work_dir, name
        self._num_fields = num_fields

    def expand(self, pcoll):
        work_dir, name, num_fields = (
            self._work_dir, self._name, self._num_fields)

        def write(group):
            number, rows = group
            row_files.write_rows_file(work_dir, name, number, [
                [os.fsdecode(value) if isinstance(value, bytes) else value
                 for value in row[:num_fields]] for row in rows])

        return (pcoll
                | beam.Map(lambda row: (
                    zlib.crc32(row.identity) % _OUTPUT_FILES, row))
                | beam.GroupByKey()
                | beam.Map(write))
