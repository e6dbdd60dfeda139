"""Photographs that cannot be read: each is reported once and counted.

Those without color, which colorless.with_color refuses, are recorded as well.
They are neither reported one by one nor limited in number.
"""

import re
from typing import Callable, Iterator

import tensorflow as tf
from absl import logging

from data_pipelines import colorless
from data_pipelines.errors import UserError
from data_pipelines.pipeline import (EvaluationBatch, TrainingBatch,
                                     WorkerShard, example_index)
from data_pipelines.sources import Source


class TooManyRejectedError(UserError):
    """More photographs cannot be read than the run allows."""


class RejectedExamples:
    """The photographs that could not be read, each reported once.

    Args:
      max_bad_fraction: share of a source's photographs that may be unreadable,
        0..1; a single one is always allowed.

    Attributes:
      reasons: `FLAG=SPEC: identity` -> why it was rejected, in order of
        discovery.
    """

    def __init__(self, max_bad_fraction: float = 1.0) -> None:
        self._max_bad_fraction = max_bad_fraction
        self.reasons: dict[str, str] = {}
        self._found: set[str] = set()
        # Training and evaluation may share a data spec; each has its limit.
        self._of_source: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, source: Source, index: int) -> None:
        """Records that an example of a source could not be read.

        Raises:
          TooManyRejectedError: there are too many now; the message names them.
        """
        identity, name = source.identities[index], _name(source, index)
        if name in self._found:
            return
        self._found.add(name)
        reason = (_why_unreadable(source, index)
                  or "could not be read a moment ago")
        self.reasons[name] = reason
        if reason == colorless.REASON:
            return
        logging.warning("skipped %s: %s", name, reason)
        bad = self._of_source.setdefault(id(source), [])
        bad.append(f"{identity} ({reason})")
        if len(bad) > max(1, self._max_bad_fraction * len(source)):
            raise TooManyRejectedError(
                f"{source.origin}: {len(bad)} of {len(source)} photographs "
                f"cannot be read, more than --max_bad_fraction="
                f"{self._max_bad_fraction} allows: {', '.join(bad)}")

    def reason(self, source: Source, index: int) -> str:
        """Returns why an example was rejected; empty if it was not."""
        return self.reasons.get(_name(source, index), "")

    def watch_training(
            self, make_batches: Callable[[int], tf.data.Dataset],
            source: Source, *, seed: int, first_ordinal: int,
            part: WorkerShard = WorkerShard(1)) -> Iterator[TrainingBatch]:
        """Yields training batches without end and records missing examples.

        Args:
          make_batches: first ordinal -> pipeline.training_batches of this
            source and seed from there on.
          source: the training photographs.
          seed: the seed that the batches are made with.
          first_ordinal: the ordinal to begin with.
          part: the worker's part of the stream that ordinals count.

        Raises:
          TooManyRejectedError: too many photographs cannot be read, or none
            can, at the start or later.
        """
        expected = first_ordinal
        while True:
            self._require_one_readable(source)
            for batch in make_batches(expected):
                for ordinal in batch.ordinal.numpy().tolist():
                    for missing in range(expected, ordinal):
                        index = example_index(
                            part.place(tf.constant(missing, tf.int64)),
                            num_examples=len(source), seed=seed)
                        self.add(source, int(index))
                    expected = ordinal + 1
                yield batch

    def watch_evaluation(
            self, batches: tf.data.Dataset,
            source: Source) -> Iterator[EvaluationBatch]:
        """Yields the batches and records missing examples.

        Raises:
          TooManyRejectedError: too many photographs cannot be read, or none
            can.
        """
        expected = 0
        for batch in batches:
            for index in batch.index.numpy().tolist():
                for missing in range(expected, index):
                    self.add(source, missing)
                expected = index + 1
            yield batch
        for missing in range(expected, len(source)):
            self.add(source, missing)
        if expected == 0:
            self._require_one_readable(source)

    def _require_one_readable(self, source: Source) -> None:
        for index in range(len(source)):
            if not _why_unreadable(source, index):
                return
            self.add(source, index)
        raise TooManyRejectedError(
            f"{source.origin}: none of its {len(source)} photograph(s) can be "
            f"read; the first, {source.identities[0]}: "
            f"{_why_unreadable(source, 0)}")


def _name(source: Source, index: int) -> str:
    return f"{source.origin}: {source.identities[index]}"


def _why_unreadable(source: Source, index: int) -> str:
    """Returns why an example cannot be read; empty if it can."""
    try:
        source.load(tf.constant(index, tf.int64))
    except tf.errors.OpError as error:
        # TensorFlow's message without the node names around it.
        message = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
        message = message.strip().partition("\n")[0]
        checked = re.fullmatch(r"assertion failed: \[(.*)\]", message)
        return (checked.group(1) if checked else message) or repr(error)
    return ""
