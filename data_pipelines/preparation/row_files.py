"""Rows as JSON, one a line, in files NAME-00000, NAME-00001... of a folder.

Beam's own text files would do, but they take [ and * in a folder's name for
wildcards.
"""

import glob
import itertools
import json
import os
import uuid
from typing import Any, Iterable, Iterator

_ROWS_A_FILE = 1000


def write(directory: str, name: str, rows: Iterable[Any]) -> int:
    """Writes rows to new files; returns how many there are."""
    count, rest = 0, iter(rows)
    while some := list(itertools.islice(rest, _ROWS_A_FILE)):
        write_file(directory, name, count // _ROWS_A_FILE, some)
        count += len(some)
    return count


def write_file(directory: str, name: str, number: int,
               rows: Iterable[Any]) -> None:
    """Writes one of the files, anew if it is there."""
    path = os.path.join(directory, f"{name}-{number:05d}")
    # Several workers may be given the same work: the last one's file stays.
    draft = f"{path}.{uuid.uuid4().hex}"
    with open(draft, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    os.replace(draft, path)


def paths(directory: str, name: str) -> list[str]:
    """The files that hold the rows, in order."""
    return sorted(glob.glob(
        os.path.join(glob.escape(directory), f"{name}-" + "[0-9]" * 5)))


def read_file(path: str) -> Iterator[Any]:
    """Yields one file's rows."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read(directory: str, name: str) -> Iterator[Any]:
    """Yields all the rows."""
    for path in paths(directory, name):
        yield from read_file(path)
