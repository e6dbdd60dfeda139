"""How much memory an update takes, and how much there is.

An estimate, for messages: what the variables need is exact, what the pictures
need is the sum of all layers' outputs times what backpropagation and the
operations' workspaces add, a factor measured on the networks of this package.
"""

import contextlib
from typing import Iterator, Optional

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.config import Config
from pix2pix_color.training.train_state import TrainState

# Weight, gradient and Adam's two moments, all float32.
_BYTES_A_PARAMETER = 16
_BYTES_OF_AN_AVERAGE = 4
# The discriminator sees each picture twice at a time, real and fake.
_DISCRIMINATOR_PASSES = 2
# Measured over estimated growth of a process's memory with the batch: 0.8 to
# 1.0 in float32 and 1.25 in mixed_bfloat16, on a CPU.
_OVERHEAD = 1.0
# TensorFlow itself, and photographs on their way.
_RUNTIME_BYTES = 800 * 2**20
# How TensorFlow's and oneDNN's errors say it; their types say other things too.
_EXHAUSTED = ("OOM when allocating", "could not create a memory object",
              "out of memory")


def estimate(state: TrainState, *, batch_size: int) -> int:
    """Bytes that training takes with a batch of this size, on one device."""
    parameters = sum(
        np.prod(variable.shape) for network in
        (state.generator, state.discriminator)
        for variable in network.trainable_variables)
    averaged = 0 if state.average is None else state.average.count_params()
    a_picture = (_output_bytes(state.generator)
                 + _DISCRIMINATOR_PASSES * _output_bytes(state.discriminator))
    return int(_RUNTIME_BYTES + parameters * _BYTES_A_PARAMETER
               + averaged * _BYTES_OF_AN_AVERAGE
               + _OVERHEAD * batch_size * a_picture)


def _output_bytes(network: keras.Model) -> int:
    """Bytes of all layers' outputs for one picture."""
    total = 0
    for layer in network.layers:
        size = 2 if layer.compute_dtype == "bfloat16" else 4
        total += int(np.prod(layer.output.shape[1:])) * size
    return total


def largest_batch(state: TrainState) -> int:
    """The largest power of two that the estimate says will fit; 0 for none."""
    available, batch_size = hardware.memory_bytes(), 1
    if estimate(state, batch_size=1) > available:
        return 0
    while estimate(state, batch_size=2 * batch_size) <= available:
        batch_size *= 2
    return batch_size


@contextlib.contextmanager
def explained(config: Config,
              state: Optional[TrainState] = None) -> Iterator[None]:
    """Turns an exhausted memory into a message that says what would fit.

    Args:
      config: the run's.
      state: its networks, where they could be made.

    Raises:
      UserError: memory ran out.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not any(words in error.message for words in _EXHAUSTED):
            raise
        raise UserError(
            f"memory ran out with {describe(config, state)}") from error


def describe(config: Config, state: Optional[TrainState]) -> str:
    """The flags that decide how much memory is needed, and what would fit."""
    flags = (f"--batch_size={config.data.batch_size} "
             f"--image_size={config.data.image_size} "
             f"--base_filters={config.networks.base_filters} "
             f"--precision={config.training.precision}")
    available = hardware.memory_bytes()
    if state is None:
        return (f"{flags}: the networks alone do not fit in "
                f"{available / 2**30:.1f} GiB")
    fitting = largest_batch(state)
    needed = estimate(state, batch_size=config.data.batch_size)
    if fitting >= config.data.batch_size:
        advice = "something else on this machine may need the memory"
    elif fitting:
        advice = f"--batch_size={fitting} should fit"
    else:
        advice = "not even --batch_size=1 should fit"
    return (f"{flags}: about {needed / 2**30:.1f} GiB of "
            f"{available / 2**30:.1f} GiB; {advice}")
