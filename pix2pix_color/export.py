"""Exports a run: python -m pix2pix_color.export --run=WORKDIR.

Writes a checkpoint's generator as the next version below the run's export/
folder, in TensorFlow Serving's layout; or as a TensorFlow Lite, ONNX or
safetensors file.
"""

from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color.training.early_checks import require_exportable

_RUN = command.define_path(
    "run", "", "The run's folder (fit's --workdir); colorizer is the trained "
    "one in the package.")
_OUTPUT_DIR = command.define_path(
    "output_dir", "", "Folder to write to; empty for export/, tflite/, onnx/ "
    "or safetensors/ in the run's folder, or in runs/trained_colorizer for "
    "colorizer.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "latest", "The checkpoint: latest, best (by the run's "
    "--best_metric) or the step of one that is still there.")
_FORMAT = flags.DEFINE_enum(
    "format", "saved_model", ["saved_model", "tflite", "onnx",
                              "safetensors"],
    "saved_model goes from image bytes to image bytes; tflite and onnx are the "
    "bare generator, from condition to target; safetensors holds its weights, "
    "for --initial_weights.")
_MAX_PIXELS = command.define_max_pixels()


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if not _RUN.value:
        raise UserError("--run must name the folder of a run")
    require_exportable(
        _RUN.value, file_format=_FORMAT.value, checkpoint=_CHECKPOINT.value,
        output_dir=_OUTPUT_DIR.value)
    with command.quiet_tensorflow():
        from pix2pix_color.training.exporting import export_run
    what, path = export_run(
        _RUN.value, file_format=_FORMAT.value, checkpoint=_CHECKPOINT.value,
        output_dir=_OUTPUT_DIR.value, max_pixels=_MAX_PIXELS.value)
    print(f"{what} exported to {path}")


if __name__ == "__main__":
    command.run(main)
