"""Tries a few photographs of an archive and says what all would take."""

import time
from typing import Iterable, NamedTuple

from pix2pix_color import hardware
from pix2pix_color.archive import names
from pix2pix_color.archive.colorist import Colorist
from pix2pix_color.archive.listing import Listing
from pix2pix_color.archive.settings import Settings

_TRIED = 20
# Numbers for shard_of, so that the same files are tried every time.
_PLACES = 2**40


class Estimate(NamedTuple):
    """The time and memory that an archive takes.

    Attributes:
      num_tried: photographs that were tried.
      num_refused: those of them that were refused.
      bytes_read: of those that were colored.
      bytes_written: of their results.
      seconds: of coloring all the archive on this machine, one process.
      peak_bytes: this process's memory at its most.
    """

    num_tried: int
    num_refused: int
    bytes_read: int
    bytes_written: int
    seconds: float
    peak_bytes: int


def try_some(listing: Listing, settings: Settings) -> Estimate:
    """Colors twenty files that follow from the names, and writes nothing.

    Raises:
      UserError: the model cannot be loaded.
    """
    paths = _choose(file.path for file in listing.files())
    colorist = Colorist(settings)
    list(colorist.try_files(paths[:1]))  # functions are traced
    started = time.monotonic()
    outcomes = list(colorist.try_files(paths))
    seconds = time.monotonic() - started
    return Estimate(
        num_tried=len(paths),
        num_refused=sum(not outcome.num_colored for outcome in outcomes),
        bytes_read=sum(outcome.num_read for outcome in outcomes),
        bytes_written=sum(outcome.num_written for outcome in outcomes),
        seconds=seconds / len(paths) * listing.num_files,
        peak_bytes=hardware.peak_memory_bytes())


def _choose(paths: Iterable[str]) -> list[str]:
    """Returns the files with the lowest hashes."""
    chosen: list[tuple[int, str]] = []
    for path in paths:
        rank = names.shard_of(path, _PLACES)
        if len(chosen) < _TRIED or rank < chosen[-1][0]:
            chosen = sorted({*chosen, (rank, path)})[:_TRIED]
    return [path for _, path in chosen]


def shown_bytes(number: float) -> str:
    """Writes a number of bytes, as `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            break
        number /= 1024
    else:
        unit = "TiB"
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
