"""Colors shards with one model a process, whatever runs the process.

Beam's Shared keeps the model. Its RunInference would do the same, but it sends
what it is given through batches, which shards are already, and it imports
PyTorch and SciPy wherever they are installed: 200 MB in every worker.
Photographs never travel between workers. TensorFlow is imported by them alone.
"""

import dataclasses
import os
import uuid
from typing import TYPE_CHECKING, Iterable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from data_pipelines import command
from pix2pix_color.archive import places, report
from pix2pix_color.archive.listing import Shard
from pix2pix_color.archive.settings import REPORT, Settings, has_scheme

if TYPE_CHECKING:
    from pix2pix_color.archive.colorist import Colorist

NAMESPACE = "colorize_archive"
# Below the report's folder: a file of each process, of a byte a photograph.
PROGRESS = "progress"


@dataclasses.dataclass(frozen=True)
class Counts:
    """Numbers of photographs, by what became of them.

    Attributes:
      colored: how many were colored by this run.
      existing: how many had results.
      refused: how many were refused.
      bytes_read: of the files that were read.
      bytes_written: of new results.
    """

    colored: int = 0
    existing: int = 0
    refused: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


def add(counts: Iterable[Counts]) -> Counts:
    """Adds counts up."""
    return Counts(*map(sum, zip(*map(dataclasses.astuple, [
        Counts(), *counts]))))


class ColorShards(beam.DoFn):
    """Colors shards and writes their parts of the report: Shard -> Counts.

    Args:
      settings: of the run.
      shared: what keeps the model; made where the pipeline is.
    """

    def __init__(self, settings: Settings, shared: Shared) -> None:
        self._settings, self._shared = settings, shared

    def setup(self) -> None:
        """Gets the process's model, which is loaded when it is used."""
        self._colorist = self._shared.acquire(self._make_colorist)

    def process(self, shard: Shard) -> Iterator[Counts]:
        """Colors what of a shard is missing.

        Raises:
          OSError: a result cannot be written.
        """
        yield self._color_shard(shard, self._colorist)

    def _make_colorist(self) -> "Colorist":
        with command.quiet_tensorflow():
            from pix2pix_color.archive.colorist import Colorist
        return Colorist(self._settings)

    def _color_shard(self, shard: Shard, model: "Colorist") -> Counts:
        from pix2pix_color.archive.colorist import read_earlier
        folder = f"{self._settings.output_dir}/{REPORT}"
        rows, total = [], Counts()
        with _Progress(folder) as progress:
            for outcome in model.color_shard(
                    shard.read_names(), read_earlier(
                        folder, shard.number, shard.num_shards)):
                rows += outcome.rows
                refused = sum(bool(row.reason) for row in outcome.rows)
                counts = Counts(
                    outcome.num_colored,
                    len(outcome.rows) - refused - outcome.num_colored,
                    refused, outcome.num_read, outcome.num_written)
                _count(counts)
                total = add([total, counts])
                progress.step()
        places.write_whole(
            f"{folder}/{report.part_name(shard.number, shard.num_shards)}",
            report.encode(rows))
        return total


def _count(counts: Counts) -> None:
    """Adds to Beam's metrics."""
    for name, number in (
            ("done", counts.colored + counts.existing),
            ("refused", counts.refused), ("bytes", counts.bytes_read)):
        Metrics.counter(NAMESPACE, name).inc(number)


class _Progress:
    """Leaves a byte for each file, where there are folders to watch."""

    def __init__(self, folder: str) -> None:
        self._path = "" if has_scheme(folder) else os.path.join(
            folder, PROGRESS, uuid.uuid4().hex)

    def __enter__(self) -> "_Progress":
        if self._path:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = open(self._path, "ab", buffering=0)
        return self

    def step(self) -> None:
        """Leaves a byte."""
        if self._path:
            self._file.write(b".")

    def __exit__(self, *error: object) -> None:
        if self._path:
            self._file.close()
