"""Lists an archive, has Beam color it shard by shard, and sums up.

    OUTPUT_DIR/...                       results, in the input's structure
    OUTPUT_DIR/report/part-00012-of-00256.csv   a shard's rows (report.py)
    OUTPUT_DIR/report/settings.json      what a later run must repeat
    OUTPUT_DIR/report/summary.json       counts of the last run
"""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
from typing import Any, Iterator

import apache_beam as beam
from apache_beam.utils.shared import Shared

from data_pipelines import command
from data_pipelines.errors import Interrupted, UserError
from data_pipelines.files import UNFINISHED
from pix2pix_color.archive import places, report
from pix2pix_color.archive.listing import Listing, Shard, names_paths
from pix2pix_color.archive.progress import watching
from pix2pix_color.archive.settings import (REPORT, Settings, has_scheme,
                                            number_of_shards, require_same,
                                            to_json)
from pix2pix_color.archive.worker import PROGRESS, ColorShards, Counts, add

_SETTINGS, _SUMMARY = "settings.json", "summary.json"
# What the direct runner says of a worker process that is gone.
_WORKER_LOST = ("Channel closed prematurely", "Worker subprocess exited")


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
      Interrupted: a worker of the direct runner was killed.
    """
    folder = f"{settings.output_dir}/{REPORT}"
    num_shards = _claim(folder, settings, listing.num_files)
    shards = listing.write_shards(folder, num_shards)
    summary = f"{folder}/{_SUMMARY}"
    places.remove([summary])
    with (watching(folder, shards), command.stderr_held_back(),
          _explained(settings.output_dir)):
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
    if any(map(places.exists, names_paths(folder))):  # it did not end
        places.remove(file.path for file in places.list_files(
            settings.output_dir + "/") if file.path.endswith(UNFINISHED))
    _remove_progress(folder)
    return num_shards


def _run(shards: list[Shard], settings: Settings, summary: str,
         options: Any) -> None:
    with beam.Pipeline(options=options) as pipeline:
        _ = (pipeline
             | "Shards" >> beam.Create(shards)
             | "ShareOut" >> beam.Reshuffle()
             | "Color" >> beam.ParDo(ColorShards(settings, Shared()))
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


@contextlib.contextmanager
def _explained(output_dir: str) -> Iterator[None]:
    """Says in one line what ended the work, if it can go on afterwards.

    Beam passes on nothing but the message of a worker's exception.
    """
    try:
        yield
    except Exception as error:
        for number in (errno.ENOSPC, errno.EDQUOT):
            if os.strerror(number) in str(error):
                raise UserError(
                    f"--output_dir={output_dir}: {os.strerror(number)}; make "
                    f"room and repeat the command, which goes on") from error
        if any(sign in str(error) for sign in _WORKER_LOST):
            raise Interrupted(
                "a worker process ended: it was killed, or the memory was not "
                "enough; repeat the command, which goes on") from error
        raise
