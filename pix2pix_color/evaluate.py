"""Measures a model: python -m pix2pix_color.evaluate --model=M --data=SPEC.

Each photograph's center square is resized to the model's size or to
--image_size. Prints the metrics' means and 95 % intervals, beside those of the
gray image. --output=metrics.json also writes metrics.csv, with one line for
each photograph, and metrics.html, with the best, median and worst photographs
or all of a few. --compare_with=other.csv tells which of two models is better.
"""

import os
from typing import Sequence

from absl import flags

from data_pipelines import command, data_spec, files
from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError
from pix2pix_color import model_flag, weights_flag
from pix2pix_color.saved_model import find

_MODEL = model_flag.define_model()
_DATA = command.define_data(
    "data", "", f"Photographs to evaluate on: {DATA_SPECS}. Empty takes the "
    f"evaluation photographs of the run in --model, or the 64 in the package.")
_TFDS_DATA_DIR = command.define_tfds_data_dir()
_OUTPUT = command.define_path(
    "output", "", "JSON file to write, with .csv and .html beside it.")
_COMPARE_WITH = command.define_path(
    "compare_with", "", "The .csv file of another model's evaluation on the "
    "same photographs; adds the difference to it and its 95 % interval.")
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 0, "Side of the squares, pixels, colored as by `colorize`; 0 "
    "measures the generator alone, at its own size.", lower_bound=0)
_DEGRADE = flags.DEFINE_bool(
    "degrade", False, "Show the model each photograph as an old print and "
    "join its colors with the clean lightness.")
_JUDGE_WEIGHTS = command.define_path(
    "judge_weights", "", "A classifier that judges the colors, which adds "
    "agreement and kl: a .safetensors file of EfficientNet-Lite0 or Lite2, or "
    "imagenet for the one in the package. It must not be the one that the "
    "model was trained to please.")
_INCEPTION_WEIGHTS = command.define_path(
    "inception_weights", "", "Weights of Keras's InceptionV3 without its top "
    "(inception_v3_..._notop.h5), or imagenet to download them; adds fid.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    find.find_card(_MODEL.value)
    if _DATA.value:
        data_spec.require_data(_DATA.value, flag="--data")
    weights_flag.find_file(_JUDGE_WEIGHTS.value, flag="--judge_weights")
    if _INCEPTION_WEIGHTS.value not in ("", "imagenet"):
        files.require_file(_INCEPTION_WEIGHTS.value,
                           flag="--inception_weights")
    other = _read_other(_COMPARE_WITH.value)
    if _OUTPUT.value and not _OUTPUT.value.endswith(".json"):
        raise UserError(f"--output={_OUTPUT.value} must end in .json")
    if _OUTPUT.value:
        files.require_writable(_OUTPUT.value, flag="--output")
    with command.quiet_tensorflow():
        from pix2pix_color.evaluation import of_saved_model, paired
        from pix2pix_color.saved_model.load import LoadedModel
    source = of_saved_model.open_data(_DATA.value, model=_MODEL.value,
                                      tfds_data_dir=_TFDS_DATA_DIR.value)
    if source.remark:
        print(source.remark)
    model = LoadedModel(_MODEL.value)
    score = of_saved_model.Score(model, source, image_size=_IMAGE_SIZE.value,
                                 degraded=_DEGRADE.value,
                                 judge_weights=_JUDGE_WEIGHTS.value,
                                 inception_weights=_INCEPTION_WEIGHTS.value)
    print(f"{_MODEL.value} on {source.origin}")
    print(of_saved_model.result_table(score.result, score.rejected))
    if _OUTPUT.value:
        os.makedirs(os.path.dirname(_OUTPUT.value) or ".", exist_ok=True)
        for path in score.write(_OUTPUT.value):
            print(path)
    if other:
        number, differences = paired.compare(
            score.to_csv(), other,
            origin=f"--compare_with={_COMPARE_WITH.value}")
        print(paired.describe(number, differences, other=_COMPARE_WITH.value))


def _read_other(path: str) -> str:
    """Reads the file of --compare_with; empty without the flag."""
    if not path:
        return ""
    files.require_file(path, flag="--compare_with")
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if not text.startswith("photograph,"):
        raise UserError(f"--compare_with={path} is no .csv file of evaluate")
    return text


if __name__ == "__main__":
    command.run(main)
