"""A generator's weights as one .safetensors file, and back.

Kernels are stored as float16, all else as float32; names are LAYER/VARIABLE.
The file's metadata holds the flags of the run that it is from.
"""

from typing import Any, Mapping

import keras
import numpy as np

from pix2pix_color.networks import tensor_file

_FLAGS = "flags"


def to_bytes(generator: keras.Model, *, flags: str,
             half: bool = True) -> bytes:
    """Writes a generator's weights.

    Args:
      generator: any generator.
      flags: text of the run's config.flags.
      half: whether kernels become float16.
    """
    tensors = {
        name: variable.numpy().astype(
            np.float16 if half and len(variable.shape) > 1 else np.float32)
        for name, variable in named_variables(generator).items()}
    return tensor_file.to_bytes(tensors, metadata={_FLAGS: flags})


def load(generator: keras.Model, path: str, *, flag: str) -> None:
    """Gives a generator the weights of a file, all of them or none.

    Args:
      generator: the generator.
      path: the file.
      flag: who names it, for messages.

    Raises:
      UserError: it cannot be read, or does not fit; it says what.
    """
    assign(generator, tensor_file.read(path, flag=flag),
           origin=f"{flag}={path}")


def assign(generator: keras.Model, tensors: Mapping[str, np.ndarray], *,
           origin: str) -> None:
    """Gives a generator the weights in these arrays, all of them or none.

    Args:
      generator: the generator.
      tensors: LAYER/VARIABLE -> values.
      origin: where they are from, for messages.

    Raises:
      UserError: they do not fit; the message says what.
    """
    require_fit(generator, tensors, origin=origin)
    for name, variable in named_variables(generator).items():
        variable.assign(tensors[name].astype(np.float32))


def require_fit(generator: keras.Model, tensors: Mapping[str, np.ndarray], *,
                origin: str) -> None:
    """Raises UserError unless these are just a generator's weights."""
    tensor_file.require_fit(
        tensors, {name: tuple(variable.shape)
                  for name, variable in named_variables(generator).items()},
        what=f"{origin} does not fit this {generator.name}")


def read_flags(path: str, *, flag: str) -> str:
    """Returns the flags of the run that a file is from; empty if unknown.

    Raises:
      UserError: the file cannot be read.
    """
    return tensor_file.read_metadata(path, flag=flag).get(_FLAGS, "")


def named_variables(generator: keras.Model) -> dict[str, Any]:
    """Returns LAYER/VARIABLE -> variable of a generator."""
    return {f"{layer.name}/{variable.name}": variable
            for layer in generator.layers for variable in layer.variables}
