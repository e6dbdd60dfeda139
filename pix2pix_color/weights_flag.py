"""The flags that name a file of a network's weights, without TensorFlow."""

from data_pipelines import files
from data_pipelines.errors import UserError


def find_file(weights: str, *, flag: str) -> str:
    """Returns what a flag names, if it can be a file of weights.

    Args:
      weights: the flag's value: a path, `imagenet`, or nothing.
      flag: the flag, for messages.

    Raises:
      UserError: there is no such file, or its name is another kind's.
    """
    if weights in ("", "imagenet"):
        return weights
    files.require_file(weights, flag=flag)
    if not weights.endswith(".safetensors"):
        raise UserError(
            f"{flag}={weights} must end in .safetensors, or be imagenet")
    return weights
