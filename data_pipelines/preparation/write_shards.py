"""A collection -> a directory of shards, complete or not at all."""

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
import tempfile
import threading
import time
from typing import Any, Iterable, Iterator, Sequence, TextIO

import tensorflow_datasets as tfds
import tqdm

from data_pipelines import command, files
from data_pipelines.errors import UserError
from data_pipelines.preparation import photo_shards, row_files
from data_pipelines.preparation.audit import audit_collection
from data_pipelines.preparation.collection import open_collection
from data_pipelines.preparation.settings import Settings, require_new_folder
from data_pipelines.sources import shards

_REPORT_FILE, _SUMMARY_FILE = "report.csv", "summary.json"
_PLAIN_LINE_EVERY = 10.0  # seconds


def prepare(*, data: str, output_dir: str, settings: Settings,
            tfds_data_dir: str, options: Any,
            shard_bytes: int = 256 * 2**20) -> dict[str, Any]:
    """Writes a collection as shards.

    Args:
      data: data spec of the collection.
      output_dir: the directory to create.
      settings: what to do with the photographs.
      tfds_data_dir: folder of TFDS's data sets; empty for its default.
      options: Beam's PipelineOptions.
      shard_bytes: approximate size of one shard, bytes.

    Returns:
      The content of summary.json.

    Raises:
      UserError: output_dir exists, another run is working there, the
        collection cannot be opened, no photograph is left, or the disk is
        full.
    """
    output_dir = require_new_folder(output_dir)
    started = time.monotonic()
    with (_work_folder(output_dir + files.UNFINISHED) as real_work_dir,
          _plain_path(real_work_dir) as work_dir,
          _full_disk_explained(output_dir)):
        collection = open_collection(
            data, tfds_data_dir=tfds_data_dir, say=_say)
        num_files = row_files.write_rows(
            work_dir, "listing", collection.identities())
        if not num_files:
            raise UserError(f"--data={data} contains no file")
        with (_workers_silent(output_dir) as stderr, _progress(
                os.path.join(work_dir, "progress"), num_files, stderr)):
            bytes_in = audit_collection(
                collection, settings=settings, work_dir=work_dir,
                options=options)
        rejected = sorted(row_files.read_rows(work_dir, "rejected"))
        reasons = dict(collections.Counter(
            reason for _, reason, _ in rejected).most_common())
        counts = ", ".join(
            f"{count} {reason}" for reason, count in reasons.items())
        if len(rejected) == num_files:
            raise UserError(
                f"--data={data}: none of its {num_files} file(s) can be used: "
                f"{counts}; the first, {rejected[0][0]!r}, is "
                f"{rejected[0][1]}: {rejected[0][2]}")
        _say(f"writing {num_files - len(rejected)} photographs")
        with _workers_silent(output_dir):
            dataset_dir = _write_shards(
                work_dir, settings.encoding, options, shard_bytes)
        num_photos = shards.write_identities(
            dataset_dir, held_out=collection.held_out)
        if num_photos + len(rejected) != num_files:
            raise RuntimeError(
                f"{num_files} files were read, but {num_photos} photographs "
                f"were written and {len(rejected)} files rejected")
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
          f"left out: {counts or 'none'} (see {_REPORT_FILE})")
    return summary


@contextlib.contextmanager
def _work_folder(work_dir: str) -> Iterator[str]:
    """Locks an empty folder for this run and removes it in the end."""
    os.makedirs(work_dir, exist_ok=True)
    with open(os.path.join(work_dir, "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"--output_dir: another run is working in "
                            f"{work_dir}") from None
        for entry in os.scandir(work_dir):  # left by an interrupted run
            if entry.name != "lock":
                _remove(entry.path)
        os.mkdir(os.path.join(work_dir, "progress"))
        try:
            yield work_dir
        finally:
            shutil.rmtree(work_dir, ignore_errors=True)


@contextlib.contextmanager
def _plain_path(folder: str) -> Iterator[str]:
    """Gives a folder a path that TensorFlow Datasets takes for no pattern.

    files.plain_path does not do: worker processes use the path, too.
    """
    if not set(folder) & set("[]*?"):
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        link = os.path.join(place, "work")
        os.symlink(folder, link)
        yield link


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _write_shards(work_dir: str, encoding: str, options: Any,
                  shard_bytes: int) -> str:
    """Writes the kept photographs and returns the data set's directory."""
    num_bytes = sum(length for _, _, _, length, _, _
                    in row_files.read_rows(work_dir, "kept"))
    tfds.disable_progress_bar()
    builder = photo_shards.Photographs(
        work_dir=work_dir, encoding=encoding,
        data_dir=os.path.join(work_dir, "data"))
    builder.download_and_prepare(
        # ArrayRecord compresses; unpacking takes longer than reading pixels.
        file_format="tfrecord" if encoding == "raw" else "array_record",
        download_config=tfds.download.DownloadConfig(
            beam_options=options,
            num_shards=math.ceil(num_bytes / shard_bytes)))
    return builder.data_dir


@contextlib.contextmanager
def _progress(progress_dir: str, num_files: int,
              stderr: TextIO) -> Iterator[None]:
    """Shows the number of examined files: a bar, or a line now and then."""
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
                # Work that Beam repeats is counted twice.
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
def _workers_silent(output_dir: str) -> Iterator[TextIO]:
    """Holds back the messages of Beam, TensorFlow and worker processes.

    A worker starts with two dozen lines and reports errors at length and
    several times. All this is shown if the work ends in a stack trace.

    Yields:
      A file through which this process can still write to standard error.
    """
    with (open(os.dup(2), "w") as own_stderr, command.stderr_held_back(),
          _full_disk_explained(output_dir)):
        yield own_stderr


@contextlib.contextmanager
def _full_disk_explained(output_dir: str) -> Iterator[None]:
    """Turns any exception that a full disk causes into a UserError."""
    try:
        yield
    except Exception as error:
        # Beam passes on nothing but the message of a worker's exception.
        why = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT)
               if os.strerror(number) in str(error)]
        if not why or isinstance(error, UserError):
            raise
        disk = os.path.dirname(output_dir)
        free = shutil.disk_usage(disk).free
        while not os.path.ismount(disk):
            disk = os.path.dirname(disk)
        raise UserError(
            f"--output_dir={output_dir}: {why[0]}: {free:,} bytes are free on "
            f"the disk at {disk}, and the work takes twice the space of the "
            f"shards; make room or choose a folder on another disk"
        ) from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write_report(path: str, rejected: Iterable[Sequence[str]]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        report = csv.writer(file)
        report.writerow(["path", "reason", "detail"])
        report.writerows(rejected)
