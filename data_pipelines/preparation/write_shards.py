"""A collection -> a directory of shards, whole or not at all."""

import collections
import contextlib
import csv
import dataclasses
import errno
import fcntl
import json
import math
import os
import shutil
import sys
import threading
import time
from typing import Any, Iterable, Iterator, Sequence, TextIO

import tensorflow_datasets as tfds
import tqdm

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.preparation import photo_shards, row_files
from data_pipelines.preparation.audit import audit
from data_pipelines.preparation.collection import open_collection
from data_pipelines.preparation.settings import Settings
from data_pipelines.sources import shards

_REPORT_FILE, _SUMMARY_FILE = "report.csv", "summary.json"
_SHARD_BYTES = 256 * 2**20
_PLAIN_LINE_EVERY = 10.0  # seconds


def prepare(*, data: str, output_dir: str, settings: Settings,
            tfds_data_dir: str, options: Any) -> dict[str, Any]:
    """Writes a collection as shards.

    Args:
      data: data spec of the collection.
      output_dir: the directory to make.
      settings: what becomes of the photographs.
      tfds_data_dir: where TFDS has its datasets; empty for its default.
      options: Beam's PipelineOptions, as beam_options.parse makes them.

    Returns:
      What summary.json holds.

    Raises:
      UserError: there is something at output_dir, another run is at work
        there, the collection cannot be opened, nothing of it is left, or the
        disk is full.
    """
    output_dir = os.path.abspath(output_dir)
    if set(output_dir) & set("[]*?"):
        raise UserError(f"--output_dir={output_dir}: TensorFlow Datasets "
                        f"would take one of [ ] * ? in it for a wildcard")
    if os.path.lexists(output_dir):
        raise UserError(f"--output_dir={output_dir}: it exists already; "
                        f"remove it or name another")
    started = time.monotonic()
    with (_workplace(output_dir + ".incomplete") as work_dir,
          _full_disk_told(output_dir)):
        collection = open_collection(
            data, tfds_data_dir=tfds_data_dir, say=_say)
        num_files = row_files.write(
            work_dir, "listing", collection.identities())
        if not num_files:
            raise UserError(f"--data={data}: there is no file in it")
        with (_others_silent(output_dir) as stderr, _progress(
                os.path.join(work_dir, "progress"), num_files, stderr)):
            bytes_in = audit(collection, settings=settings, work_dir=work_dir,
                             options=options)
        rejected = sorted(row_files.read(work_dir, "rejected"))
        reasons = dict(collections.Counter(
            reason for _, reason, _ in rejected).most_common())
        told = ", ".join(
            f"{count} {reason}" for reason, count in reasons.items())
        if len(rejected) == num_files:
            raise UserError(
                f"--data={data}: of {num_files} file(s) none is left: {told}; "
                f"the first, {rejected[0][0]!r}, is {rejected[0][1]}: "
                f"{rejected[0][2]}")
        _say(f"writing {num_files - len(rejected)} photographs")
        with _others_silent(output_dir):
            dataset_dir = _write_shards(work_dir, settings.encoding, options)
        num_photos = shards.write_identities(
            dataset_dir, held_out=collection.held_out)
        if num_photos + len(rejected) != num_files:
            raise RuntimeError(f"{num_files} files went in, {num_photos} came "
                               f"out and {len(rejected)} were rejected")
        _write_report(os.path.join(dataset_dir, _REPORT_FILE), rejected)
        summary = {
            "data": data, **dataclasses.asdict(settings),
            "files_in": num_files, "photographs_out": num_photos,
            "rejected": reasons, "bytes_in": bytes_in,
            "bytes_out": sum(entry.stat().st_size
                             for entry in os.scandir(dataset_dir)),
            "seconds": round(time.monotonic() - started, 1)}
        with open(os.path.join(dataset_dir, _SUMMARY_FILE), "w") as file:
            json.dump(summary, file, indent=2)
        os.rename(dataset_dir, output_dir)
    print(f"{num_photos} photographs of {num_files} files are in {output_dir}; "
          f"left out: {told or 'none'} ({_REPORT_FILE} names them)")
    return summary


