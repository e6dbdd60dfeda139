"""Begins a run with the generator of another: --initial_weights."""

import os

import numpy as np

from data_pipelines.errors import UserError
from pix2pix_color.config import Config
from pix2pix_color.networks import build_generator, weights_file
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model import trained
from pix2pix_color.training import exporting, train_state

_FLAG = "--initial_weights"


def read(config: Config) -> dict[str, np.ndarray]:
    """Reads what the flag names, and checks that it fits.

    Outside of any strategy: what a run's folder holds is restored first, by
    one process alone.

    Args:
      config: the new run's flags.

    Returns:
      The weights, as weights_file names them; none where the flag is empty.

    Raises:
      UserError: there is nothing of that name, it cannot be read, or it is of
        another network; the message says what does not fit.
    """
    weights = config.networks.initial_weights
    if not weights:
        return {}
    path = os.path.expanduser(weights)
    if weights == trained.NAME:
        path, _ = trained.read(flag=_FLAG)
        tensors = weights_file.read_tensors(path, flag=_FLAG)
    elif os.path.isfile(path) and path.endswith(".safetensors"):
        tensors = weights_file.read_tensors(path, flag=_FLAG)
    elif os.path.exists(RunFolder(path).flags_path):
        _, _, other, _ = exporting.restore(path, checkpoint="latest",
                                           flag=_FLAG)
        tensors = {name: variable.numpy() for name, variable
                   in weights_file.named_variables(
                       other.inference_generator).items()}
    else:
        raise UserError(
            f"{_FLAG}={weights} must be {trained.NAME}, the folder of a run, "
            f"or a .safetensors file that exists")
    weights_file.require_fit(
        build_generator(config, precision="float32"), tensors,
        origin=f"{_FLAG}={weights}")
    return tensors


def assign(state: train_state.TrainState,
           tensors: dict[str, np.ndarray]) -> None:
    """Gives a state's generator, and its average, the weights that were read.
    """
    for generator in (state.generator, state.average):
        if generator is not None and tensors:
            weights_file.assign_weights(generator, tensors, origin=_FLAG)
