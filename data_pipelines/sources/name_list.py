"""Millions of file names, read by index in Python and in TensorFlow.

These sequences take single indices, not slices.
"""

import array
import io
import os
from typing import Any, Iterable, Sequence

import numpy as np
import tensorflow as tf


class NameList(Sequence[str]):
    """An immutable list of file names in little more memory than their bytes.

    A list of Python strings takes several times as much, and a TensorFlow
    tensor of strings as much again. Here both read one block of bytes.

    Args:
      names: the names, in order, as os.fsdecode makes them: bytes that are not
        text are kept.
    """

    def __init__(self, names: Iterable[str]) -> None:
        block, ends = io.BytesIO(), array.array("q", [0])
        for name in names:
            block.write(os.fsencode(name))
            ends.append(block.tell())
        # getvalue does not copy the bytes.
        self._block, self._ends = block.getvalue(), np.frombuffer(
            ends, np.int64)
        self._block_tensor = tf.constant(self._block)
        self._ends_tensor = tf.constant(self._ends)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: Any) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return os.fsdecode(self._block[self._ends[index]:self._ends[index + 1]])

    def at(self, index: tf.Tensor) -> tf.Tensor:
        """Returns the name at an index: int64 [] -> string []."""
        start, end = tf.unstack(
            tf.gather(self._ends_tensor, tf.stack([index, index + 1])))
        return tf.strings.substr(self._block_tensor, start, end - start)


class Selection(Sequence[str]):
    """A selection of names that does not copy them.

    Args:
      names: the list.
      indices: int64 [K], indices of the selected names, in their new order.
    """

    def __init__(self, names: Sequence[str], indices: np.ndarray) -> None:
        self._names, self._indices = names, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: Any) -> Any:
        return self._names[self._indices[index]]


class Numbered(Sequence[str]):
    """Names made of a prefix and a number, for examples without names.

    Args:
      prefix: precedes the number.
      count: number of names.
    """

    def __init__(self, prefix: str, count: int) -> None:
        self._prefix, self._numbers = prefix, range(count)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return f"{self._prefix}{self._numbers[index]}"
