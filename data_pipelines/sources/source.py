"""What every kind of source is: a list of photographs, each read by index."""

import dataclasses
from typing import Callable, Sequence

import numpy as np
import tensorflow as tf

from data_pipelines import decode
from data_pipelines.sources.name_list import NameList, Selection


@dataclasses.dataclass(frozen=True)
class Source:
    """A collection of photographs.

    Attributes:
      origin: the flag and data spec that it was opened from, for messages:
        `--data=folder:photos`.
      identities: one name an example, stable when other examples come or go;
        splits are made by it and messages name it.
      load: int64 [] index -> uint8 [H, W, channels], in TensorFlow ops, so
        that it runs inside Dataset.map; a photograph that cannot be read
        raises a tf.errors.OpError.
      channels: 3 for RGB; 4 where the source gives its own gray photograph
        beside the RGB one.
      held_out: identities that the source itself sets aside for evaluation;
        empty where it does not.
    """

    origin: str
    identities: Sequence[str]
    load: Callable[[tf.Tensor], tf.Tensor]
    channels: int = 3
    held_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.identities)

    def select(self, indices: Sequence[int]) -> "Source":
        """The source of these examples alone, in this order."""
        chosen = np.asarray(indices, np.int64)
        kept = tf.constant(chosen)
        return dataclasses.replace(
            self,
            identities=Selection(self.identities, chosen),
            load=lambda index: self.load(tf.gather(kept, index)))


def from_files(directory: str, names: NameList, *, origin: str) -> Source:
    """A source of image files, decoded as they are read.

    Args:
      directory: the folder that the names are relative to.
      names: the files' relative paths, which are their identities.
      origin: the flag and data spec, for messages.
    """
    def load(index):
        path = tf.strings.join([directory, names.at(index)], separator="/")
        return decode.decode_rgb(tf.io.read_file(path))

    return Source(origin=origin, identities=names, load=load)
