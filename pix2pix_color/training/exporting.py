"""Exports a run's checkpoint, or the trained colorizer, in any format."""

import os
import pathlib
import subprocess
from typing import Any, Optional

from data_pipelines import color, decode
from data_pipelines.files import write_atomically
from pix2pix_color import config_flags, hardware
from pix2pix_color.config import Config
from pix2pix_color.networks import weights_file
from pix2pix_color.saved_model import find, trained
from pix2pix_color.saved_model.bare_generator import write_bare_generator
from pix2pix_color.saved_model.prediction import Seed
from pix2pix_color.saved_model.write import write_saved_model
from pix2pix_color.training.early_checks import require_exportable
from pix2pix_color.training.restore import restore_run
from pix2pix_color.training.train_state import TrainState


def export_run(run: str, *, file_format: str = "saved_model",
               checkpoint: str = "latest", output_dir: str = "",
               max_pixels: int = decode.MAX_PIXELS) -> tuple[str, str]:
    """Exports a run's checkpoint.

    Args:
      run: the run's folder, or `colorizer` for the trained one.
      file_format: `saved_model`, which takes the next version number below
        output_dir; `safetensors`, for --initial_weights; or a key of
        bare_generator.KINDS.
      checkpoint: `latest`, `best` or a step.
      output_dir: the folder to write to; empty for export/ (or the format's
        name) in the run's folder.
      max_pixels: height times width of the largest image that the SavedModel
        decodes.

    Returns:
      What was exported, in words, and the path of the export.

    Raises:
      UserError: the folder holds no run or no such checkpoint, output_dir
        cannot be written to, or the format's converter is not installed.
    """
    seed = None
    output_dir = require_exportable(
        run, file_format=file_format, checkpoint=checkpoint,
        output_dir=output_dir)
    if run == find.NAME:
        hardware.claim_devices()
        generator, config, card = trained.load_trained(flag="--run")
        name = "the trained colorizer"
    else:
        folder, config, state, metrics = restore_run(run, checkpoint=checkpoint)
        if file_format == "saved_model":
            seed = Seed()
        generator = state.served_generator(config, seed)
        card = _card(state, config, metrics,
                     folder.read_run_json().get("loss_classifier"))
        name = f"step {state.step_number}"
    if file_format == "saved_model":
        path = write_saved_model(
            generator, output_dir, seed=seed, max_pixels=max_pixels, card=card,
            color_space=color.COLOR_SPACES[config.networks.color_space])
    elif file_format == "safetensors":
        os.makedirs(output_dir, exist_ok=True)
        path = os.path.join(output_dir, "generator.safetensors")
        write_atomically(path, weights_file.generator_to_bytes(
            generator, flags=config_flags.config_to_text(config)))
    else:
        path = write_bare_generator(generator, output_dir, kind=file_format)
    return name, path


def export_state(state: TrainState, config: Config, export_dir: str, *,
                 metrics: Optional[dict[str, Any]],
                 loss_classifier: Optional[str]) -> str:
    """Exports a state's generator as a SavedModel.

    Args:
      state: the state.
      config: the run's flags.
      export_dir: the folder of the versions, such as the run's export/.
      metrics: its evaluation, for the model's card.
      loss_classifier: name of the semantic loss's network, for the card; None
        if there was none.

    Returns:
      The SavedModel's path.
    """
    seed = Seed()
    return write_saved_model(
        state.served_generator(config, seed), export_dir, seed=seed,
        color_space=color.COLOR_SPACES[config.networks.color_space],
        card=_card(state, config, metrics, loss_classifier))


def _card(state: TrainState, config: Config, metrics: Optional[dict[str, Any]],
          loss_classifier: Optional[str]) -> dict[str, Any]:
    return {
        "step": state.step_number,
        "metrics": metrics,
        "loss_classifier": loss_classifier,
        "data": {"train": config.data.data,
                 "evaluation": config.data.eval_data or config.data.data},
        "flags": config_flags.config_to_text(config).splitlines()[1:-1],
        "git_commit": _git_commit(),
    }


def _git_commit() -> Optional[str]:
    """Returns the commit of this program's working tree, if it has one."""
    root = pathlib.Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        return subprocess.run(
            ["git", "-C", root, "rev-parse", "HEAD"], check=True,
            capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
