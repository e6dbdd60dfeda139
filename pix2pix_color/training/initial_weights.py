"""Begins a run with the generator of another: --initial_weights."""

import os

from pix2pix_color.config import ConfigError
from pix2pix_color.networks import weights_file
from pix2pix_color.serving import trained
from pix2pix_color.training import exporting
from pix2pix_color.training.run_folder import RunFolder
from pix2pix_color.training.train_state import TrainState

_FLAG = "--initial_weights"


def find(weights: str) -> str:
    """Finds what the flag names, before anything is built.

    Args:
      weights: `colorizer`, a run's folder, or a .safetensors file.

    Returns:
      A file, or a run's folder.

    Raises:
      ConfigError: there is none.
    """
    if weights == trained.NAME:
        return str(trained.WEIGHTS)
    path = os.path.expanduser(weights)
    if os.path.isfile(path) and path.endswith(".safetensors"):
        return path
    if os.path.exists(RunFolder(path).flags_path):
        return path
    raise ConfigError(
        f"{_FLAG}={weights} must be {trained.NAME}, the folder of a run, or a "
        f".safetensors file that exists")


def load(state: TrainState, path: str) -> None:
    """Gives a state's generator, and its average, the weights of another.

    Args:
      state: a new one.
      path: as find gave it.

    Raises:
      ConfigError: they cannot be read, or are of another network; the message
        says what does not fit.
    """
    if os.path.isdir(path):
        _, _, other, _ = exporting.restore(path, checkpoint="latest",
                                           flag=_FLAG)
        variables = weights_file.named_variables(other.inference_generator)
        weights_file.assign(
            state.generator, {name: variable.numpy()
                              for name, variable in variables.items()},
            origin=f"{_FLAG}={path}")
    else:
        weights_file.load(state.generator, path, flag=_FLAG)
    if state.average is not None:
        state.average.set_weights(state.generator.get_weights())
