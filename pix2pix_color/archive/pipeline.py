"""Lists an archive, has Beam color it shard by shard, and sums up.

    OUTPUT_DIR/...                       results, in the input's structure
    OUTPUT_DIR/report/part-00012-of-00256.csv   a shard's rows (report.py)
    OUTPUT_DIR/report/settings.json      what a later run must repeat
    OUTPUT_DIR/report/summary.json       counts of the last run
"""

import dataclasses
import errno
import json
import os
import shutil
import time
from typing import Any, Callable

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from data_pipelines.errors import UserError
from pix2pix_color.archive import places, report
from pix2pix_color.archive.handler import (PROGRESS, ColorizerHandler, Counts,
                                           add)
from pix2pix_color.archive.listing import Listing, Shard, names_paths
from pix2pix_color.archive.progress import watching
from pix2pix_color.archive.settings import (REPORT, Settings, has_scheme,
                                            number_of_shards, require_same,
                                            to_json)

_SETTINGS, _SUMMARY = "settings.json", "summary.json"


def color_archive(listing: Listing, settings: Settings, options: Any) -> Counts:
    """Colors what of an archive is missing.

    Args:
      listing: the files.
      settings: of the run.
      options: Beam's PipelineOptions.

    Returns:
      What this run did.

    Raises:
      UserError: the results' folder belongs to other settings, or the disk is
        full.
    """
    folder = f"{settings.output_dir}/{REPORT}"
    num_shards = _claim(folder, settings, listing.num_files)
    shards = listing.write_shards(folder, num_shards)
    summary = f"{folder}/{_SUMMARY}"
    places.remove([summary])
    with watching(folder, shards):
        with _full_disk_explained(settings.output_dir):
            _run(shards, settings, summary, options)
    counts = Counts(**json.loads(places.read(summary)))
    _clean(folder, num_shards)
    return counts


def _claim(folder: str, settings: Settings, num_files: int) -> int:
    """Writes the report's settings and header, or checks those there are."""
    path = f"{folder}/{_SETTINGS}"
    earlier = 0
    if places.exists(path):
        earlier = require_same(settings, places.read(path))
    num_shards = number_of_shards(num_files, earlier)
    if num_shards != earlier:
        places.write_whole(path, to_json(settings, num_shards))
    places.write_whole(f"{folder}/{report.HEADER}", report.header())
    _remove_progress(folder)
    return num_shards


def _run(shards: list[Shard], settings: Settings, summary: str,
         options: Any) -> None:
    with beam.Pipeline(options=options) as pipeline:
        _ = (pipeline
             | "Shards" >> beam.Create(shards)
             | "ShareOut" >> beam.Reshuffle()
             | "Color" >> RunInference(ColorizerHandler(settings))
             | "Add" >> beam.CombineGlobally(add)
             | "Summarize" >> beam.Map(_write_summary, summary))


def _write_summary(counts: Counts, path: str) -> None:
    places.write_whole(path, json.dumps(
        dataclasses.asdict(counts), indent=2).encode() + b"\n")


def _clean(folder: str, num_shards: int) -> None:
    """Removes what only a run needs, and parts of fewer shards."""
    _remove_progress(folder)
    found = [file.path for file in places.list_files(folder + "/")]
    wanted = set(names_paths(folder))
    places.remove(path for path in found if path in wanted or (
        0 < report.part_numbers(path.rpartition("/")[2])[1] < num_shards))


def _remove_progress(folder: str) -> None:
    if not has_scheme(folder):
        shutil.rmtree(os.path.join(folder, PROGRESS), ignore_errors=True)


class _full_disk_explained:
    """Makes a UserError of any exception that a full disk causes."""

    def __init__(self, output_dir: str) -> None:
        self._output_dir = output_dir

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        # Beam passes on nothing but the message of a worker's exception.
        for number in (errno.ENOSPC, errno.EDQUOT):
            if (isinstance(error, Exception)
                    and os.strerror(number) in str(error)):
                raise UserError(
                    f"--output_dir={self._output_dir}: {os.strerror(number)}; "
                    f"make room and repeat the command, which goes on"
                ) from error
