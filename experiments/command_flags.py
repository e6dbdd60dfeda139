"""Flags that several commands of this folder share."""

from typing import Collection

from absl import flags

from data_pipelines import command
from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError

DATA = command.define_data("data", "", f"Photographs: {DATA_SPECS}.")
TFDS_DATA_DIR = command.define_tfds_data_dir()
KIND = flags.DEFINE_string("kind", "", "What to write, see above.")
OUTPUT = command.define_path("output", "", "File or folder to write.")


def parse_kind(kinds: Collection[str]) -> str:
    """Returns --kind.

    Raises:
      UserError: it is not among kinds.
    """
    if KIND.value not in kinds:
        raise UserError(f"--kind={KIND.value} must be one of "
                        f"{', '.join(kinds)}")
    return KIND.value
