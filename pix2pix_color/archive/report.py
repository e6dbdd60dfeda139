"""Rows of the report: one a photograph, in parts that join to one CSV file.

    cat OUTPUT_DIR/report/*.csv > report.csv

header.csv comes first in any order of names. The parts have no header.
"""

import csv
import io
import re
from typing import Iterable, Iterator, NamedTuple

HEADER = "header.csv"
_PART = re.compile(r"part-(\d{5,})-of-(\d{5,})\.csv")


class Row(NamedTuple):
    """A photograph and what became of it.

    Attributes:
      path: its file; those of a TIFF of several pages share it.
      result: path of the result; empty if it was refused.
      width: of the upright photograph, pixels; empty if not known.
      height: of the upright photograph, pixels; empty if not known.
      mean_chroma: mean of hypot(a*, b*) of the result, native units.
      seconds: reading, coloring and writing; empty if the row was made from a
        result that was there.
      reason: why it was refused; empty if it was not.
    """

    path: str
    result: str = ""
    width: str = ""
    height: str = ""
    mean_chroma: str = ""
    seconds: str = ""
    reason: str = ""


def part_name(shard: int, num_shards: int) -> str:
    """Returns the name of a shard's part."""
    return f"part-{shard:05d}-of-{num_shards:05d}.csv"


def part_numbers(name: str) -> tuple[int, int]:
    """Returns a part's shard and the number of shards; 0, 0 for others."""
    found = _PART.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def header() -> bytes:
    """Returns the content of header.csv."""
    return encode([Row(*Row._fields)])


def encode(rows: Iterable[Row]) -> bytes:
    """Writes rows as CSV; names that are no text keep their bytes."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")


def decode(content: bytes) -> Iterator[Row]:
    """Reads the rows of encode; others are passed over."""
    text = io.StringIO(content.decode(errors="surrogateescape"), newline="")
    for values in csv.reader(text):
        if len(values) == len(Row._fields):
            yield Row(*values)
