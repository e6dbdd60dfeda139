"""Flags that several commands of this folder share."""

from typing import Collection

from absl import flags

from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError

DATA = flags.DEFINE_string("data", "", f"Photographs: {DATA_SPECS}.")
TFDS_DATA_DIR = flags.DEFINE_string(
    "tfds_data_dir", "", "Folder of the TensorFlow Datasets data sets. Empty "
    "uses the default of TensorFlow Datasets.")
KIND = flags.DEFINE_string("kind", "", "What to write, see above.")
OUTPUT = flags.DEFINE_string("output", "", "File or folder to write.")


def parse_kind(kinds: Collection[str]) -> str:
    """Returns --kind.

    Raises:
      UserError: it is not among kinds.
    """
    if KIND.value not in kinds:
        raise UserError(f"--kind={KIND.value} must be one of "
                        f"{', '.join(kinds)}")
    return KIND.value
