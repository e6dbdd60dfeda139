"""Shows how far the work is, whatever runs it."""

import contextlib
import os
import sys
import threading
import time
from typing import Iterator, Sequence

from pix2pix_color.archive import places, report
from pix2pix_color.archive.listing import Shard
from pix2pix_color.archive.settings import has_scheme
from pix2pix_color.archive.worker import PROGRESS

_EVERY, _PLAIN_EVERY = 3.0, 10.0  # seconds


@contextlib.contextmanager
def watching(folder: str, shards: Sequence[Shard]) -> Iterator[None]:
    """Prints a line now and then until the block ends.

    On a terminal the line is written anew every few seconds.

    Args:
      folder: the report's.
      shards: those that are worked on.
    """
    total = sum(shard.count for shard in shards)
    counts = {shard.number: shard.count for shard in shards}
    # A name of its own: the block may redirect file descriptor 2.
    stderr = open(os.dup(2), "w")
    on_terminal = sys.stderr.isatty()
    ended, started = threading.Event(), time.time()

    def watch():
        while not ended.wait(_EVERY if on_terminal else _PLAIN_EVERY):
            with contextlib.suppress(OSError):
                done = min(_count(folder, counts, started), total)
                line = _describe(done, total, time.time() - started)
                print(f"\r{line}\x1b[K" if on_terminal else line,
                      end="" if on_terminal else "\n", file=stderr, flush=True)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        if on_terminal:
            print("\r\x1b[K", end="", file=stderr)
        stderr.close()


def _count(folder, counts, started):
    """Counts files: one by one on this machine, or by whole shards."""
    if not has_scheme(folder):
        with os.scandir(os.path.join(folder, PROGRESS)) as entries:
            return sum(entry.stat().st_size for entry in entries)
    found = [report.part_numbers(file.path.rpartition("/")[2])
             for file in places.list_files(folder + "/")]
    most = max((num_shards for _, num_shards in found), default=0)
    return sum(counts.get(shard, 0) for shard, num_shards in found
               if num_shards == most)


def _describe(done, total, seconds):
    line = f"{done} of {total} files, {done / seconds:.1f} a second"
    if 0 < done < total:
        line += f", {time_text(seconds / done * (total - done))} left"
    return line


def time_text(seconds: float) -> str:
    """Writes a duration, as `2 h 05 min`, `12 min` or `40 s`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
