"""Walks a collection once and writes what is fit for training as shards.

    python -m data_pipelines.prepare --data=folder:photos --output_dir=shards
    python -m pix2pix_color.fit --data=shards:shards ...

The output is a standard TensorFlow Datasets directory (ArrayRecord), with a
report.csv that names every file left out and a summary.json. It appears when
it is complete: until then the work is in OUTPUT_DIR.incomplete, which an
interrupted run leaves and the next one begins by clearing.

The work is Apache Beam's: on one machine its direct runner, for collections
that outgrow it whatever --beam_options names; its workers must see the
collection and OUTPUT_DIR.incomplete under the same paths.
"""

import collections
import contextlib
import csv
import dataclasses
import fcntl
import json
import math
import os
import shutil
import sys
import threading
import time
from typing import Any, Iterable, Iterator, Sequence

import tensorflow_datasets as tfds
import tqdm
from absl import flags, logging

from data_pipelines import command
from data_pipelines.errors import InputError
from data_pipelines.preparation import row_files
from data_pipelines.preparation.collection import open_collection
from data_pipelines.preparation.settings import ENCODINGS, Settings
from data_pipelines.sources import shards

_DATA = flags.DEFINE_string(
    "data", None, "What to prepare: sample_photos, folder:DIR (every file "
    "below it) or tfds:NAME[/CONFIG][@SPLIT] (downloaded if need be).")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Where the shards go; must not exist.")
_SHORTER_SIDE = flags.DEFINE_integer(
    "shorter_side", 256, "Pixels that the shorter side is shrunk to, "
    "antialiased; smaller pictures stay as they are. 0 keeps every size.",
    lower_bound=0)
_MIN_SIZE = flags.DEFINE_integer(
    "min_size", 64, "Drop files whose shorter side has fewer pixels.",
    lower_bound=1)
_MIN_CHROMA = flags.DEFINE_float(
    "min_chroma", 4.0, "Drop pictures whose mean chroma, hypot(a*, b*), is "
    "below this: black-and-white ones have 0 to 2, pale ones 5.",
    lower_bound=0.0)
_NEAR_DUPLICATE_DISTANCE = flags.DEFINE_integer(
    "near_duplicate_distance", 4, "Drop pictures whose 64-bit perceptual hash "
    "differs from an earlier one's in at most so many bits; -1 keeps them.",
    lower_bound=-1, upper_bound=16)
_ENCODING = flags.DEFINE_enum(
    "encoding", "jpeg", ENCODINGS, "What the shards hold: JPEGs, or the "
    "pixels as they are, three bytes each: five to six times the disk, and a "
    "third less processor time a photograph that is read, for nothing is "
    "decoded in training.")
_JPEG_QUALITY = flags.DEFINE_integer(
    "jpeg_quality", 95, "Quality of the JPEGs of --encoding=jpeg.",
    lower_bound=1, upper_bound=100)
_TFDS_DATA_DIR = flags.DEFINE_string(
    "tfds_data_dir", "", "Where TensorFlow Datasets keeps its datasets; empty "
    "for its default.")
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_options", [], "Options of Apache Beam, with commas between them: "
    "direct_num_workers=64,direct_running_mode=multi_processing or "
    "runner=FlinkRunner,flink_master=host:8081. By default the direct runner, "
    "with a thread for each core.")

_REPORT_FILE, _SUMMARY_FILE = "report.csv", "summary.json"
_SHARD_BYTES = 256 * 2**20
_PLAIN_LINE_EVERY = 10.0  # seconds


