"""The split into training and evaluation, stable when files come or go."""

import hashlib
from typing import Sequence

import numpy as np

from data_pipelines import colorless
from data_pipelines.errors import UserError
from data_pipelines.sources import Source, open_source


def open_train_and_eval(
        *, data: str, eval_data: str, eval_fraction: float,
        train_examples: int, eval_examples: int,
        tfds_data_dir: str = "") -> tuple[Source, Source]:
    """Opens the photographs of a run.

    Without eval_data the evaluation examples are those that the source itself
    sets aside, or else those whose hashed identity is below eval_fraction.
    Adding a file therefore never moves another one. If only some examples are
    wanted, those with the lowest hashes are taken. Photographs without any
    color do not load (colorless.with_color).

    Args:
      data: data spec of the training photographs.
      eval_data: data spec of the evaluation photographs, or empty.
      eval_fraction: share of data that evaluates when eval_data is empty, 0..1.
      train_examples: largest number of training examples; 0 for all.
      eval_examples: largest number of evaluation examples; 0 for all.
      tfds_data_dir: folder of TensorFlow Datasets' data sets.

    Returns:
      The training and the evaluation source, each in its source's order and
      not empty.

    Raises:
      UserError: a source cannot be opened, or a side is empty.
    """
    train = open_source(data, flag="--data", tfds_data_dir=tfds_data_dir)
    if eval_data:
        if train.held_out:  # never trained on
            train = train.select([
                index for index, identity in enumerate(train.identities)
                if identity not in train.held_out])
        evaluation = open_source(eval_data, flag="--eval_data",
                                 tfds_data_dir=tfds_data_dir)
    else:
        held_out = [
            index for index, identity in enumerate(train.identities)
            if _is_held_out(train, identity, eval_fraction)]
        evaluation = train.select(held_out)
        train = train.select(
            sorted(set(range(len(train))).difference(held_out)))
        for side, examples in (("training", train), ("evaluation", evaluation)):
            if not len(examples):
                raise UserError(
                    f"--data={data}: its {len(train) + len(evaluation)} "
                    f"photograph(s) leave none for {side} at --eval_fraction="
                    f"{eval_fraction}; use --eval_data or "
                    f"{_working_fraction(train, evaluation)}")
    return (colorless.with_color(_limit(train, train_examples)),
            colorless.with_color(_limit(evaluation, eval_examples)))


def _working_fraction(train, evaluation):
    """Suggests an --eval_fraction that leaves photographs on both sides."""
    hashes = sorted(hash_fraction(identity) for identity
                    in (*train.identities, *evaluation.identities))
    if len(hashes) < 2:
        return "more photographs"
    # Rounded to two digits if that still separates the first two.
    middle = (hashes[0] + hashes[1]) / 2
    rounded = round(middle, 2)
    return (f"--eval_fraction="
            f"{rounded if hashes[0] < rounded <= hashes[1] else middle}")


def _is_held_out(source, identity, eval_fraction):
    if source.held_out:
        return identity in source.held_out
    return hash_fraction(identity) < eval_fraction


def _limit(source, num_examples):
    if not 0 < num_examples < len(source):
        return source
    ranked = sorted(range(len(source)),
                    key=lambda index: hash_fraction(source.identities[index]))
    return source.select(sorted(ranked[:num_examples]))


def hash_fraction(identity: str) -> float:
    """Maps an identity to a number in 0..1 by its SHA-256."""
    return _hash(identity) / 2**64


def fingerprints(identities: Sequence[str]) -> np.ndarray:
    """Maps a set of identities to sorted numbers, uint64 [N]."""
    return np.unique(np.fromiter(map(_hash, identities), np.uint64))


def _hash(identity):
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape"))
    return int.from_bytes(digest.digest()[:8], "big")
