"""Exports a run: python -m pix2pix_color.export --run=WORKDIR.

Writes the newest checkpoint's generator as the next version below the run's
export/ folder, in TensorFlow Serving's layout.
"""

from typing import Sequence

from absl import flags

from data_pipelines import command
from pix2pix_color import cli
from pix2pix_color.config import ConfigError

_RUN = flags.DEFINE_string("run", "", "Folder of the run, fit's --workdir.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if not _RUN.value:
        raise ConfigError("--run must name the folder of a run")
    exporting = command.load("pix2pix_color.training.exporting")
    step, path = exporting.export_newest(_RUN.value)
    print(f"step {step} exported to {path}")


if __name__ == "__main__":
    cli.run(main)
