"""Measures a model: python -m pix2pix_color.evaluate --model=M --data=SPEC.

The protocol of every evaluation: centre square, antialiased resize to the
model's size; metrics per photograph, their means, and 95 % intervals, beside
the same numbers for the gray image. With --output=metrics.json, also writes
metrics.csv, a line a photograph, and metrics.html, which shows the best,
median and worst.
"""

import os
from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.specs import SPECS
from pix2pix_color import cli
from pix2pix_color.config import ConfigError

_MODEL = flags.DEFINE_string(
    "model", "",
    "A SavedModel, a directory of its versions, or the folder of a run.")
_DATA = flags.DEFINE_string(
    "data", "", f"Photographs to evaluate on: {SPECS}. Empty takes those that "
    f"the run in --model set aside for evaluation.")
_TFDS_DATA_DIR = flags.DEFINE_string(
    "tfds_data_dir", "", "Where TensorFlow Datasets keeps its data sets; empty "
    "for its default.")
_OUTPUT = flags.DEFINE_string(
    "output", "", "JSON file to write, with .csv and .html beside it.")
_INCEPTION_WEIGHTS = flags.DEFINE_string(
    "inception_weights", "", "A file of Keras's InceptionV3 without its top "
    "(inception_v3_..._notop.h5), or imagenet to download it: adds fid.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if not _MODEL.value:
        raise ConfigError("--model must name a SavedModel or a run's folder")
    if _OUTPUT.value and not _OUTPUT.value.endswith(".json"):
        raise ConfigError(f"--output={_OUTPUT.value} must end in .json")
    if _OUTPUT.value:  # or it would be found out after all the work
        os.makedirs(os.path.dirname(_OUTPUT.value) or ".", exist_ok=True)
    scoring = command.load("pix2pix_color.serving.scoring")
    client = command.load("pix2pix_color.serving.client")
    source = (scoring.open_data(_DATA.value,
                                tfds_data_dir=_TFDS_DATA_DIR.value)
              if _DATA.value else _open_held_out(_MODEL.value))
    model = client.Model(_MODEL.value)
    score = scoring.Score(model, source,
                          inception_weights=_INCEPTION_WEIGHTS.value)
    print(scoring.table(score.result, score.rejected))
    if _OUTPUT.value:
        for path in score.write(_OUTPUT.value):
            print(path)


def _open_held_out(model: str):
    """The photographs that a run evaluates on."""
    run_folder = command.load("pix2pix_color.training.run_folder")
    if not os.path.exists(run_folder.RunFolder(model).flags_path):
        raise ConfigError(f"--data must name photographs, as --model={model} "
                          f"is no run that has some of its own: {SPECS}")
    return command.load("pix2pix_color.serving.scoring").open_held_out(
        model, tfds_data_dir=_TFDS_DATA_DIR.value)


if __name__ == "__main__":
    cli.run(main)
