"""Trains a colorizer: python -m pix2pix_color.fit --flagfile=F [--flag=...].

F is a file, or a recipe of the package by its name, such as fine_tune.

Resumes the run in --workdir if there is one. Ends with an evaluation on
training and evaluation photographs and a SavedModel. SIGINT or SIGTERM
finishes the update, saves the run and exits with code 75; a second signal
exits at once.
"""

from typing import Sequence

from absl import flags

from data_pipelines import command
from pix2pix_color import config_flags, recipes
from pix2pix_color.training import early_checks

config_flags.define_config_flags()
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Build everything, make two updates, print the number of "
    "parameters and the memory and time used, and change nothing.")
flags.adopt_module_key_flags(config_flags)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    config = config_flags.config_from_flags()
    early_checks.require_startable(config, dry_run=_DRY_RUN.value)
    with command.quiet_tensorflow():
        from pix2pix_color.training import run
    if _DRY_RUN.value:
        run.dry_run(config)
    else:
        run.fit(config)


if __name__ == "__main__":
    command.run(main, config_flags.help_groups(), rewrite=recipes.with_paths)
