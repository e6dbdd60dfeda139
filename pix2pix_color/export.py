"""Exports a run: python -m pix2pix_color.export --run=WORKDIR.

Writes the newest checkpoint's generator as the next version below the run's
export/ folder, in TensorFlow Serving's layout.
"""

from typing import Sequence

from absl import flags

from pix2pix_color import cli
from pix2pix_color.config import ConfigError
from pix2pix_color.serving import saved_model
from pix2pix_color.training import hardware
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.run_folder import RunFolder
from pix2pix_color.training.train_state import TrainState

_RUN = flags.DEFINE_string("run", "", "Folder of the run, fit's --workdir.")


def main(arguments: Sequence[str]) -> None:
    cli.refuse_arguments(arguments)
    hardware.claim_devices()
    folder = RunFolder(_RUN.value)
    config = folder.config()
    state = TrainState.create(config, precision="float32")
    checkpoints = Checkpoints(state, directory=folder.checkpoints_dir)
    if not checkpoints.restore_latest():
        raise ConfigError(f"--run={_RUN.value} holds no checkpoint yet")
    path = saved_model.write(state.served_generator(config), folder.export_dir)
    print(f"step {int(state.step)} exported to {path}")


if __name__ == "__main__":
    cli.run(main)
