"""Shows what the data look like: python -m data_pipelines.inspect --data=SPEC.

Draws one page, --output=page.png: photographs as they leave the training
pipeline, the channels of one photograph as they enter the network, the
distribution of colors, and counts.

The contact sheet is the first batch of fit's own stream, decoded back from
condition and target. Everything that is measured is measured on the evaluation
protocol's center squares at --image_size.
"""

import math
import os
from typing import Sequence

from absl import flags

from data_pipelines import command, data_spec, files
from data_pipelines.errors import UserError

_DATA = command.define_data(
    "data", "sample_photos", f"Photographs: {command.DATA_SPECS}.")
_TFDS_DATA_DIR = command.define_tfds_data_dir()
_EVAL_DATA = command.define_data(
    "eval_data", "", "Evaluation photographs, as --data; empty sets some of "
    "--data aside.")
_EVAL_FRACTION = flags.DEFINE_float(
    "eval_fraction", 0.1, "Share of --data set aside for evaluation if "
    "--eval_data is empty; sample_photos sets its own 8 aside.",
    lower_bound=0, upper_bound=1)
_OUTPUT = command.define_path(
    "output", "", "Page to write, a .png file that must not exist yet.")
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 256, "Side of the networks' square in pixels.",
    lower_bound=32, upper_bound=512)
_RESIZE_SIZE = flags.DEFINE_integer(
    "resize_size", 0, "Length in pixels of a photograph's shorter side before "
    "the random crop of --image_size; 0 takes pix2pix's 286/256 of it.",
    lower_bound=0)
_MAX_RESIZE_SIZE = flags.DEFINE_integer(
    "max_resize_size", 0, "Draws the length for each photograph between "
    "--resize_size and this; 0 always takes --resize_size.", lower_bound=0)
_EXAMPLES = flags.DEFINE_integer(
    "examples", 1000, "Largest number of photographs to measure on each side, "
    "training and evaluation, spread evenly; 0 for all.", lower_bound=0)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Determines order and augmentation, as fit's.",
    lower_bound=0, upper_bound=2**31 - 1)
_PHOTO = flags.DEFINE_string(
    "photo", "", "Photograph whose channels are drawn: its name, or its number "
    "among the training photographs; empty takes the most varied in color.")


def main(arguments: Sequence[str]) -> None:
    """Writes the page and prints the counts."""
    command.refuse_arguments(arguments)
    _check_sizes(_IMAGE_SIZE.value, _RESIZE_SIZE.value, _MAX_RESIZE_SIZE.value)
    _check_output(_OUTPUT.value)
    data_spec.require_data(_DATA.value, flag="--data")
    if _EVAL_DATA.value:
        data_spec.require_data(_EVAL_DATA.value, flag="--eval_data")
    page, table = _inspect()
    files.write_atomically(_OUTPUT.value, page)
    for row, *cells in table:
        print(f"{row:<20}" + "".join(f"{text:>13}" for text in cells))
    print(f"{'page':<20}{_OUTPUT.value}")


def _check_sizes(image_size: int, resize_size: int,
                 max_resize_size: int) -> None:
    if 0 < resize_size < image_size:
        raise UserError(f"--resize_size={resize_size} must be at least "
                        f"--image_size={image_size}, or 0")
    if max_resize_size and not 0 < resize_size <= max_resize_size:
        raise UserError(f"--max_resize_size={max_resize_size} must be at least "
                        f"--resize_size={resize_size}, which must be given, "
                        f"or 0")


def _check_output(path: str) -> None:
    """Raises UserError if no new .png file can be written at the path."""
    if not path.endswith(".png"):
        raise UserError(f"--output={path} must name a .png file")
    if os.path.lexists(path):
        raise UserError(f"--output={path} exists and is not overwritten; "
                        f"remove it or choose another name")
    folder = os.path.dirname(path) or "."
    if not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise UserError(f"--output={path} cannot be written: {folder!r} must "
                        f"be a folder that you may write to")


def _inspect() -> tuple[bytes, Sequence[Sequence[str]]]:
    """Returns the page, a PNG file, and the table of counts."""
    with command.quiet_tensorflow():
        import tensorflow as tf

        from data_pipelines import augment, split
        from data_pipelines.inspection import drawing, measuring
        from data_pipelines.rejected import RejectedExamples

    image_size = _IMAGE_SIZE.value
    train, evaluation = split.open_train_and_eval(
        data=_DATA.value, eval_data=_EVAL_DATA.value,
        eval_fraction=_EVAL_FRACTION.value, train_examples=0, eval_examples=0,
        tfds_data_dir=_TFDS_DATA_DIR.value)
    for remark in sorted({train.remark, evaluation.remark} - {""}):
        print(remark)
    if _PHOTO.value:
        source, index = measuring.find_photo(_PHOTO.value, train, evaluation)
    # Bad photographs never end this command: it is there to show them.
    rejected = RejectedExamples(max_bad_fraction=math.inf)
    sheet = measuring.contact_sheet(
        train, image_size=image_size, resize_size=(
            _RESIZE_SIZE.value or augment.default_resize_size(image_size)),
        max_resize_size=_MAX_RESIZE_SIZE.value, seed=_SEED.value,
        rejected=rejected)
    sides = {name: measuring.measure(
        side, image_size=image_size, examples=_EXAMPLES.value,
        rejected=rejected, name=name)
        for name, side in (("training", train), ("evaluation", evaluation))}
    if not _PHOTO.value:
        source, index = measuring.find_photo(
            sides["training"].most_varied(), train)
    try:
        photo = source.load(tf.constant(index, tf.int64))
    except tf.errors.OpError as error:
        raise UserError(f"--photo={_PHOTO.value} cannot be read; choose "
                        f"another photograph") from error
    page = drawing.draw_page(
        title=f"--data={_DATA.value}", sheet=sheet,
        photo=augment.center_square(photo, image_size=image_size).numpy(),
        photo_name=source.identities[index], sides=sides,
        rejected=rejected.reasons)
    return page, measuring.count_table(sides)


if __name__ == "__main__":
    command.run(main)
