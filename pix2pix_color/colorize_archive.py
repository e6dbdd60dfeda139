"""Colors the photographs of an archive: files by the million, by Apache Beam.

    python -m pix2pix_color.colorize_archive --input='s3://bucket/scans/**'
        --output_dir=s3://bucket/colored --beam_options=runner=FlinkRunner,...

--input is a folder, a file, or a pattern of any file system that Beam knows, in
which * stops at a / and ** does not; --input_list names a text file of paths
instead. Hidden files are passed over. Results are called as `colorize` calls
them and lie in the input's folders below --output_dir.

The same command again does what is missing, after a crash or a full disk, too.
OUTPUT_DIR/report has a row for each photograph, in parts: report/*.csv join to
one CSV file. A file that cannot be colored has a row that says why. Videos are
refused; `colorize` colors them.

--dry_run counts the files, tries twenty, and says how long all would take.
"""

import sys
from typing import Sequence

from absl import flags

from data_pipelines import beam_flag, command
from data_pipelines.errors import UserError
from data_pipelines.files import require_writable
from pix2pix_color import model_flag
from pix2pix_color.archive.settings import (MAX_PIXELS, Settings, absolute,
                                            has_scheme)
from pix2pix_color.colorizing.jobs import ENDINGS, OTHER_NAMES
from pix2pix_color.saved_model import find

_INPUT = command.define_path(
    "input", "", "Photographs to color: a folder, a file, or a pattern such as "
    "'gs://bucket/scans/**'.")
_INPUT_LIST = command.define_path(
    "input_list", "", "Text file of paths, one a line, instead of --input.")
_OUTPUT_DIR = command.define_path(
    "output_dir", "", "Folder of the results, which must not hold the input.")
_MODEL = model_flag.define_model()
_FORMAT = flags.DEFINE_enum(
    "format", "png", [*ENDINGS, *OTHER_NAMES], "File format of the results.",
    case_sensitive=False)
_SATURATION = flags.DEFINE_float(
    "saturation", 1.0, "Factor of the colors: 0 is gray, 1 as predicted.",
    lower_bound=0.0, upper_bound=10.0)
_CHROMA_SIZE = flags.DEFINE_integer(
    "chroma_size", 0, "Side of the square in which colors are predicted, "
    "pixels, a multiple of the model's. 0 takes the model's.", lower_bound=0)
_MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels", MAX_PIXELS, "Largest photograph that is colored, in pixels; "
    "larger ones are refused. Memory grows with it.", lower_bound=1)
_THREADS = flags.DEFINE_integer(
    "threads", 0, "Threads of TensorFlow in each worker process; 0 takes one "
    "for each core. 1 suits as many processes as cores.", lower_bound=0)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Count the files, try twenty, and write nothing.")
_BEAM_OPTIONS = beam_flag.define_beam_options()


def main(arguments: Sequence[str]) -> None:
    """Colors --input into --output_dir."""
    command.refuse_arguments(arguments)
    if bool(_INPUT.value) == bool(_INPUT_LIST.value):
        raise UserError("either --input or --input_list must be given")
    if not _OUTPUT_DIR.value:
        raise UserError("--output_dir must be given")
    output_dir = absolute(_OUTPUT_DIR.value).rstrip("/")
    if not has_scheme(output_dir):
        require_writable(output_dir, flag="--output_dir", is_folder=True)
    card = find.find_card(_MODEL.value)
    find.require_fitting(_CHROMA_SIZE.value, int(card["image_size"]))
    options = beam_flag.parse(_BEAM_OPTIONS, purpose="coloring an archive",
                              extra="archive")
    from pix2pix_color.archive import listing, places
    places.set_options(options)
    for flag, value in (("--input", _INPUT.value),
                        ("--input_list", _INPUT_LIST.value),
                        ("--output_dir", output_dir)):
        places.require_file_system(value, flag=flag)
    files = listing.Listing(
        input_pattern=absolute(_INPUT.value) if _INPUT.value else "",
        input_list=_INPUT_LIST.value, output_dir=output_dir)
    if files.root.startswith(output_dir + "/"):
        raise UserError(f"--output_dir={_OUTPUT_DIR.value} must not hold the "
                        f"input, which is in {files.root}")
    settings = Settings(
        root=files.root, output_dir=output_dir,
        model=_MODEL.value if _MODEL.value == find.NAME
        else absolute(_MODEL.value), digest=str(card.get("sha256", "")),
        file_format=OTHER_NAMES.get(_FORMAT.value, _FORMAT.value),
        saturation=_SATURATION.value, chroma_size=_CHROMA_SIZE.value,
        max_pixels=_MAX_PIXELS.value, threads=_THREADS.value)
    if _DRY_RUN.value:
        _try(files, settings)
    else:
        _color(files, settings, options)


def _try(files, settings) -> None:
    with command.quiet_tensorflow():
        from pix2pix_color.archive import estimate
    from pix2pix_color.archive.progress import time_text
    found = estimate.try_some(files, settings)
    size = estimate.shown_bytes(files.num_bytes) if files.all_sizes else (
        "about " + estimate.shown_bytes(
            found.bytes_read / found.num_tried * files.num_files))
    written = estimate.shown_bytes(
        found.bytes_written / found.num_tried * files.num_files)
    print(f"{files.num_files} files, {size}, below {files.root}\n"
          f"tried {found.num_tried}, of which {found.num_refused} would be "
          f"refused\n"
          f"all of them: {time_text(found.seconds)} on this machine in one "
          f"process, {estimate.shown_bytes(found.peak_bytes)} of memory, "
          f"{written} of results")


def _color(files, settings, options) -> None:
    from pix2pix_color.archive import pipeline
    counts = pipeline.color_archive(files, settings, options)
    if not counts.colored + counts.existing:
        raise UserError(f"none of {files.num_files} files can be colored; "
                        f"{settings.output_dir}/report/*.csv say why")
    print(f"{counts.colored} colored, {counts.existing} had results, "
          f"{counts.refused} refused; see {settings.output_dir}/report/*.csv")
    if counts.refused:
        print(f"{counts.refused} refused: the report's last column says why",
              file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
