"""A look at some photographs before training, for those without color."""

import numpy as np
import tensorflow as tf

from data_pipelines import colorless
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source

# All photographs of a small collection, and of a large one so many.
MAX_EXAMPLES = 200


class FirstLook:
    """Loads photographs in the background, spread evenly over a source.

    Ends with the first photograph that loads; the others load while the
    program does something else. With a cache they are not loaded again.

    Args:
      source: the photographs.
      purpose: what they are for, for messages, such as `training`.
      rejected: where those that do not load are recorded.

    Raises:
      UserError: none has color.
      TooManyRejectedError: none loads, and that is more than is allowed.
    """

    def __init__(self, source: Source, purpose: str,
                 rejected: RejectedExamples) -> None:
        self._source, self._rejected = source, rejected
        self._purpose = purpose
        count = min(len(source), MAX_EXAMPLES)
        self._indices = np.arange(count) * len(source) // count

        @tf.autograph.experimental.do_not_convert
        def look(index):
            with tf.control_dependencies([source.load(index)]):
                return tf.identity(index)

        self._loaded = iter(
            tf.data.Dataset.from_tensor_slices(self._indices)
            .map(look, num_parallel_calls=tf.data.AUTOTUNE)
            .ignore_errors().prefetch(count))
        self._first = next(self._loaded, None)
        gray = self._without_color() if self._first is None else []
        if gray:
            raise UserError(
                f"{source.origin}: none of the {self._extent()} for {purpose} "
                f"has any color: {colorless.some_of(gray)}")

    def finish(self) -> str:
        """Waits for the rest; tells which photographs have no color.

        Returns:
          One line; empty if all photographs have color.

        Raises:
          TooManyRejectedError: more cannot be read than is allowed.
        """
        gray = self._without_color()
        if not gray:
            return ""
        return (f"{len(gray)} of the {self._extent()} left out of "
                f"{self._purpose}: {colorless.some_of(gray)}")

    def _without_color(self) -> list[str]:
        """Returns the names of those without color; records all that failed."""
        loaded = {int(index) for index in self._loaded}
        if self._first is not None:
            loaded.add(int(self._first))
        source = self._source
        failed = [index for index in self._indices.tolist()
                  if index not in loaded]
        for index in failed:
            self._rejected.add(source, index)
        return [source.identities[index] for index in failed
                if self._rejected.reason(source, index) == colorless.REASON]

    def _extent(self) -> str:
        looked, whole = len(self._indices), len(self._source)
        return (f"{whole} photographs" if looked == whole else
                f"{looked} photographs looked at (there are {whole:,})")
