"""Decoded photographs, kept in memory or on disk once they have been read.

The cache precedes augmentation and is keyed by index, so it changes neither
order nor pictures: runs with and without it are equal to the bit. A photograph
takes three bytes a pixel; the first epoch fills the cache.
"""

import dataclasses
import tempfile
import threading
from typing import BinaryIO, Optional

import numpy as np
import tensorflow as tf

from data_pipelines.errors import UserError
from data_pipelines.sources import Source

KINDS = ("none", "memory", "disk")


def cached(source: Source, kind: str) -> Source:
    """Returns the same source, which decodes each photograph once.

    If the disk fills up, the photograph being written becomes unreadable:
    tf.data skips it, and loading it eagerly raises UserError with the reason.

    Args:
      source: the photographs.
      kind: `none`; `memory`; or `disk`, a file in the system's folder for
        temporary files (TMPDIR), which is deleted with the process.

    Raises:
      KeyError: the kind is unknown.
    """
    store = {"none": lambda: None, "memory": _Memory, "disk": _Disk}[kind]()
    if store is None:
        return source
    lock = threading.Lock()

    def get(index):
        with lock:
            found = store.get(index)
        return np.zeros([0, 0, 0], np.uint8) if found is None else found

    def put(index, photo):
        with lock:
            store.put(index, photo)
        return photo

    def load(index):
        found = tf.ensure_shape(tf.numpy_function(get, [index], tf.uint8),
                                [None, None, None])
        photo = tf.cond(
            tf.size(found) > 0, lambda: found,
            lambda: tf.ensure_shape(tf.numpy_function(
                put, [index, source.load(index)], tf.uint8),
                [None, None, None]))
        return tf.ensure_shape(photo, [None, None, source.channels])

    return dataclasses.replace(source, load=load)


class _Memory:
    """A dict: index -> photograph."""

    def __init__(self) -> None:
        self._photos: dict[int, np.ndarray] = {}

    def get(self, index: np.int64) -> Optional[np.ndarray]:
        return self._photos.get(int(index))

    def put(self, index: np.int64, photo: np.ndarray) -> None:
        self._photos[int(index)] = photo.copy()


class _Disk:
    """A nameless file of photographs, one after the other, found by index."""

    def __init__(self) -> None:
        # Unbuffered, so that a write that does not fit fails at once.
        self._file: BinaryIO = tempfile.TemporaryFile(buffering=0)
        self._places: dict[int, tuple[int, tuple[int, ...]]] = {}
        # Index of the photograph that did not fit, and the message.
        self._failure: Optional[tuple[int, str]] = None

    def get(self, index: np.int64) -> Optional[np.ndarray]:
        if self._failure and self._failure[0] == index:
            raise UserError(self._failure[1])
        if int(index) not in self._places:
            return None
        offset, shape = self._places[int(index)]
        self._file.seek(offset)
        photo = np.empty(shape, np.uint8)
        self._file.readinto(photo)  # type: ignore[attr-defined]
        return photo

    def put(self, index: np.int64, photo: np.ndarray) -> None:
        if self._failure:
            # Raising for these too would leave nothing in the stream, and the
            # error would not be looked for until its end.
            return
        offset = self._file.seek(0, 2)
        rest = np.ascontiguousarray(photo).data.cast("B")
        try:
            while rest:  # a nearly full disk first takes a part
                rest = rest[self._file.write(rest):]
        except OSError as error:
            folder = tempfile.gettempdir()
            self._failure = int(index), (
                f"--cache=disk: cannot write to {folder}: {error.strerror} "
                f"after {len(self._places)} photograph(s), {offset:,} bytes; "
                f"use --cache=none, or set TMPDIR to a folder with more room")
            raise UserError(self._failure[1]) from error
        self._places[int(index)] = offset, photo.shape
