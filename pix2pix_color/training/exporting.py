"""From a run's checkpoint to a SavedModel."""

import os
import pathlib
import subprocess
from typing import Any, Optional

from data_pipelines import color, decode
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from pix2pix_color import config_flags, hardware
from pix2pix_color.config import Config
from pix2pix_color.networks import weights_file
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model import bare_generator, trained, write
from pix2pix_color.saved_model.prediction import Seed
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.train_state import TrainState

# Where the trained colorizer's exports go unless another folder is named.
COLORIZER_DIR = os.path.join("runs", "trained_colorizer")


def export(run: str, *, checkpoint: str = "latest", output_dir: str = "",
           max_pixels: int = decode.MAX_PIXELS) -> tuple[str, str]:
    """Exports a run as the next version below its export/ folder.

    Args:
      run: the run's folder, or `colorizer` for the trained one.
      checkpoint: `latest`, `best` or a step.
      output_dir: where to write instead; empty for export/.
      max_pixels: height times width of the largest image that is decoded.

    Returns:
      What was exported, in words, and the SavedModel's path.

    Raises:
      UserError: the folder holds no run, or no such checkpoint.
    """
    if run == trained.NAME:
        generator, config, card = _load_trained(checkpoint)
        path = write.write(
            generator, output_dir or os.path.join(COLORIZER_DIR, "export"),
            color_space=color.COLOR_SPACES[config.networks.color_space],
            max_pixels=max_pixels, card=card)
        return "the trained colorizer", path
    folder, config, state, metrics = restore(run, checkpoint=checkpoint)
    path = export_state(
        state, config, output_dir or folder.export_dir, metrics=metrics,
        loss_classifier=folder.read_run_json().get("loss_classifier"),
        max_pixels=max_pixels)
    return f"step {state.step_number}", path


def export_bare(run: str, *, checkpoint: str, kind: str,
                output_dir: str = "") -> tuple[str, str]:
    """Exports a run's bare generator, for programs without TensorFlow or for
    --initial_weights.

    Args:
      run: as for export.
      checkpoint: as for export.
      kind: a key of bare_generator.KINDS, or `safetensors`.
      output_dir: where to write; empty for a folder of that kind in the run's.

    Returns:
      What was exported, in words, and the file's path.

    Raises:
      UserError: as export, or the converter is not installed.
    """
    if run == trained.NAME:
        generator, config, _ = _load_trained(checkpoint)
        name, directory = "the trained colorizer", COLORIZER_DIR
    else:
        folder, config, state, _ = restore(run, checkpoint=checkpoint)
        generator = state.served_generator(config)
        name, directory = f"step {state.step_number}", folder.path
    output_dir = output_dir or os.path.join(directory, kind)
    if kind != "safetensors":
        return name, bare_generator.write(generator, output_dir, kind=kind)
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, "generator.safetensors")
    write_atomically(path, weights_file.generator_to_bytes(
        generator, flags=config_flags.config_to_text(config)))
    return name, path


def _load_trained(checkpoint: str):
    if checkpoint != "latest":
        raise UserError(f"--checkpoint={checkpoint} is of runs alone, and "
                        f"--run={trained.NAME} is the trained colorizer")
    hardware.claim_devices()
    return trained.load(flag="--run")


def restore(workdir: str, *, checkpoint: str, flag: str = "--run") -> tuple[
        RunFolder, Config, TrainState, Optional[dict[str, Any]]]:
    """Takes up a run's checkpoint, to look at it.

    Args:
      workdir: the run's folder.
      checkpoint: `latest`, `best` or a step.
      flag: who names the folder, for messages.

    Returns:
      The run's folder, its flags, the state in float32, and what is known of
      how good it is: the evaluation of run.json, or its best metric alone.

    Raises:
      UserError: the folder holds no run, or no such checkpoint.
    """
    hardware.claim_devices()
    folder = RunFolder(workdir)
    config = folder.config()
    state = TrainState.create(config, precision="float32", pretrained=False,
                              learning=False)
    checkpoints = Checkpoints(state, config=config,
                              directory=folder.checkpoints_dir)
    journal = checkpoints.restore_latest()
    if journal is None:
        raise UserError(f"{flag}={workdir} holds no checkpoint yet")
    best = journal.best
    if checkpoint != "latest":
        step = best.get("step") if checkpoint == "best" else _step(checkpoint)
        if step not in checkpoints.steps():
            raise UserError(
                f"--checkpoint={checkpoint}: {flag}={workdir} holds no such "
                f"checkpoint; it must be latest, best or one of the steps "
                f"{', '.join(map(str, checkpoints.steps()))}")
        checkpoints.restore(step)
    facts = folder.read_run_json()
    if facts.get("step") == state.step_number and "evaluation" in facts:
        return folder, config, state, facts["evaluation"]
    known = None
    if best.get("step") == state.step_number:
        known = {"colorized": {best["metric"]: best["value"]}}
    return folder, config, state, known


def _step(checkpoint: str) -> Optional[int]:
    return int(checkpoint) if checkpoint.isdecimal() else None


def export_state(state: TrainState, config: Config, export_dir: str, *,
                 metrics: Optional[dict[str, Any]],
                 loss_classifier: Optional[str],
                 max_pixels: int = decode.MAX_PIXELS) -> str:
    """Exports a state as the next version below a folder.

    Args:
      state: whose generator.
      config: the run's.
      export_dir: the folder, such as the run's export/.
      metrics: what is known of how good it is, for the model's card.
      loss_classifier: name of the semantic loss's network, for the card; None
        where there was none.
      max_pixels: height times width of the largest image that is decoded.

    Returns:
      The SavedModel's path.
    """
    seed = Seed()
    return write.write(
        state.served_generator(config, seed), export_dir,
        color_space=color.COLOR_SPACES[config.networks.color_space], seed=seed,
        max_pixels=max_pixels, card={
            "step": state.step_number,
            "metrics": metrics,
            "loss_classifier": loss_classifier,
            "data": {"train": config.data.data,
                     "evaluation": config.data.eval_data or config.data.data},
            "flags": config_flags.config_to_text(config).splitlines()[1:-1],
            "git_commit": _git_commit(),
        })


def _git_commit() -> Optional[str]:
    """The commit of this program's working tree; None where there is none."""
    root = pathlib.Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        return subprocess.run(
            ["git", "-C", root, "rev-parse", "HEAD"], check=True,
            capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
