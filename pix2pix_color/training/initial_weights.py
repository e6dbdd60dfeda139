"""Starts a run from another generator's weights: --initial_weights."""

import os

import numpy as np

from pix2pix_color.config import Config
from pix2pix_color.networks import build_generator, encoder_unet, weights_file
from pix2pix_color.saved_model import find
from pix2pix_color.training.early_checks import require_initial_weights
from pix2pix_color.training.restore import restore_run
from pix2pix_color.training.train_state import TrainState

_FLAG = "--initial_weights"


def read_initial_weights(config: Config) -> dict[str, np.ndarray]:
    """Reads the weights that the flag names and checks that they fit.

    Call it outside of any strategy and in one process: it may restore a run.

    Args:
      config: the new run's flags.

    Returns:
      The weights by weights_file's names; empty if the flag is.

    Raises:
      UserError: the weights are missing, cannot be read, or are another
        network's; the message says what does not fit.
    """
    weights = config.networks.initial_weights
    if not weights:
        return {}
    require_initial_weights(weights)
    if weights == find.NAME:
        path, _ = find.read_trained(flag=_FLAG)
        tensors = weights_file.read_tensors(path, flag=_FLAG)
    elif os.path.isfile(weights):
        tensors = weights_file.read_tensors(weights, flag=_FLAG)
    else:
        other = restore_run(weights, checkpoint="latest", flag=_FLAG).state
        tensors = {name: variable.numpy() for name, variable
                   in weights_file.named_variables(
                       other.inference_generator).items()}
    generator = build_generator(config, precision="float32")

    def for_hints(named):
        return {name: value for name, value in named.items()
                if encoder_unet.is_for_hints(name.partition("/")[0])}

    # What belongs to hints begins as in a new network where the weights have
    # none, and is left out where the new run takes none.
    if not config.networks.hints:
        for name in for_hints(tensors):
            del tensors[name]
    elif not for_hints(tensors):
        tensors |= {name: variable.numpy() for name, variable in for_hints(
            weights_file.named_variables(generator)).items()}
    weights_file.require_fit(generator, tensors, origin=f"{_FLAG}={weights}")
    return tensors


def assign_initial_weights(state: TrainState,
                           tensors: dict[str, np.ndarray]) -> None:
    """Assigns weights to a state's generator and to its average."""
    for generator in (state.generator, state.average):
        if generator is not None and tensors:
            weights_file.assign_weights(generator, tensors, origin=_FLAG)
