"""Colors the photographs of a shard, with one model a process.

    names of a shard and the rows of its earlier part
    -> photographs whose results exist keep their rows, or are given new ones
    -> the others are read, colored and written, two at a time
    -> rows, in the order of the paths; the shard's part of the report

Two photographs are worked on at once if both together have no more pixels than
the largest that is allowed. The network is given one at a time: an answer that
depended on its neighbors would change when a run is continued.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import io
import threading
import time
from typing import Callable, Iterator, NamedTuple, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from data_pipelines import image_header, photo_file, tiff_file
from pix2pix_color.archive import names, places, report
from pix2pix_color.archive.report import Row
from pix2pix_color.archive.settings import Settings
from pix2pix_color.colorizing.file_kind import Kind, examine_file
from pix2pix_color.colorizing.photograph import (NoPhotographError, Photograph,
                                                 read_photograph, write_pages,
                                                 write_photograph)
from pix2pix_color.saved_model.load import LoadedModel

# One is decoded or written while another is colored, as in `colorize`.
_AT_ONCE = 2
# A file's bytes, for each pixel that is allowed, and without any: those of
# 16-bit samples of four channels, and of metadata.
_BYTES_A_PIXEL, _MORE_BYTES = 8, 2**24
# Least side of the picture whose mean chroma is taken, pixels.
_CHROMA_SIDE = 256

_NOT_COLORED = {
    Kind.VIDEO: "a video, which colorize colors", Kind.SOUND: "sound only",
    Kind.RAW: "a camera raw file, which must be developed and saved as TIFF "
              "or JPEG first"}


class Outcome(NamedTuple):
    """A file's rows, and what was done for them.

    Attributes:
      rows: one for each photograph in it.
      num_colored: how many of them were colored now.
      num_read: bytes of the file, if it was read.
      num_written: bytes of new results.
    """

    rows: list[Row]
    num_colored: int = 0
    num_read: int = 0
    num_written: int = 0


class RefusedError(Exception):
    """A file is not colored; the message says why."""


class Room:
    """Lets threads work at once as long as their costs fit together.

    Args:
      size: of the room. What costs more has it alone.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, cost: int) -> Iterator[None]:
        """Waits until there is room, and takes it until the block ends."""
        cost = min(cost, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= cost)
            self._free -= cost
        try:
            yield
        finally:
            with self._changed:
                self._free += cost
                self._changed.notify_all()


