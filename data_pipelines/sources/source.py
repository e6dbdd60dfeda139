"""The form of every source: a list of photographs, each read by index."""

import dataclasses
from typing import Callable, Sequence

import numpy as np
import tensorflow as tf

from data_pipelines import decode_file
from data_pipelines.sources.name_list import NameList, Selection


@dataclasses.dataclass(frozen=True)
class Source:
    """A collection of photographs.

    Attributes:
      origin: the flag and data spec that opened it, for messages:
        `--data=folder:photos`.
      identities: one name per example, stable when other examples come or go;
        splits depend on it and messages show it.
      load: int64 [] index -> uint8 [H, W, channels], in TensorFlow ops, so
        that it runs inside Dataset.map; raises tf.errors.OpError for a
        photograph that cannot be read.
      channels: 3 for RGB; 4 if a gray photograph comes with each RGB one.
      held_out: identities that the source itself sets aside for evaluation.
      remark: what users should know of how it is read; empty for nothing.
    """

    origin: str
    identities: Sequence[str]
    load: Callable[[tf.Tensor], tf.Tensor]
    channels: int = 3
    held_out: frozenset[str] = frozenset()
    remark: str = ""

    def __len__(self) -> int:
        return len(self.identities)

    def select(self, indices: Sequence[int]) -> "Source":
        """Returns a source of these examples alone, in this order."""
        chosen = np.asarray(indices, np.int64)
        kept = tf.constant(chosen)
        return dataclasses.replace(
            self,
            identities=Selection(self.identities, chosen),
            load=lambda index: self.load(tf.gather(kept, index)))


def from_files(directory: str, names: NameList, *, origin: str) -> Source:
    """Makes a source of image files.

    Args:
      directory: the folder.
      names: the files' paths relative to it, which are their identities.
      origin: the flag and data spec, for messages.
    """
    def load(index):
        path = tf.strings.join([directory, names.at(index)], separator="/")
        return decode_file.decode_file(tf.io.read_file(path))

    return Source(origin=origin, identities=names, load=load)
