"""Rows of JSON lines in files NAME-00000, NAME-00001... of a folder.

Beam's own text files treat [ and * in a folder's name as wildcards.
"""

import glob
import itertools
import json
import os
from typing import Any, Iterable, Iterator

from data_pipelines import files

_ROWS_A_FILE = 1000


def write_rows(directory: str, name: str, rows: Iterable[Any]) -> int:
    """Writes rows to new files and returns their number."""
    count, rest = 0, iter(rows)
    while some := list(itertools.islice(rest, _ROWS_A_FILE)):
        write_rows_file(directory, name, count // _ROWS_A_FILE, some)
        count += len(some)
    return count


def write_rows_file(directory: str, name: str, number: int,
                    rows: Iterable[Any]) -> None:
    """Writes one of the files, or replaces it."""
    path = os.path.join(directory, f"{name}-{number:05d}")
    # Several workers may be given the same work; the last one's file stays.
    files.write_atomically(path, "".join(
        json.dumps(row) + "\n" for row in rows).encode())


def paths(directory: str, name: str) -> list[str]:
    """Lists the files of rows, in order."""
    return sorted(glob.glob(
        os.path.join(glob.escape(directory), f"{name}-" + "[0-9]" * 5)))


def read_rows_file(path: str) -> Iterator[Any]:
    """Yields one file's rows."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read_rows(directory: str, name: str) -> Iterator[Any]:
    """Yields all the rows."""
    for path in paths(directory, name):
        yield from read_rows_file(path)