class Colorist:
    """A model and the threads that use it, once a process.

    The model is loaded when the first photograph is there: where no result is
    missing, it is not.

    Args:
      settings: of the run.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.threads:
            with contextlib.suppress(RuntimeError):  # TensorFlow has begun
                tf.config.threading.set_intra_op_parallelism_threads(
                    settings.threads)
                tf.config.threading.set_inter_op_parallelism_threads(
                    settings.threads)
        self._settings = settings
        self._lock = threading.Lock()
        self._room = Room(settings.max_pixels)
        self._pool = concurrent.futures.ThreadPoolExecutor(
            1 if settings.threads == 1 else _AT_ONCE)

    @functools.cached_property
    def _loaded(self) -> LoadedModel:
        return LoadedModel(self._settings.model)

    @property
    def _model(self) -> LoadedModel:
        with self._lock:  # threads ask for it at the same time
            return self._loaded

    def color_shard(self, paths: Sequence[str], earlier: dict[str, list[Row]]
                    ) -> Iterator[Outcome]:
        """Colors what of a shard is missing.

        Args:
          paths: the files.
          earlier: file -> its rows in the report of an earlier run.

        Yields:
          An outcome for each file, in the order of the paths.

        Raises:
          OSError: a result cannot be written, for example on a full disk.
        """
        settings = self._settings
        found = names.name_results(
            paths, root=settings.root, output_dir=settings.output_dir,
            file_format=settings.file_format)
        work = [functools.partial(self._color_if_missing, path, name,
                                  earlier.get(path, []))
                for path, name in found.items()]
        yield from self._at_once(work)

    def try_files(self, paths: Sequence[str]) -> Iterator[Outcome]:
        """Colors files and writes nothing."""
        yield from self._at_once([functools.partial(
            self._color_file, path, ("", ""), lambda path, content: None)
            for path in paths])

    def _at_once(self, work: Sequence[Callable[[], Outcome]]
                 ) -> Iterator[Outcome]:
        futures = [self._pool.submit(call) for call in work]
        try:
            for future in futures:
                yield future.result()
        finally:  # after an error, the rest is not begun
            for future in futures:
                future.cancel()

    def _color_if_missing(self, path: str, name: tuple[str, str],
                          earlier: list[Row]) -> Outcome:
        if earlier and all(row.result and places.exists(row.result)
                           for row in earlier):
            return Outcome(earlier)
        single, = names.page_results(name, 1, self._settings.file_format)
        if (not any(row.result for row in earlier)
                and places.exists(single)):
            try:
                return Outcome([_row_of_result(path, single)])
            except (OSError, NoPhotographError):
                pass  # damaged: it is made again
        return self._color_file(path, name, places.write_whole, earlier)

    def _color_file(self, path: str, name: tuple[str, str],
                    write: Callable[[str, bytes], None],
                    earlier: Sequence[Row] = ()) -> Outcome:
        """Colors the photographs of a file, all or those that are missing."""
        started = time.monotonic()
        try:
            content, num_pages = self._read(path)
            num_pixels = _count_pixels(content)
        except RefusedError as error:
            return Outcome([Row(path, reason=str(error))])
        except Exception as error:  # one bad file ends no job
            return Outcome([Row(path, reason=_why(error))])
        outputs = names.page_results(name, num_pages,
                                     self._settings.file_format)
        rows, num_colored, num_written = [], 0, 0
        kept = {row.result: row for row in earlier}
        with self._room.taken(num_pixels or self._settings.max_pixels):
            for page, output in enumerate(outputs):
                if len(outputs) > 1 and places.exists(output):
                    rows.append(kept.get(output)
                                or _row_of_result(path, output))
                    continue
                try:
                    encoded, row = self._color(
                        content, page, num_pages if len(outputs) == 1 else 1)
                except Exception as error:
                    where = f"page {page + 1}: " * (len(outputs) > 1)
                    rows.append(Row(path, reason=where + _why(error)))
                    continue
                write(output, encoded)
                num_colored += 1
                num_written += len(encoded)
                now = time.monotonic()
                rows.append(row._replace(path=path, result=output,
                                         seconds=f"{now - started:.3f}"))
                started = now
        return Outcome(rows, num_colored, len(content), num_written)

    def _read(self, path: str) -> tuple[bytes, int]:
        """Reads a file that holds photographs, and counts these."""
        most = self._settings.max_pixels * _BYTES_A_PIXEL + _MORE_BYTES
        with places.reading(path) as file:
            kind, num_pages = examine_file(file, path)
            if kind in _NOT_COLORED:
                raise RefusedError(_NOT_COLORED[kind])
            file.seek(0)
            content = file.read(most + 1)
        if len(content) > most:
            raise RefusedError(
                f"a file of more than {most} bytes, which with --max_pixels="
                f"{self._settings.max_pixels} are read")
        return content, num_pages

    def _color(self, content: bytes, first: int, num_pages: int
               ) -> tuple[bytes, Row]:
        """Colors a photograph, or the pages of one result.

        Returns:
          The encoded result, and its row without the paths and the time.
        """
        rows = []

        def color(page: int) -> Photograph:
            photograph = read_photograph(
                content, max_pixels=self._settings.max_pixels, page=page)
            rgb = self._model.colorize(
                photograph.rgb, saturation=self._settings.saturation,
                chroma_size=self._settings.chroma_size)
            rows.append(_row_of(rgb))
            return dataclasses.replace(photograph, rgb=rgb)

        if num_pages == 1:  # the gray photograph is gone before it is written
            encoded = write_photograph(
                color(first), file_format=self._settings.file_format)
        else:
            file = io.BytesIO()
            write_pages(map(color, range(num_pages)), file)
            encoded = file.getvalue()
        return encoded, rows[0]


def read_earlier(folder: str, number: int, num_shards: int
                 ) -> dict[str, list[Row]]:
    """Reads what is known of a shard: file -> rows.

    Args:
      folder: the report's.
      number: of the shard.
      num_shards: a power of two; an earlier run may have had fewer.
    """
    while num_shards >= 1:
        path = f"{folder}/{report.part_name(number, num_shards)}"
        if places.exists(path):
            rows: dict[str, list[Row]] = {}
            for row in report.decode(places.read(path)):
                rows.setdefault(row.path, []).append(row)
            return rows
        num_shards //= 2
        number %= max(num_shards, 1)
    return {}


def _row_of(rgb: np.ndarray) -> Row:
    height, width = rgb.shape[:2]
    # Of rows and columns that are a few apart: a picture of Pillow's would
    # take as much memory again.
    step = max(min(height, width) // _CHROMA_SIDE, 1)
    chroma = photo_file.mean_chroma(Image.fromarray(
        np.ascontiguousarray(rgb[::step, ::step])))
    return Row("", "", str(width), str(height), f"{chroma:.2f}")


def _row_of_result(path: str, result: str) -> Row:
    """Makes the row of a photograph whose result is there already."""
    photograph = read_photograph(places.read(result), max_pixels=2**31)
    return _row_of(photograph.rgb)._replace(path=path, result=result)


def _count_pixels(content: bytes) -> int:
    """Returns the pixels of a file's first picture; 0 if they are not known.

    What cannot be read is refused later, by who decodes it.
    """
    with contextlib.suppress(Exception):
        if tiff_file.is_tiff(content[:8]):
            with tiff_file.open_page(io.BytesIO(content)) as page:
                return page.size[0] * page.size[1]
        return image_header.read_header(content).num_pixels
    return 0


def _why(error: Exception) -> str:
    """Returns an exception's reason in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = " ".join(str(error).split())
    if isinstance(error, (NoPhotographError, OSError)) and said:
        return said
    return f"{type(error).__name__}: {said}"
