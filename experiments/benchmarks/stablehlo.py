"""The training step as StableHLO, and back: a program for any accelerator.

    python -m experiments.benchmarks.train_step --stablehlo=step.npz
    python -m experiments.benchmarks.run_stablehlo --program=step.npz ...
    python -m experiments.benchmarks.stablehlo --program=trained.npz \\
        --workdir=runs/there

The first writes the step with its initial variables, the second runs it under
JAX, on a machine that may have no TensorFlow, and the last makes a run of what
was trained there, which `python -m pix2pix_color.export` takes.

A program is an .npz file: `stablehlo`, uint8, the serialized module; `facts`,
JSON; and an array `variable/N` for each entry of facts["variables"]. The
module takes condition, target and all variables, and returns facts["losses"],
and the variables that are `updated`, in order.
"""

import dataclasses
import json
import re
import tempfile
import zipfile
from typing import Any, Sequence

import numpy as np
import tensorflow as tf
from absl import flags

from data_pipelines import augment, color, command, pipeline
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from data_pipelines.sources import Source
from pix2pix_color import config_flags
from pix2pix_color.config import Config
from pix2pix_color.fast_keras import convolution
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.schedules import adversarial_objective
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import make_train_step

if __name__ == "__main__":
    _PROGRAM = flags.DEFINE_string("program", "", "What run_stablehlo wrote.")
    _WORKDIR = flags.DEFINE_string("workdir", "", "Folder of the run to make.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    step, path = read(_PROGRAM.value, _WORKDIR.value)
    print(f"step {step} is in {path}")


def write(path: str, config: Config, *, precision: str,
          facts: dict[str, Any]) -> None:
    """Writes the training step of a config with its initial variables.

    Args:
      path: the .npz file to write.
      config: the run's, with its batch size.
      precision: `float32` or `mixed_bfloat16`.
      facts: what else is worth knowing where it runs.
    """
    state = TrainState.create(config, precision=precision)
    size, space = config.data.image_size, _color_space(config)
    inputs = [tf.zeros([config.data.batch_size, size, size, channels])
              for channels in (space.condition_channels,
                               space.target_channels)]
    step: Any = make_train_step(
        state, adversarial_objective(config.training), jit_compile=True)
    with convolution.left_to_keras():
        compiler = step.experimental_get_compiler_ir(*inputs)
    names = {id(variable.handle): name
             for name, variable in _named_variables(state).items()}
    values = {id(variable.handle): variable.numpy()
              for variable in _named_variables(state).values()}
    traced = step.get_concrete_function(*inputs)
    loss_names = [name for name, loss
                  in traced.structured_outputs._asdict().items()
                  if loss is not None]
    handles = [id(handle) for handle in traced.captured_inputs]
    arrays = [values[handle] for handle in handles]
    is_updated = [not names[handle].endswith("learning_rate")
                  for handle in handles]
    _require_outputs(compiler(stage="stablehlo"), [
        array for array, updated in zip(arrays, is_updated) if updated],
        num_losses=len(loss_names))
    facts = {
        **facts, "precision": precision,
        "flags": config_flags.config_to_text(config),
        "inputs": [list(tensor.shape) for tensor in inputs],
        "losses": loss_names,
        "variables": [
            {"name": names[handle], "shape": list(array.shape),
             "dtype": str(array.dtype), "updated": updated}
            for handle, array, updated in zip(handles, arrays, is_updated)]}
    with tempfile.TemporaryFile() as file:
        np.savez(file, stablehlo=np.frombuffer(
            compiler(stage="stablehlo_serialized"), np.uint8),
            facts=json.dumps(facts),
            **{f"variable/{place}": array
               for place, array in enumerate(arrays)})
        file.seek(0)
        write_atomically(path, file.read())


def write_batches(path: str, config: Config, source: Source,
                  num_batches: int) -> None:
    """Writes batches as the training stream has them, from its beginning.

    Args:
      path: the .npy file to write: float32 [num_batches, N, S, S, C + D],
        condition and target together.
      config: the run's.
      source: the photographs.
      num_batches: how many.
    """
    size, space = config.data.image_size, _color_space(config)
    batches = pipeline.training_batches(
        source, part=pipeline.WorkerShard(batch_size=config.data.batch_size),
        color_space=space, image_size=size,
        resize_size=(config.data.resize_size
                     or augment.default_resize_size(size)),
        max_resize_size=config.data.max_resize_size,
        seed=config.training.seed, first_ordinal=0)
    array = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32,
        shape=(num_batches, config.data.batch_size, size, size,
               space.condition_channels + space.target_channels))
    for place, batch in enumerate(batches.take(num_batches)):
        array[place] = np.concatenate([batch.condition, batch.target], axis=-1)
    array.flush()


def read(path: str, workdir: str) -> tuple[int, str]:
    """Makes a run with one checkpoint of what was trained elsewhere.

    Args:
      path: what run_stablehlo wrote.
      workdir: the run's folder; it must not hold another run.

    Returns:
      The step, and the checkpoint's folder.

    Raises:
      UserError: either cannot be used.
    """
    try:
        with np.load(path) as program:
            facts = json.loads(str(program["facts"]))
            arrays = {variable["name"]: program[f"variable/{place}"]
                      for place, variable in enumerate(facts["variables"])}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"--program={path} cannot be read: "
                        f"{command.one_line(error)}") from error
    with tempfile.NamedTemporaryFile("w", suffix=".flags") as file:
        file.write(facts["flags"])
        file.flush()
        config = config_flags.config_from_file(file.name)
    config = dataclasses.replace(config, reporting=dataclasses.replace(
        config.reporting, workdir=workdir))
    folder = RunFolder(workdir)
    folder.claim(config)
    state = TrainState.create(config, precision="float32")
    named = _named_variables(state)
    if set(named) != set(arrays):
        raise UserError(
            f"--program={path} is of another version: it holds "
            f"{len(arrays)} variables where a training has {len(named)}")
    for name, variable in named.items():
        variable.assign(arrays[name])
    state.next_ordinals.assign([state.step_number * config.data.batch_size])
    return state.step_number, Checkpoints(
        state, config=config, directory=folder.checkpoints_dir).save(Journal())


def _named_variables(state: TrainState) -> dict[str, tf.Variable]:
    """Every variable of a state by a name of its own."""
    named: dict[str, tf.Variable] = {"step": state.step}
    for part in ("generator", "discriminator", "generator_optimizer",
                 "discriminator_optimizer", "average"):
        variables = getattr(getattr(state, part), "variables", [])
        for place, variable in enumerate(variables):
            # Keras numbers the optimizers that a process makes.
            name = variable.path.rpartition("/")[2]
            named[f"{part}/{place}/{name}"] = variable.value
    return named


def _require_outputs(module: Any, updated: Sequence[np.ndarray], *,
                     num_losses: int) -> None:
    """Makes sure that the module returns what the facts will say."""
    text = module.decode() if isinstance(module, bytes) else str(module)
    returned = re.search(r"@main\(.*?\) -> \((.*)\) *{$", text, re.M | re.S)
    shapes = re.findall(r"tensor<([^>]*)>", returned.group(1).split("{\n")[0]
                        if returned else "")
    expected = ["f32"] * num_losses + [
        "x".join([*map(str, array.shape),
                  {"float32": "f32", "int64": "i64"}[str(array.dtype)]])
        for array in updated]
    if shapes != expected:
        raise AssertionError(f"the step returns {shapes}, not {expected}")


def _color_space(config: Config) -> color.ColorSpace:
    return color.COLOR_SPACES[config.networks.color_space]


if __name__ == "__main__":
    command.run(main)
