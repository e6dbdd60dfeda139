"""Remembers a run's photographs, and tells which came or went since."""

import hashlib
import io
import zipfile
from typing import Optional

import numpy as np

from data_pipelines import split
from data_pipelines.files import write_atomically
from data_pipelines.sources import Source

_SIDES = ("training", "evaluation")


class PhotographSets:
    """The identities of a run's photographs, as eight bytes each.

    Args:
      train_source: the training photographs.
      eval_source: the evaluation photographs.
    """

    def __init__(self, train_source: Source, eval_source: Source) -> None:
        self._sets = {side: split.fingerprints(source.identities)
                      for side, source in zip(_SIDES,
                                              (train_source, eval_source))}

    @property
    def evaluation_digest(self) -> str:
        """Differs for other evaluation photographs, in whatever order."""
        return hashlib.sha256(
            self._sets["evaluation"].tobytes()).hexdigest()[:16]

    def write(self, path: str) -> None:
        """Writes the sets, replacing an earlier file."""
        file = io.BytesIO()
        np.savez(file, training=self._sets["training"],
                 evaluation=self._sets["evaluation"])
        write_atomically(path, file.getvalue())

    def changes_since(self, path: str) -> str:
        """Tells what came and went since the sets of a file.

        Returns:
          A phrase for each side that has changed; empty if none has, or if
          the file is missing or damaged.
        """
        before = _read(path)
        if before is None:
            return ""
        changes = []
        for side, now in self._sets.items():
            added = len(np.setdiff1d(now, before[side]))
            removed = len(np.setdiff1d(before[side], now))
            if added or removed:
                changes.append(f"{added} {side} photograph(s) added, "
                               f"{removed} removed")
        return "; ".join(changes)


def _read(path: str) -> Optional[dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {side: file[side] for side in _SIDES}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
