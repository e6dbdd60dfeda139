"""Walks a collection once and writes the usable photographs as shards.

    python -m data_pipelines.prepare --data=folder:photos --output_dir=shards
    python -m pix2pix_color.fit --data=shards:shards ...

The output is a standard TensorFlow Datasets directory with a summary.json and
a report.csv that names every file left out. It holds JPEGs in ArrayRecord
files or, with --encoding=raw, pixels in TFRecord files. It appears when it is
complete. Until then the work is in OUTPUT_DIR.unfinished; an interrupted run
leaves that folder behind, and the next run clears it.

Apache Beam does the work: its direct runner on one machine, or whatever
--beam_options names for collections that outgrow it. All workers must see the
collection and OUTPUT_DIR.unfinished under the same paths.
"""

from typing import Sequence

from absl import flags

from data_pipelines import beam_flag, command, data_spec
from data_pipelines.errors import UserError
from data_pipelines.preparation.settings import (ENCODINGS, Settings,
                                                 require_new_folder)

_DATA = command.define_data(
    "data", None, "Photographs to prepare: sample_photos, folder:DIR (every "
    "file below it) or tfds:NAME[/CONFIG][@SPLIT][#FEATURE] (downloaded if "
    "necessary).")
_OUTPUT_DIR = command.define_path(
    "output_dir", None, "Folder of the shards, which must not exist yet.")
_SHORTER_SIDE = flags.DEFINE_integer(
    "shorter_side", 256, "Shrinks the shorter side to so many pixels, "
    "antialiased; smaller pictures stay as they are. 0 keeps every size.",
    lower_bound=0)
_MIN_SIZE = flags.DEFINE_integer(
    "min_size", 64, "Drops files whose shorter side has fewer pixels.",
    lower_bound=1)
_MIN_CHROMA = flags.DEFINE_float(
    "min_chroma", 4.0, "Drops pictures whose mean chroma, hypot(a*, b*), is "
    "lower. Black-and-white pictures have 0 to 2, pale ones 5.",
    lower_bound=0.0)
_NEAR_DUPLICATE_DISTANCE = flags.DEFINE_integer(
    "near_duplicate_distance", 4, "Drops pictures whose 64-bit perceptual hash "
    "differs from an earlier one's in at most so many bits; -1 keeps them.",
    lower_bound=-1, upper_bound=16)
_ENCODING = flags.DEFINE_enum(
    "encoding", "jpeg", ENCODINGS, "Content of the shards: JPEGs, or raw "
    "pixels of three bytes each. Raw pixels take five to six times the disk "
    "space, and reading one photograph takes a third less processor time.")
_JPEG_QUALITY = flags.DEFINE_integer(
    "jpeg_quality", 95, "Quality of the JPEGs of --encoding=jpeg.",
    lower_bound=1, upper_bound=100)
_TFDS_DATA_DIR = command.define_tfds_data_dir()
_BEAM_OPTIONS = beam_flag.define_beam_options()


def main(arguments: Sequence[str]) -> None:
    """Prepares --data in --output_dir."""
    command.refuse_arguments(arguments)
    data, output_dir = _DATA.value, _OUTPUT_DIR.value
    if not data or not output_dir:
        raise UserError("--data and --output_dir must be given")
    data_spec.require_preparable(data)
    require_new_folder(output_dir)
    options = beam_flag.parse(_BEAM_OPTIONS, purpose="preparing shards",
                              extra="prepare")
    settings = Settings(
        shorter_side=_SHORTER_SIDE.value, min_size=_MIN_SIZE.value,
        min_chroma=_MIN_CHROMA.value,
        near_duplicate_distance=_NEAR_DUPLICATE_DISTANCE.value,
        encoding=_ENCODING.value, jpeg_quality=_JPEG_QUALITY.value)
    with command.quiet_tensorflow():
        from data_pipelines.preparation import write_shards
    write_shards.prepare(
        data=data, output_dir=output_dir, settings=settings,
        tfds_data_dir=_TFDS_DATA_DIR.value, options=options)


if __name__ == "__main__":
    command.run(main)
