"""From a run's newest checkpoint to a SavedModel."""

from data_pipelines import color
from pix2pix_color import hardware
from pix2pix_color.config import ConfigError
from pix2pix_color.serving import saved_model
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.run_folder import RunFolder
from pix2pix_color.training.train_state import TrainState


def export_newest(workdir: str) -> tuple[int, str]:
    """Exports a run as the next version below its export/ folder.

    Args:
      workdir: the run's folder.

    Returns:
      The checkpoint's step and the SavedModel's path.

    Raises:
      ConfigError: the folder holds no run, or no checkpoint yet.
    """
    hardware.claim_devices()
    folder = RunFolder(workdir)
    config = folder.config()
    state = TrainState.create(config, precision="float32", pretrained=False)
    checkpoints = Checkpoints(state, config=config,
                              directory=folder.checkpoints_dir)
    if checkpoints.restore_latest() is None:
        raise ConfigError(f"--run={workdir} holds no checkpoint yet")
    path = saved_model.write(
        state.served_generator(config), folder.export_dir,
        color_space=color.COLOR_SPACES[config.networks.color_space])
    return state.step_number, path