@contextlib.contextmanager
def _workplace(work_dir: str) -> Iterator[str]:
    """An empty folder that is this run's alone, and removed in the end."""
    os.makedirs(work_dir, exist_ok=True)
    with open(os.path.join(work_dir, "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"--output_dir: another run is at work in "
                            f"{work_dir}") from None
        for entry in os.scandir(work_dir):  # of a run that was interrupted
            if entry.name != "lock":
                _remove(entry.path)
        os.mkdir(os.path.join(work_dir, "progress"))
        try:
            yield work_dir
        finally:
            shutil.rmtree(work_dir, ignore_errors=True)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _write_shards(work_dir: str, encoding: str, options: Any) -> str:
    """Writes the kept photographs; returns the dataset's directory."""
    num_bytes = sum(length for _, _, _, length, _, _
                    in row_files.read(work_dir, "kept"))
    tfds.disable_progress_bar()
    builder = photo_shards.Photographs(
        work_dir=work_dir, encoding=encoding,
        data_dir=os.path.join(work_dir, "data"))
    builder.download_and_prepare(
        # ArrayRecord compresses, which costs more than reading pixels does.
        file_format="tfrecord" if encoding == "raw" else "array_record",
        download_config=tfds.download.DownloadConfig(
            beam_options=options,
            num_shards=math.ceil(num_bytes / _SHARD_BYTES)))
    return builder.data_dir


@contextlib.contextmanager
def _progress(progress_dir: str, num_files: int,
              stderr: TextIO) -> Iterator[None]:
    """Shows how many files have been examined: a bar, or a line at times."""
    done = threading.Event()
    on_terminal = stderr.isatty()

    def watch():
        with tqdm.tqdm(total=num_files, unit="file", file=stderr,
                       disable=not on_terminal, dynamic_ncols=True) as bar:
            ended = False
            while not ended:
                ended = done.wait(0.5 if on_terminal else _PLAIN_LINE_EVERY)
                examined = sum(entry.stat().st_size
                               for entry in os.scandir(progress_dir))
                # Work that was done again counts twice.
                bar.update(min(examined, num_files) - bar.n)
                if not on_terminal and not ended:
                    print(f"examined {examined} of {num_files} files",
                          file=stderr, flush=True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextlib.contextmanager
def _others_silent(output_dir: str) -> Iterator[TextIO]:
    """Keeps back what Beam, TensorFlow and worker processes have to say.

    A worker greets with two dozen lines, and what stops one is told at length
    and several times. All that comes out when the work ends in a stack trace.

    Yields:
      What this process can still write to standard error through.
    """
    with (open(os.dup(2), "w") as own_stderr, command.stderr_held_back(),
          _full_disk_told(output_dir)):
        yield own_stderr


@contextlib.contextmanager
def _full_disk_told(output_dir: str) -> Iterator[None]:
    """Raises UserError for whatever a full disk ends in."""
    try:
        yield
    except Exception as error:
        # Of what stops a worker, Beam hands on no more than the words.
        why = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT)
               if os.strerror(number) in str(error)]
        if not why or isinstance(error, UserError):
            raise
        disk = os.path.dirname(output_dir)
        free = shutil.disk_usage(disk).free
        while not os.path.ismount(disk):
            disk = os.path.dirname(disk)
        raise UserError(
            f"--output_dir={output_dir}: {why[0]}: {free:,} bytes were free "
            f"on the disk at {disk} in the end, and the work takes twice what "
            f"the shards do; make room, or name a folder on another disk"
        ) from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write_report(path: str, rejected: Iterable[Sequence[str]]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        report = csv.writer(file)
        report.writerow(["path", "reason", "detail"])
        report.writerows(rejected)
