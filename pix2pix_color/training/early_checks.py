"""Refuses flags of fit and export before TensorFlow is loaded."""

import importlib.util
import os

from data_pipelines import extras
from data_pipelines.data_spec import require_data
from data_pipelines.errors import UserError
from data_pipelines.files import require_writable
from pix2pix_color import weights_flag
from pix2pix_color.config import Config
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model import find

# The folder of the trained colorizer's exports unless another one is named.
COLORIZER_DIR = os.path.join("runs", "trained_colorizer")


def require_startable(config: Config, *, dry_run: bool) -> None:
    """Checks what the flags of a run name.

    Raises:
      UserError: photographs or weights are missing, or the run's folder cannot
        be used.
    """
    require_data(config.data.data, flag="--data")
    if config.data.eval_data:
        require_data(config.data.eval_data, flag="--eval_data")
    if config.training.distribute == "multiworker":
        return  # only the chief needs to see the rest
    folder = RunFolder(config.reporting.workdir)
    if not dry_run:
        folder.require_usable(config)
    if config.training.semantic_weight:
        weights_flag.find_file(config.training.classifier_weights,
                               flag="--classifier_weights")
    weights_flag.find_file(config.reporting.judge_weights,
                           flag="--judge_weights")
    if dry_run or not folder.steps():
        weights_flag.find_file(config.networks.encoder_weights,
                               flag="--encoder_weights")
        require_initial_weights(config.networks.initial_weights)


def require_initial_weights(weights: str) -> None:
    """Checks that --initial_weights, if given, names something to begin with.

    Raises:
      UserError: it does not.
    """
    if weights not in ("", find.NAME) and not (
            os.path.isfile(weights) and weights.endswith(".safetensors")
            or os.path.exists(RunFolder(weights).flags_path)):
        raise UserError(
            f"--initial_weights={weights} must be {find.NAME}, the folder of a "
            f"run, or a .safetensors file that exists")


def require_exportable(run: str, *, file_format: str, checkpoint: str,
                       output_dir: str) -> str:
    """Checks what the flags of export name.

    Args:
      run: the run's folder, or `colorizer`.
      file_format: the value of --format.
      checkpoint: `latest`, `best` or a step.
      output_dir: the folder to write to; empty for the default.

    Returns:
      The folder to write to.

    Raises:
      UserError: the folder holds no run or no checkpoint, output_dir cannot be
        written to, or the format's converter is not installed.
    """
    if run == find.NAME:
        if checkpoint != "latest":
            raise UserError(f"--checkpoint={checkpoint} is for runs; --run="
                            f"{find.NAME} has no checkpoints")
        find.read_trained(flag="--run")
    else:
        RunFolder(run).require_checkpoint(flag="--run")
    if (file_format == "onnx"
            and importlib.util.find_spec("tf2onnx") is None):
        raise UserError("--format=onnx needs tf2onnx: "
                        + extras.how_to_install("onnx"))
    output_dir = output_dir or os.path.join(
        COLORIZER_DIR if run == find.NAME else run,
        "export" if file_format == "saved_model" else file_format)
    require_writable(output_dir, flag="--output_dir", is_folder=True)
    return output_dir
