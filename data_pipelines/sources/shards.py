"""`shards:DIR`: the output of `python -m data_pipelines.prepare`.

This is a standard TensorFlow Datasets directory. Those that other programs
wrote are read as well.
"""

import csv
import dataclasses
import os
from typing import Iterator, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines import data_spec
from data_pipelines.errors import UserError
from data_pipelines.sources import source
from data_pipelines.sources import tfds as tfds_source
from data_pipelines.sources.name_list import NameList, Numbered
from data_pipelines.sources.records import Records, from_records

SPLIT = "train"
# One row per example, in the order of the records: its identity, and 1 if the
# collection sets it aside for evaluation, else 0. Identities are needed before
# anything is read, and the records consist mostly of images.
IDENTITIES_FILE = "identities.csv"
IDENTITY_KEY, _HELD_OUT_KEY = "identity", "held_out"


def open_shards(directory: str, *, origin: str) -> source.Source:
    """Opens a directory of prepared photographs.

    An example's identity is its path in the folder from which it was prepared,
    or a number if prepare did not write the directory. The source holds out
    the same examples as the collection.

    Args:
      directory: the directory that contains a `dataset_info.json`.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: there is no prepared data set, or it is damaged.
    """
    data_spec.require_folder(directory, origin=origin)
    try:
        builder = tfds.builder_from_directory(directory)
    except Exception as error:  # damaged files raise nearly anything
        raise UserError(
            f"{origin}: {directory!r} contains no data set that TensorFlow "
            f"Datasets can read; python -m data_pipelines.prepare "
            f"--output_dir writes one") from error
    records = tfds_source.open_records(builder, split=SPLIT, origin=origin)
    identities, held_out = _identities(directory, records, origin)
    return dataclasses.replace(
        from_records(records, origin=origin, identities=identities),
        held_out=held_out)


def write_identities(directory: str, *,
                     held_out: frozenset[str] = frozenset()) -> int:
    """Reads every record of a prepared directory and lists the identities.

    Args:
      directory: the directory, as prepare wrote it.
      held_out: identities that the collection sets aside for evaluation.

    Returns:
      The number of records.

    Raises:
      UserError: a record is missing.
    """
    records = tfds_source.open_records(
        tfds.builder_from_directory(directory), split=SPLIT, origin=directory)
    path = os.path.join(directory, IDENTITIES_FILE)
    with open(path, "w", encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        rows = csv.writer(file)
        rows.writerow([IDENTITY_KEY, _HELD_OUT_KEY])
        for index in range(records.num_records):
            identity = os.fsdecode(_stored_identity(records, index))
            rows.writerow([identity, int(identity in held_out)])
    return records.num_records


def _stored_identity(records: Records, index: int) -> bytes:
    example = tf.train.Example.FromString(records.read(index))
    return example.features.feature[IDENTITY_KEY].bytes_list.value[0]


def _identities(directory: str, records: Records,
                origin: str) -> tuple[Sequence[str], frozenset[str]]:
    """Returns the examples' names, and those that are held out."""
    path = os.path.join(directory, IDENTITIES_FILE)
    if not os.path.exists(path):
        return Numbered(f"{SPLIT}/", records.num_records), frozenset()
    held_out: list[str] = []
    names = NameList(_read_identities(path, held_out))
    if len(names) != records.num_records:
        raise UserError(
            f"{origin}: {path!r} names {len(names)} example(s), but there are "
            f"{records.num_records} records; prepare the directory again")
    return names, frozenset(held_out)


def _read_identities(path: str, held_out: list[str]) -> Iterator[str]:
    """Yields the names, and appends those of held-out examples to the list."""
    with open(path, encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for identity, mark in rows:
            if mark == "1":
                held_out.append(identity)
            yield identity
