"""`shards:DIR`: what `python -m data_pipelines.prepare` wrote.

That is a standard TensorFlow Datasets directory; one that something else wrote
is read as well.
"""

import csv
import dataclasses
import os
from typing import Iterator, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.errors import UserError
from data_pipelines.sources import source
from data_pipelines.sources import tfds as tfds_source
from data_pipelines.sources.name_list import NameList, Numbered
from data_pipelines.sources.records import Records, from_records

SPLIT = "train"
# One row an example, in the order of the records: the identities are needed
# before anything is read, and the records are mostly image. Beside each stands
# 1 if the collection sets the example aside for evaluation, else 0.
IDENTITIES_FILE = "identities.csv"
IDENTITY_KEY, _HELD_OUT_KEY = "identity", "held_out"


def open_shards(directory: str, *, origin: str) -> source.Source:
    """Opens a directory of prepared photographs.

    An example's identity is the one that it was prepared with: its path in the
    folder it came from. A directory that prepare did not write has numbers.
    What the collection held out for evaluation, the source holds out too.

    Args:
      directory: the directory, which holds a `dataset_info.json`.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: there is no prepared dataset, or it is damaged.
    """
    if not os.path.isdir(directory):
        raise UserError(f"{origin}: there is no folder {directory!r}")
    try:
        builder = tfds.builder_from_directory(directory)
    except Exception as error:  # damaged files raise nearly anything
        raise UserError(
            f"{origin}: {directory!r} holds no dataset that TensorFlow "
            f"Datasets can read; python -m data_pipelines.prepare "
            f"--output_dir writes one") from error
    records = tfds_source.open_records(builder, split=SPLIT, origin=origin)
    identities, held_out = _identities(directory, records, origin)
    return dataclasses.replace(
        from_records(records, origin=origin, identities=identities),
        held_out=held_out)


def write_identities(directory: str, *,
                     held_out: frozenset[str] = frozenset()) -> int:
    """Reads every record of a prepared directory, and notes its identity.

    Args:
      directory: the directory, as prepare wrote it.
      held_out: identities that the collection sets aside for evaluation.

    Returns:
      How many records there are.

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
    """The examples' names, and those of them that are held out."""
    path = os.path.join(directory, IDENTITIES_FILE)
    if not os.path.exists(path):
        return Numbered(f"{SPLIT}/", records.num_records), frozenset()
    held_out: list[str] = []
    names = NameList(_read_identities(path, held_out))
    if len(names) != records.num_records:
        raise UserError(
            f"{origin}: {path!r} names {len(names)} example(s), the records "
            f"are {records.num_records}; prepare the directory again")
    return names, frozenset(held_out)


def _read_identities(path: str, held_out: list[str]) -> Iterator[str]:
    """Yields the names; those of examples held out are appended as well."""
    with open(path, encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for identity, *marks in rows:
            if marks == ["1"]:
                held_out.append(identity)
            yield identity
