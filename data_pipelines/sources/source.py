"""What every kind of source is: a list of photographs, each read by index."""

import dataclasses
import os
from typing import Callable, Sequence

import tensorflow as tf

from data_pipelines import decode


@dataclasses.dataclass(frozen=True)
class Source:
    """A collection of photographs.

    Attributes:
      origin: the flag and data spec that it was opened from, for messages:
        `--data=folder:photos`.
      identities: one name an example, stable when other examples come or go;
        splits are made by it and messages name it.
      load: int64 [] index -> uint8 [H, W, 3] RGB, in TensorFlow ops, so that it
        runs inside Dataset.map; a photograph that cannot be read raises a
        tf.errors.OpError.
      held_out: identities that the source itself sets aside for evaluation;
        empty where it does not.
    """

    origin: str
    identities: Sequence[str]
    load: Callable[[tf.Tensor], tf.Tensor]
    held_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.identities)

    def select(self, indices: Sequence[int]) -> "Source":
        """The source of these examples alone, in this order."""
        kept = tf.constant(indices, tf.int64, shape=[len(indices)])
        return dataclasses.replace(
            self,
            identities=[self.identities[index] for index in indices],
            load=lambda index: self.load(tf.gather(kept, index)))


def from_files(*, origin: str, identities: Sequence[str], paths: Sequence[str],
               held_out: frozenset[str] = frozenset()) -> Source:
    """A source of image files, decoded as they are read.

    Args:
      origin: the flag and data spec, for messages.
      identities: one name a file.
      paths: the files, in the same order.
      held_out: identities set aside for evaluation.
    """
    # A file's name is bytes, not always UTF-8.
    path_tensor = tf.constant([os.fsencode(path) for path in paths], tf.string,
                              shape=[len(paths)])

    def load(index):
        return decode.decode_rgb(tf.io.read_file(tf.gather(path_tensor, index)))

    return Source(origin=origin, identities=identities, load=load,
                  held_out=held_out)
