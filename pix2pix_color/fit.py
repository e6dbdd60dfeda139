"""Trains a colorizer: python -m pix2pix_color.fit --flagfile=F [--flag=...].

Resumes when --workdir holds the same run; ends with an evaluation on training
and evaluation photographs and a SavedModel. SIGINT and SIGTERM save the run
and exit with code 75; a second signal exits at once.
"""

from typing import Sequence

from absl import flags

from data_pipelines import command
from pix2pix_color import cli

cli.define_config_flags()
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Build everything, make two updates, say how many "
    "parameters, how much memory and time they take, and change nothing.")
flags.adopt_module_key_flags(cli)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    config = cli.config_from_flags()
    session = command.load("pix2pix_color.training.session")
    if _DRY_RUN.value:
        session.dry_run(config)
    else:
        session.fit(config)


if __name__ == "__main__":
    cli.run(main)
