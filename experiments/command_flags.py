"""Flags that several commands of this folder share."""

from absl import flags

from data_pipelines.command import DATA_SPECS

DATA = flags.DEFINE_string("data", "", f"Photographs: {DATA_SPECS}.")
TFDS_DATA_DIR = flags.DEFINE_string(
    "tfds_data_dir", "", "Folder of the TensorFlow Datasets data sets. Empty "
    "uses the default of TensorFlow Datasets.")
OUTPUT = flags.DEFINE_string("output", "", "File or folder to write.")
