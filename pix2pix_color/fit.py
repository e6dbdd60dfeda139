"""Trains a colorizer: python -m pix2pix_color.fit --flagfile=F [--flag=...].

Resumes when --workdir holds the same run; ends with an evaluation on training
and evaluation photographs and a SavedModel.
"""

from typing import Sequence

from absl import flags

from data_pipelines import command
from pix2pix_color import cli

cli.define_config_flags()
flags.adopt_module_key_flags(cli)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    config = cli.config_from_flags()
    command.load("pix2pix_color.training.session").fit(config)


if __name__ == "__main__":
    cli.run(main)
