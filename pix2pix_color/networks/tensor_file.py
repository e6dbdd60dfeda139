"""Files of named tensors: read, and compared with what a network has."""

from typing import Mapping

import numpy as np
import safetensors
import safetensors.numpy

from data_pipelines.errors import UserError

_MAX_LISTED = 4


def read(path: str, *, flag: str) -> dict[str, np.ndarray]:
    """Reads a .safetensors file.

    Args:
      path: the file.
      flag: who names it, such as `--encoder_weights`, for messages.

    Returns:
      Name -> array, as stored.

    Raises:
      UserError: it cannot be read, or holds a value that is not finite.
    """
    try:
        tensors = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, KeyError,
            TypeError) as error:
        raise unreadable(path, error, flag=flag) from error
    for name, tensor in tensors.items():
        if (np.issubdtype(tensor.dtype, np.floating)
                and not np.isfinite(tensor).all()):
            raise UserError(f"{flag}={path} is damaged: {name} has a value "
                            f"that is not finite")
    return tensors


def read_metadata(path: str, *, flag: str) -> dict[str, str]:
    """Reads what a .safetensors file says of itself.

    Raises:
      UserError: it cannot be read.
    """
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise unreadable(path, error, flag=flag) from error


def to_bytes(tensors: Mapping[str, np.ndarray], *,
             metadata: Mapping[str, str]) -> bytes:
    """Returns the content of a .safetensors file."""
    # An array that is not contiguous would be scrambled without a word.
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(tensor)
         for name, tensor in tensors.items()}, metadata=dict(metadata))


def unreadable(path: str, error: Exception, *, flag: str) -> UserError:
    """Returns the message that a file cannot be read, and why."""
    reason = str(error).strip().partition("\n")[0]
    return UserError(
        f"{flag}={path} cannot be read as a file of named tensors: {reason}")


def require_fit(tensors: Mapping[str, np.ndarray],
                shapes: Mapping[str, tuple[int, ...]], *, what: str) -> None:
    """Raises UserError unless a file has just these tensors and shapes.

    Args:
      tensors: the file's, by name.
      shapes: the network's, by name.
      what: how the message begins: which file should be which network.
    """
    sides = {
        "missing in the file": [name for name in shapes
                                if name not in tensors],
        "unknown to the network": [name for name in tensors
                                   if name not in shapes],
        "of another shape": [
            f"{name} {tensors[name].shape} in the file, {shape} in the network"
            for name, shape in shapes.items() if name in tensors
            and tensors[name].shape != shape],
    }
    found = [f"{len(names)} {side}: {_listed(names)}"
             for side, names in sides.items() if names]
    if found:
        raise UserError(f"{what}; {'; '.join(found)}")


def _listed(names: list[str]) -> str:
    left_out = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (
        f" and {left_out} more" if left_out > 0 else "")
