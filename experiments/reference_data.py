"""Photographs in the layouts that the reference systems are trained on.

    python -m experiments.reference_data --kind=paired --data=folder:PHOTOS \\
        --output=pairs
    python -m pix2pix_color.fit --data=paired:pairs/gray,pairs/color ...

--kind=paired writes gray/N.jpg and color/N.jpg, N counting from 0.
--kind=kaggle_npy writes the arrays of Kaggle's "Image Colorization" by the
same names, shapes and scaling (data_pipelines.sources.kaggle_npy): centre
squares of 224 px, two fifths of them in ab1.npy, as many in ab2.npy, the rest
in ab3.npy.

One photograph at a time is in memory. --output appears when it is complete;
until then the work is in OUTPUT.partial. A photograph that cannot be read is
named and left out.
"""

import os
from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_enum("kind", "paired", ["paired", "kaggle_npy"],
                      "The layout.")
    flags.DEFINE_string("data", "sample_photos", f"Photographs: {DATA_SPECS}.")
    flags.DEFINE_string("output", "", "The folder to write; must not exist.")
    flags.DEFINE_integer(
        "examples", 0, "How many photographs at most, spread evenly over "
        "--data; 0 for all.", lower_bound=0)
    flags.DEFINE_string(
        "tfds_data_dir", "",
        "Where TensorFlow Datasets keeps its data sets; empty is its default.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    options = flags.FLAGS
    if not options.output or os.path.lexists(options.output):
        raise UserError(f"--output={options.output} must name a folder that "
                        f"does not exist yet")
    with command.quiet_tensorflow():
        from experiments import reference_layouts
    count = reference_layouts.write(
        kind=options.kind, data=options.data, output=options.output,
        examples=options.examples, tfds_data_dir=options.tfds_data_dir)
    print(f"{count} photographs in {options.output}")


if __name__ == "__main__":
    define_flags()
    command.run(main)