def main(arguments: Sequence[str]) -> None:
    """Prepares --data in --output_dir."""
    command.refuse_arguments(arguments)
    for flag in (_DATA, _OUTPUT_DIR):
        if not flag.value:
            raise InputError(f"--{flag.name} must be given")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)  # Beam warns of what is not used
    try:
        from data_pipelines.preparation import beam_options
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "apache_beam":
            raise
        raise InputError("preparing shards needs Apache Beam: pip install "
                         "pix2pix_color[prepare]") from error
    prepare(data=_DATA.value or "", output_dir=_OUTPUT_DIR.value or "",
            settings=Settings(
                shorter_side=_SHORTER_SIDE.value, min_size=_MIN_SIZE.value,
                min_chroma=_MIN_CHROMA.value, encoding=_ENCODING.value,
                near_duplicate_distance=_NEAR_DUPLICATE_DISTANCE.value,
                jpeg_quality=_JPEG_QUALITY.value),
            tfds_data_dir=_TFDS_DATA_DIR.value,
            options=beam_options.parse(_BEAM_OPTIONS.value))


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
      InputError: there is something at output_dir, another run is at work
        there, the collection cannot be opened or nothing of it is left.
    """
    from data_pipelines.preparation.audit import audit

    output_dir = os.path.abspath(output_dir)
    if set(output_dir) & set("[]*?"):
        raise InputError(f"--output_dir={output_dir}: TensorFlow Datasets "
                         f"would take one of [ ] * ? in it for a wildcard")
    if os.path.lexists(output_dir):
        raise InputError(f"--output_dir={output_dir}: it exists already; "
                         f"remove it or name another")
    started = time.monotonic()
    with _workplace(output_dir + ".incomplete") as work_dir:
        collection = open_collection(
            data, tfds_data_dir=tfds_data_dir, say=_say)
        num_files = row_files.write(
            work_dir, "listing", collection.identities())
        if not num_files:
            raise InputError(f"--data={data}: there is no file in it")
        with _progress(os.path.join(work_dir, "progress"), num_files):
            bytes_in = audit(collection, settings=settings, work_dir=work_dir,
                             options=options)
        rejected = sorted(row_files.read(work_dir, "rejected"))
        reasons = dict(collections.Counter(
            reason for _, reason, _ in rejected).most_common())
        told = ", ".join(
            f"{count} {reason}" for reason, count in reasons.items())
        if len(rejected) == num_files:
            raise InputError(
                f"--data={data}: of {num_files} file(s) none is left: {told}; "
                f"the first, {rejected[0][0]!r}, is {rejected[0][1]}: "
                f"{rejected[0][2]}")
        _say(f"writing {num_files - len(rejected)} photographs")
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
            raise InputError(f"--output_dir: another run is at work in "
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
    from data_pipelines.preparation import photo_shards

    num_bytes = sum(length for _, _, _, length, _, _
                    in row_files.read(work_dir, "kept"))
    tfds.disable_progress_bar()
    builder = photo_shards.Photographs(
        work_dir=work_dir, encoding=encoding,
        data_dir=os.path.join(work_dir, "data"))
    builder.download_and_prepare(
        file_format="array_record",
        download_config=tfds.download.DownloadConfig(
            beam_options=options,
            num_shards=math.ceil(num_bytes / _SHARD_BYTES)))
    return builder.data_dir


@contextlib.contextmanager
def _progress(progress_dir: str, num_files: int) -> Iterator[None]:
    """Shows how many files have been examined: a bar, or a line at times."""
    done = threading.Event()
    on_terminal = sys.stderr.isatty()

    def watch():
        with tqdm.tqdm(total=num_files, unit="file", file=sys.stderr,
                       disable=not on_terminal, dynamic_ncols=True) as bar:
            ended = False
            while not ended:
                ended = done.wait(0.5 if on_terminal else _PLAIN_LINE_EVERY)
                examined = sum(entry.stat().st_size
                               for entry in os.scandir(progress_dir))
                # Work that was done again counts twice.
                bar.update(min(examined, num_files) - bar.n)
                if not on_terminal and not ended:
                    _say(f"examined {examined} of {num_files} files")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write_report(path: str, rejected: Iterable[Sequence[str]]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        report = csv.writer(file)
        report.writerow(["path", "reason", "detail"])
        report.writerows(rejected)


if __name__ == "__main__":
    command.run(main)
