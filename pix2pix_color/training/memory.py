"""A message for exhausted memory."""

import contextlib
from typing import Iterator

import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.config import Config

# TensorFlow's and oneDNN's messages; the exception types have other causes too.
_EXHAUSTED = ("OOM when allocating", "could not create a memory object",
              "out of memory")


@contextlib.contextmanager
def exhaustion_explained(config: Config) -> Iterator[None]:
    """Turns exhausted memory into a message that names the flags to lower.

    Raises:
      UserError: memory ran out inside the block.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not any(words in error.message for words in _EXHAUSTED):
            raise
        raise UserError(
            f"memory ran out with --batch_size={config.data.batch_size} "
            f"--image_size={config.data.image_size} "
            f"--base_filters={config.networks.base_filters} "
            f"--precision={config.training.precision}; lower one of the first "
            f"three, or use --precision=mixed_bfloat16; --dry_run measures "
            f"the peak") from error
