"""Weights of networks in .safetensors files.

The file of a generator holds kernels as float16 and everything else as float32,
named LAYER/VARIABLE; its metadata holds the flags of the generator's run.
"""

from typing import Any, Mapping

import keras
import numpy as np
import safetensors.numpy

from data_pipelines.errors import UserError

_FLAGS = "flags"
_MAX_LISTED = 4
_UNREADABLE = (safetensors.SafetensorError, OSError, KeyError, TypeError)


def read_tensors(path: str, *, flag: str) -> dict[str, np.ndarray]:
    """Reads a file.

    Args:
      path: the file.
      flag: the flag that names it, for messages.

    Returns:
      Name -> array, as stored.

    Raises:
      UserError: it cannot be read, or has a value that is not finite.
    """
    try:
        tensors = safetensors.numpy.load_file(path)
    except _UNREADABLE as error:
        raise _unreadable(path, error, flag) from error
    for name, tensor in tensors.items():
        if (np.issubdtype(tensor.dtype, np.floating)
                and not np.isfinite(tensor).all()):
            raise UserError(f"{flag}={path} is damaged: {name} has a value "
                            f"that is not finite")
    return tensors


def read_flags(path: str, *, flag: str) -> str:
    """Returns the flags of the run that a file is from; empty if unknown.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return (file.metadata() or {}).get(_FLAGS, "")
    except _UNREADABLE as error:
        raise _unreadable(path, error, flag) from error


def _unreadable(path: str, error: Exception, flag: str) -> UserError:
    reason = str(error).strip().partition("\n")[0]
    return UserError(
        f"{flag}={path} cannot be read as a file of named tensors: {reason}")


def generator_to_bytes(generator: keras.Model, *, flags: str,
                       half: bool = True) -> bytes:
    """Returns the content of a generator's file.

    Args:
      generator: any generator.
      flags: text of its run's config.flags.
      half: whether kernels become float16.
    """
    # safetensors would scramble an array that is not contiguous.
    return safetensors.numpy.save({
        name: np.ascontiguousarray(variable.numpy().astype(
            np.float16 if half and len(variable.shape) > 1 else np.float32))
        for name, variable in named_variables(generator).items()},
        metadata={_FLAGS: flags})


def assign_weights(generator: keras.Model, tensors: Mapping[str, np.ndarray],
                   *, origin: str) -> None:
    """Sets all weights of a generator, or none of them.

    Args:
      generator: the generator.
      tensors: LAYER/VARIABLE -> values.
      origin: their source, for messages.

    Raises:
      UserError: names or shapes differ.
    """
    require_fit(generator, tensors, origin=origin)
    for name, variable in named_variables(generator).items():
        variable.assign(tensors[name].astype(np.float32))


def require_fit(generator: keras.Model, tensors: Mapping[str, np.ndarray], *,
                origin: str) -> None:
    """Raises UserError unless these are exactly a generator's weights."""
    require_shapes(
        tensors, {name: tuple(variable.shape)
                  for name, variable in named_variables(generator).items()},
        what=f"{origin} does not fit this {generator.name}")


def named_variables(generator: keras.Model) -> dict[str, Any]:
    """Returns LAYER/VARIABLE -> variable of a generator."""
    return {f"{layer.name}/{variable.name}": variable
            for layer in generator.layers for variable in layer.variables}


def require_shapes(tensors: Mapping[str, np.ndarray],
                   shapes: Mapping[str, tuple[int, ...]], *, what: str) -> None:
    """Raises UserError unless a file has exactly these tensors.

    Args:
      tensors: the file's, by name.
      shapes: the network's, by name.
      what: beginning of the message: which file should be which network.
    """
    differences = {
        "missing in the file": [
            name for name in shapes if name not in tensors],
        "unknown to the network": [
            name for name in tensors if name not in shapes],
        "of another shape": [
            f"{name} {tensors[name].shape} in the file, {shape} in the network"
            for name, shape in shapes.items()
            if name in tensors and tensors[name].shape != shape],
    }
    found = [f"{len(names)} {kind}: {', '.join(names[:_MAX_LISTED])}"
             + (f" and {len(names) - _MAX_LISTED} more"
                if len(names) > _MAX_LISTED else "")
             for kind, names in differences.items() if names]
    if found:
        raise UserError(f"{what}; {'; '.join(found)}")
