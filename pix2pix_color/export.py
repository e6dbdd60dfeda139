"""Exports a run: python -m pix2pix_color.export --run=WORKDIR.

Writes a checkpoint's generator as the next version below the run's export/
folder, in TensorFlow Serving's layout; or as a TensorFlow Lite, ONNX or
safetensors file.
"""

from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError

_RUN = flags.DEFINE_string(
    "run", "", "Folder of the run, fit's --workdir; colorizer is the trained "
    "one that comes with the package.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", "", "Where to write; empty is the run's export/, tflite/, "
    "onnx/ or safetensors/, below runs/trained_colorizer for colorizer.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "latest", "Which checkpoint: latest, best (by the run's "
    "--best_metric) or a step that is still there.")
_FORMAT = flags.DEFINE_enum(
    "format", "saved_model", ["saved_model", "tflite", "onnx",
                              "safetensors"],
    "saved_model is the whole way from image bytes to image bytes; tflite and "
    "onnx are the bare generator, condition to target; safetensors are its "
    "weights, for --initial_weights.")
_MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels", 100_000_000, "Pixels of the largest image that the model "
    "decodes; a larger one is refused before it takes memory.",
    lower_bound=1)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if not _RUN.value:
        raise UserError("--run must name the folder of a run")
    with command.quiet_tensorflow():
        from pix2pix_color.training import exporting
    if _FORMAT.value == "saved_model":
        step, path = exporting.export(
            _RUN.value, checkpoint=_CHECKPOINT.value,
            output_dir=_OUTPUT_DIR.value, max_pixels=_MAX_PIXELS.value)
    else:
        step, path = exporting.export_bare(
            _RUN.value, checkpoint=_CHECKPOINT.value,
            output_dir=_OUTPUT_DIR.value, kind=_FORMAT.value)
    print(f"{step} exported to {path}")


if __name__ == "__main__":
    command.run(main)
