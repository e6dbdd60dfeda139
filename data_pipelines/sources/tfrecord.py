"""Access by index to TFRecord files, which have no index of their own.

A record is its length (uint64, little-endian), the length's checksum (4 bytes),
the data, and the data's checksum (4 bytes). One pass over the lengths finds all
the records without reading the data.
"""

import os
import struct
from typing import Any, Sequence

import numpy as np

from data_pipelines.errors import UserError


class RecordIndex:
    """The locations of records in TFRecord files.

    Args:
      instructions: TFDS's file instructions: which records of which files.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: a file is damaged.
    """

    _HEADER = struct.Struct("<QI")
    _FOOTER_BYTES = 4

    def __init__(self, instructions: Sequence[Any], *, origin: str) -> None:
        self._paths = [os.fspath(one.filename) for one in instructions]
        file_numbers, spans = [], []
        for number, one in enumerate(instructions):
            found = self._scan(self._paths[number], one.skip + one.take,
                               origin)[one.skip:]
            file_numbers.append(np.full(len(found), number, np.int32))
            spans.append(found)
        self._file_numbers = np.concatenate(file_numbers)
        self._spans = np.concatenate(spans)

    def __len__(self) -> int:
        return len(self._spans)

    def read(self, index: int) -> bytes:
        """Reads the data of one record; any thread may call this."""
        start, length = self._spans[index].tolist()
        # Opened anew each time: a data set may have more files than a process
        # may keep open.
        file = os.open(self._paths[self._file_numbers[index]], os.O_RDONLY)
        try:
            return os.pread(file, length, start)
        finally:
            os.close(file)

    def _scan(self, path: str, count: int, origin: str) -> np.ndarray:
        """Returns the start and length of each record's data, int64 [K, 2]."""
        spans = np.empty((count, 2), np.int64)
        position, size = 0, os.path.getsize(path)
        with open(path, "rb", buffering=0) as file:
            for number in range(count):
                header = os.pread(file.fileno(), self._HEADER.size, position)
                start = position + self._HEADER.size
                length = (self._HEADER.unpack(header)[0]
                          if len(header) == self._HEADER.size else size)
                position = start + length + self._FOOTER_BYTES
                if position > size:
                    raise UserError(
                        f"{origin}: {path!r} is damaged: it ends within "
                        f"record {number} of {count}")
                spans[number] = start, length
        return spans
