"""Restores a run from one of its checkpoints."""

from typing import Any, NamedTuple, Optional

from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.config import Config
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.train_state import TrainState


class RestoredRun(NamedTuple):
    """A run as one of its checkpoints has it.

    Attributes:
      folder: the run's folder.
      config: its flags.
      state: its state, whose networks compute in float32.
      metrics: the evaluation of this step from run.json, or the step's best
        metric alone; None if neither is known.
    """

    folder: RunFolder
    config: Config
    state: TrainState
    metrics: Optional[dict[str, Any]]


def restore_run(workdir: str, *, checkpoint: str,
                flag: str = "--run") -> RestoredRun:
    """Restores a run for reading; nothing in its folder changes.

    Args:
      workdir: the run's folder.
      checkpoint: `latest`, `best` or a step.
      flag: the flag that names the folder, for messages.

    Raises:
      UserError: the folder holds no run, or no such checkpoint.
    """
    hardware.claim_devices()
    folder = RunFolder(workdir)
    folder.require_checkpoint(flag=flag)
    config = folder.config()
    state = TrainState.create(config, precision="float32", pretrained=False,
                              learning=False)
    checkpoints = Checkpoints(state, config=config,
                              directory=folder.checkpoints_dir)
    journal = checkpoints.restore_latest()
    assert journal  # there is a checkpoint
    best = journal.best
    if checkpoint != "latest":
        step = (best.get("step") if checkpoint == "best" else
                int(checkpoint) if checkpoint.isdecimal() else None)
        if step not in checkpoints.steps():
            raise UserError(
                f"--checkpoint={checkpoint}: {flag}={workdir} holds no such "
                f"checkpoint; it must be latest, best or one of the steps "
                f"{', '.join(map(str, checkpoints.steps()))}")
        checkpoints.restore(step)
    facts = folder.read_run_json()
    if facts.get("step") == state.step_number and "evaluation" in facts:
        metrics = facts["evaluation"]
    elif best.get("step") == state.step_number:
        metrics = {"colorized": {best["metric"]: best["value"]}}
    else:
        metrics = None
    return RestoredRun(folder, config, state, metrics)
