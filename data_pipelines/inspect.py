"""What the data look like: python -m data_pipelines.inspect --data=SPEC.

Draws one page, --output=page.png: photographs as they leave the training
pipeline, the channels of one of them as they enter the network, how their
colors are distributed, and counts.

The contact sheet is the first batch of fit's own stream, decoded back from
condition and target. What is measured, is so on the evaluation protocol's
centre squares at --image_size.
"""

import contextlib
import math
import os
from typing import BinaryIO, Iterator, Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples


@contextlib.contextmanager
def new_file(path: str) -> Iterator[BinaryIO]:
    """Opens --output under a temporary name; it appears whole or not at all.

    Raises:
      UserError: it exists, is no .png, or cannot be written.
    """
    if not path.endswith(".png"):
        raise UserError(f"--output={path} must name a .png file")
    if os.path.lexists(path):
        raise UserError(f"--output={path} exists and is not overwritten; "
                        f"remove it or choose another name")
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        file = open(temporary, "xb")
    except OSError as error:
        raise UserError(f"--output={path} cannot be written: "
                        f"{error.strerror}") from error
    try:
        with file:
            yield file
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_string("data", "sample_photos", f"Photographs: {DATA_SPECS}.")
    flags.DEFINE_string(
        "tfds_data_dir", "",
        "Where TensorFlow Datasets keeps its data sets; empty is its default.")
    flags.DEFINE_string(
        "eval_data", "",
        "Evaluation photographs, as --data; empty sets some of --data aside.")
    flags.DEFINE_float(
        "eval_fraction", 0.1,
        "Share of --data set aside for evaluation when --eval_data is empty; "
        "sample_photos sets its own 8 aside.", lower_bound=0, upper_bound=1)
    flags.DEFINE_string(
        "output", "", "The page to write, a .png file that does not exist yet.")
    flags.DEFINE_integer(
        "image_size", 256, "Side of the networks' square in pixels.",
        lower_bound=32, upper_bound=512)
    flags.DEFINE_integer(
        "resize_size", 0,
        "What a photograph's shorter side is resized to before the random "
        "crop of --image_size, in pixels; 0 takes pix2pix's 286/256 of it.",
        lower_bound=0)
    flags.DEFINE_integer(
        "max_resize_size", 0,
        "Largest size that is drawn, for each photograph anew, in place of "
        "--resize_size, the smallest; 0 always takes that one.", lower_bound=0)
    flags.DEFINE_integer(
        "examples", 1000,
        "How many photographs to measure at most, of the training and of the "
        "evaluation side each, spread evenly; 0 for all.", lower_bound=0)
    flags.DEFINE_integer(
        "seed", 0, "Determines order and augmentation, as fit's.",
        lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_string(
        "photo", "",
        "The photograph whose channels are drawn: its name, or its number "
        "among the training ones; empty takes the most varied in color.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    options = flags.FLAGS
    if 0 < options.resize_size < options.image_size:
        raise UserError(f"--resize_size={options.resize_size} must be at "
                        f"least --image_size={options.image_size}, or 0")
    if options.max_resize_size and not (
            0 < options.resize_size <= options.max_resize_size):
        raise UserError(f"--max_resize_size={options.max_resize_size} must be "
                        f"at least --resize_size={options.resize_size}, which "
                        f"must be given, or 0")
    with new_file(options.output) as file:
        with command.quiet_tensorflow():
            from data_pipelines.inspection import drawing  # noqa: F401
        page, table = _inspect(options)
        file.write(page)
    for row, *cells in table:
        print(f"{row:<20}" + "".join(f"{text:>13}" for text in cells))
    print(f"{'page':<20}{options.output}")


def _inspect(
        options: flags.FlagValues) -> tuple[bytes, Sequence[Sequence[str]]]:
    """Returns the page, a PNG file, and the table of counts."""
    # They need TensorFlow, which main has loaded.
    import tensorflow as tf

    from data_pipelines import augment, split
    from data_pipelines.inspection import drawing, measuring

    image_size = options.image_size
    train, evaluation = split.open_train_and_eval(
        data=options.data, eval_data=options.eval_data,
        eval_fraction=options.eval_fraction, train_examples=0,
        eval_examples=0, tfds_data_dir=options.tfds_data_dir)
    if options.photo:
        source, index = measuring.find_photo(options.photo, train, evaluation)
    # However many are bad: that is what one wants to see.
    rejected = RejectedExamples(max_bad_fraction=math.inf)
    sheet = measuring.contact_sheet(
        train, image_size=image_size, resize_size=(
            options.resize_size or augment.default_resize_size(image_size)),
        max_resize_size=options.max_resize_size,
        seed=options.seed, rejected=rejected)
    sides = {name: measuring.measure(
        side, image_size=image_size, examples=options.examples,
        rejected=rejected, name=name)
        for name, side in (("training", train), ("evaluation", evaluation))}
    if not options.photo:
        source, index = measuring.find_photo(
            sides["training"].most_varied(), train)
    try:
        photo = source.load(tf.constant(index, tf.int64))
    except tf.errors.OpError as error:
        raise UserError(f"--photo={options.photo} cannot be read; choose "
                        f"another photograph") from error
    page = drawing.draw_page(
        title=f"--data={options.data}", sheet=sheet,
        photo=augment.centre_square(photo, image_size=image_size).numpy(),
        photo_name=source.identities[index], sides=sides,
        rejected=rejected.reasons)
    return page, measuring.table(sides)


if __name__ == "__main__":
    define_flags()
    command.run(main)
