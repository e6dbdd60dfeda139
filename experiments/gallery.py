"""Pictures of one run for people: python -m experiments.gallery RUN --kind=K.

epochs: the same held-out photographs as the run colored them at --epochs, from
its sample grids, with gray and real. some: --count photographs of --data,
evenly spread, as its exported model colors them; gray, generated, real. worst:
those of them that it colors worst by CIEDE2000.
"""

import math
from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_enum("kind", "epochs", ["epochs", "some", "worst"],
                      "What to draw.")
    flags.DEFINE_list("epochs", ["1", "5", "10", "20", "50"],
                      "Epochs, pretraining counted, of --kind=epochs.")
    flags.DEFINE_integer("count", 16, "Photographs of --kind=some and worst.",
                         lower_bound=1)
    flags.DEFINE_string("data", "", "Photographs of --kind=some and worst; "
                        "those that the run evaluates on if empty.")
    flags.DEFINE_string("tfds_data_dir", "", "Where TensorFlow Datasets keeps "
                        "its data sets; empty for its default.")
    flags.DEFINE_string("output", "gallery.jpg",
                        "The picture to write, a .jpg or .png file.")


def main(arguments: Sequence[str]) -> None:
    options = flags.FLAGS
    if len(arguments) != 2:
        raise UserError("one run is to be named: gallery RUN --kind=epochs")
    if not options.output.endswith((".jpg", ".png")):
        raise UserError(
            f"--output={options.output} must name a .jpg or .png file")
    idle = (("data", "count", "tfds_data_dir") if options.kind == "epochs"
            else ("epochs",))
    for name in idle:
        if options[name].present:
            raise UserError(f"--{name} has no say in --kind={options.kind}")
    with command.quiet_tensorflow():
        from experiments.reporting import galleries as drawing
    if options.kind == "epochs":
        gallery = drawing.of_epochs(arguments[1], _numbers(options.epochs))
    else:
        gallery = drawing.of_photographs(
            arguments[1], data=options.data, count=options.count,
            are_worst=options.kind == "worst",
            tfds_data_dir=options.tfds_data_dir)
    write_atomically(options.output, drawing.draw(
        gallery, file_format=options.output.rpartition(".")[2]))
    print(options.output)


def _numbers(words: Sequence[str]) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        raise UserError(f"--epochs={','.join(words)} must be numbers, such as "
                        f"1,5,10")
    return numbers


if __name__ == "__main__":
    define_flags()
    command.run(main)
