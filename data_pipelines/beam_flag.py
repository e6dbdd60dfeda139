"""--beam_options, the flag of the commands that run on Apache Beam."""

from typing import Any

from absl import flags, logging

from data_pipelines import extras
from data_pipelines.errors import UserError

flags.disclaim_key_flags()  # --help lists it with the command's own


def define_beam_options() -> flags.FlagHolder:
    """Defines the flag."""
    return flags.DEFINE_list(
        "beam_options", [], "Options of Apache Beam, separated by commas: "
        "direct_num_workers=64,direct_running_mode=multi_processing or "
        "runner=FlinkRunner,flink_master=host:8081. The default is the direct "
        "runner with one thread per core.")


def parse(flag: flags.FlagHolder, *, purpose: str, extra: str) -> Any:
    """Imports Beam and makes its PipelineOptions of the flag's value.

    Args:
      flag: what define_beam_options returned.
      purpose: of Beam, the beginning of a message: `preparing shards`.
      extra: the extra that installs it.

    Raises:
      UserError: Beam is not installed, or does not know an option.
    """
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)  # Beam warns of unused features
    try:
        from data_pipelines.preparation import beam_options
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "apache_beam":
            raise
        raise UserError(f"{purpose} needs Apache Beam: "
                        + extras.how_to_install(extra)) from error
    return beam_options.parse_beam_options(flag.value)
