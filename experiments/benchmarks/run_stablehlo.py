"""Runs a training step that was written as StableHLO, under JAX.

    python -m experiments.benchmarks.run_stablehlo --program=step.npz \\
        [--steps=20] [--batches=batches.npy --output=trained.npz]

Prints the compile time, images per second and the share of the device's own
matrix multiplication. With batches (float32 [M, N, S, S, C + D], as
`train_step --stablehlo=step.npz --num_batches=M` writes them) it trains on
them, over and over, and writes the program with the trained variables, which
`experiments.benchmarks.stablehlo` makes a run of. Needs JAX and NumPy alone,
so that a machine with an accelerator can do without TensorFlow.
"""

import argparse
import dataclasses
import json
import math
import os
import time
from typing import Any, Iterator

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

_MATMUL = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--program", required=True, help="the .npz to run")
    parser.add_argument("--batches", default="",
                        help="the .npy to train on; empty is noise")
    parser.add_argument("--steps", type=int, default=20,
                        help="updates to make")
    parser.add_argument("--output", default="",
                        help="the .npz to write, with the variables trained")
    parser.add_argument("--losses", default="",
                        help="the .json to write, with every step's losses")
    parser.add_argument("--matmul", type=int, default=_MATMUL,
                        help="side of the matrices that tell the peak")
    options = parser.parse_args()

    facts, module, variables = read(options.program)
    inputs = _inputs(facts, options.batches)
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, "
          f"batch {facts['inputs'][0][0]}, {facts['precision']}")
    started = time.monotonic()
    step = compiled(facts, module)
    print(f"compiled in {time.monotonic() - started:.1f} s")
    variables, losses, seconds = train(
        facts, step, variables, inputs, num_steps=options.steps)
    rate = facts["inputs"][0][0] / float(np.median(seconds[1:] or seconds))
    print(f"{rate:.2f} images/s, median of {len(seconds)} steps")
    if "gflop_an_image" in facts:
        peak = matmul_gflops(options.matmul)
        share = rate * facts["gflop_an_image"] / peak
        print(f"{rate * facts['gflop_an_image']:.0f} GFLOP/s, {share:.0%} of "
              f"bfloat16 matmul at {peak:.0f} GFLOP/s")
    print("  ".join(f"{name} {value:.4f}" for name, value
                    in zip(facts["losses"], losses[-1])))
    if options.losses:
        with open(options.losses, "w", encoding="utf-8") as file:
            json.dump([[float(value) for value in one] for one in losses],
                      file)
    if options.output:
        _write(options.output, facts, module, variables)
        print(options.output)


def read(path: str) -> tuple[dict[str, Any], bytes, list[np.ndarray]]:
    """Reads a program: its facts, its module, its variables."""
    with np.load(path) as program:
        facts = json.loads(str(program["facts"]))
        return facts, program["stablehlo"].tobytes(), [
            program[f"variable/{place}"]
            for place in range(len(facts["variables"]))]


def compiled(facts: dict[str, Any], module: bytes) -> Any:
    """Compiles a program for JAX's first device; variables are donated."""
    jax.config.update("jax_enable_x64", True)
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32)
              for shape in facts["inputs"]]
    variables = [jax.ShapeDtypeStruct(tuple(one["shape"]), one["dtype"])
                 for one in facts["variables"]]
    outputs = ([jax.ShapeDtypeStruct((), jnp.float32)] * len(facts["losses"])
               + [struct for one, struct in zip(facts["variables"], variables)
                  if one["updated"]])

    # An export of the same signature tells what JAX's version wants to know of
    # a module; then the module is put into it.
    def same_signature(*arguments):
        del arguments
        return [jnp.zeros(struct.shape, struct.dtype) for struct in outputs]

    exported = dataclasses.replace(
        jax.export.export(jax.jit(same_signature, keep_unused=True))(
            *inputs, *variables),
        mlir_module_serialized=module)
    donated = [len(inputs) + place for place, one
               in enumerate(facts["variables"]) if one["updated"]]
    return jax.jit(exported.call, donate_argnums=donated).lower(
        *inputs, *variables).compile()


def train(facts: dict[str, Any], step: Any, variables: list[Any],
          inputs: Iterator[list[Any]], *, num_steps: int
          ) -> tuple[list[Any], list[list[float]], list[float]]:
    """Makes updates.

    Returns:
      The variables, losses [num_steps, len(facts["losses"])], and
      seconds of each step.

    Raises:
      SystemExit: a loss was not finite.
    """
    variables = [jax.device_put(variable) for variable in variables]
    places = [place for place, one in enumerate(facts["variables"])
              if one["updated"]]
    num_losses = len(facts["losses"])
    losses, seconds = [], []
    for number in range(num_steps):
        batch = next(inputs)
        started = time.monotonic()
        outputs = step(*batch, *variables)
        for place, value in zip(places, outputs[num_losses:]):
            variables[place] = value
        losses.append([float(value) for value in outputs[:num_losses]])
        seconds.append(time.monotonic() - started)
        if not all(map(math.isfinite, losses[-1])):
            raise SystemExit(f"error: update {number + 1} was not finite: "
                             f"{losses[-1]}")
    return variables, losses, seconds


def _inputs(facts: dict[str, Any], path: str) -> Iterator[list[Any]]:
    """Condition and target of one update after the other, without end."""
    channels = facts["inputs"][0][-1]
    if path:
        batches = np.load(path, mmap_mode="r")
    else:
        shape = facts["inputs"][0][:3] + [channels + facts["inputs"][1][-1]]
        batches = np.random.default_rng(0).uniform(
            -1, 1, [1, *shape]).astype(np.float32)
    while True:
        for batch in batches:
            yield [jax.device_put(np.ascontiguousarray(part)) for part in (
                batch[..., :channels], batch[..., channels:])]


def matmul_gflops(side: int) -> float:
    """GFLOP/s of a bfloat16 matrix multiplication, the best of five."""
    matrix = jnp.ones([side, side], jnp.bfloat16)
    multiply = jax.jit(lambda matrix: matrix @ matrix)
    multiply(matrix).block_until_ready()
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        multiply(matrix).block_until_ready()
        seconds.append(time.monotonic() - started)
    return 2 * side**3 / min(seconds) / 1e9


def _write(path: str, facts: dict[str, Any], module: bytes,
           variables: list[Any]) -> None:
    partial = f"{path}.partial"
    with open(partial, "wb") as file:
        arrays: dict[str, Any] = {
            f"variable/{place}": np.asarray(variable)
            for place, variable in enumerate(variables)}
        np.savez(file, stablehlo=np.frombuffer(module, np.uint8),
                 facts=json.dumps(facts), **arrays)
    os.replace(partial, path)


if __name__ == "__main__":
    main()
