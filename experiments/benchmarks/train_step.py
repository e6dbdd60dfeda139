"""How fast one training step is, against the machine and against PyTorch.

    python -m experiments.benchmarks.train_step --against=torch --output=F.json

Measures a full alternating update of both networks on a batch of noise, in
each of --precisions; prints images per second, the share of the machine's own
matrix multiplication in its faster type, and memory; draws a bar chart beside
the JSON. All ways take turns in one run, each in a process to itself.
"""

import json
import os
import platform
import re
import time
from typing import Any, Callable, Sequence

import numpy as np
import tensorflow as tf
from absl import flags
from matplotlib import figure

from data_pipelines import command, split
from data_pipelines.errors import UserError
from experiments.benchmarks import stablehlo, steps, turns
from pix2pix_color import hardware

_SHAPES = flags.DEFINE_list(
    "shapes", ["256x64x1", "256x64x4", "256x64x16", "128x32x32"],
    "What to measure, each IMAGE_SIZExBASE_FILTERSxBATCH_SIZE.")
_GENERATOR = flags.DEFINE_enum(
    "generator", "unet", ["unet", "efficientnet_unet"], "unet is pix2pix, both "
    "networks in turn; efficientnet_unet is the trained colorizer's network by "
    "L1 alone, its encoder frozen.")
_AGAINST = flags.DEFINE_multi_enum(
    "against", [], ["torch", "eigen"], "What else to measure: the same in "
    "PyTorch; float32 by TensorFlow's kernels of its own, without oneDNN's.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds of every way.",
                               lower_bound=1)
_OUTPUT = flags.DEFINE_string(
    "output", "", "JSON file to write, if any, with a PNG beside it.")
_STABLEHLO = flags.DEFINE_string(
    "stablehlo", "", "Measure nothing; write the step of the one shape in "
    "--shapes to this .npz file, for experiments.benchmarks.run_stablehlo.")
_PRECISIONS = flags.DEFINE_multi_enum(
    "precisions", None, ["float32", "mixed_bfloat16", "mixed_float16"],
    "Arithmetic to measure; by default float32 and, where the machine has it, "
    "bfloat16, which takes 30 times as long elsewhere. float16 is for GPUs, a "
    "CPU takes a minute a step.")
_PRECISION = flags.DEFINE_enum(
    "precision", "mixed_bfloat16", ["float32", "mixed_bfloat16"],
    "Arithmetic of what --stablehlo writes.")
_DATA = flags.DEFINE_string(
    "data", "sample_photos", "Photographs for --num_batches.")
_NUM_BATCHES = flags.DEFINE_integer(
    "num_batches", 0, "How many batches of --data to write beside "
    "--stablehlo, as .batches.npy.", lower_bound=0)

EIGEN = "float32 without oneDNN"
TUTORIAL = "PyTorch as tutorials run it"
BEST = ("PyTorch at its best", "PyTorch at its best, compiled")
# A measurement takes about this long, and one step at least.
_SECONDS = 2.0
_MATMUL = 4096


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if _STABLEHLO.value:
        _write_stablehlo()
        return
    report: dict[str, Any] = {
        "hardware": hardware.describe_device(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {"TensorFlow": tf.__version__,
                     "Python": platform.python_version()},
        "matmul_gflops": {}, "steps": []}
    ways: dict[str, turns.Way] = {
        f"matmul {name}": (prepare_matmul, (name,))
        for name in ("float32", "bfloat16")}
    print(report["hardware"])
    peaks = turns.take_turns(ways, rounds=_ROUNDS.value)
    for name, values in peaks.items():
        report["matmul_gflops"][name.split()[1]] = float(np.median(values))
        print(f"{name}: {np.median(values):.0f} GFLOP/s")
    for shape in map(steps.parse_shape, _SHAPES.value):
        report["steps"] += _measure(shape, report["matmul_gflops"])
    if _OUTPUT.value:
        with open(_OUTPUT.value, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
        draw(report).savefig(os.path.splitext(_OUTPUT.value)[0] + ".png")


def _write_stablehlo() -> None:
    if len(_SHAPES.value) != 1 or not _STABLEHLO.value.endswith(".npz"):
        raise UserError(f"--stablehlo={_STABLEHLO.value} must be an .npz "
                        f"file, with one shape in --shapes")
    size, filters, batch_size = steps.parse_shape(_SHAPES.value[0])
    config = steps.config_of(size, filters, batch_size, _PRECISION.value,
                             data=_DATA.value)
    stablehlo.write(
        _STABLEHLO.value, config, precision=_PRECISION.value,
        facts={"gflop_an_image": steps.gflop_an_image(config)})
    print(_STABLEHLO.value)
    if _NUM_BATCHES.value:
        source, _ = split.open_train_and_eval(
            data=_DATA.value, eval_data="", eval_fraction=0.1,
            train_examples=0, eval_examples=0, tfds_data_dir="")
        path = _STABLEHLO.value.removesuffix(".npz") + ".batches.npy"
        stablehlo.write_batches(path, config, source, _NUM_BATCHES.value)
        print(path)


def _measure(shape: tuple[int, int, int],
             peaks: dict[str, float]) -> list[dict[str, Any]]:
    """Measures every way of one shape, and prints its part of the table."""
    image_size, filters, batch_size = shape
    generator = _GENERATOR.value
    ways: dict[str, turns.Way] = {
        precision: (prepare_step, (*shape, precision, generator))
        for precision in _precisions()}
    if "eigen" in _AGAINST.value:
        ways[EIGEN] = (prepare_step, (*shape, "float32", generator))
    if "torch" in _AGAINST.value:
        ways |= {TUTORIAL: (prepare_torch, (*shape, generator, False, False)),
                 BEST[0]: (prepare_torch, (*shape, generator, True, False)),
                 BEST[1]: (prepare_torch, (*shape, generator, True, True))}
    results = turns.take_turns(
        ways, rounds=_ROUNDS.value,
        environments={EIGEN: {"TF_ENABLE_ONEDNN_OPTS": "0"}})
    gflop = steps.gflop_an_image(
        steps.config_of(*shape, generator=generator))
    print(f"\n{generator}, {image_size} px, {filters} filters, "
          f"batch {batch_size}: "
          f"{gflop:.1f} GFLOP an image\n"
          f"{'':32}images/s  (min to max)     of matmul  first step  memory")
    rows = []
    for name, measured in results.items():
        if not measured:
            continue
        rate = turns.spread([one["images_per_second"] for one in measured])
        share = rate["median"] * gflop / max(peaks.values())
        rows.append({
            "image_size": image_size, "base_filters": filters,
            "batch_size": batch_size, "way": name, "gflop_an_image": gflop,
            "images_per_second": rate, "share_of_matmul": share,
            "first_step_seconds": measured[-1]["first_step_seconds"],
            "peak_memory_mib": measured[-1]["peak_memory_mib"]})
        print(f"{name:32}{rate['median']:7.2f}  ({rate['min']:.2f} to "
              f"{rate['max']:.2f}){share:12.0%}"
              f"{rows[-1]['first_step_seconds']:10.1f} s"
              f"{rows[-1]['peak_memory_mib']:8.0f} MiB")
    _print_ratios(results)
    return rows


def _print_ratios(results: dict[str, list[dict[str, Any]]]) -> None:
    def rates(name):
        return np.array([one["images_per_second"] for one in results[name]])

    ours = max(_precisions(), key=lambda name: np.median(rates(name)))
    others = [name for name in (EIGEN, TUTORIAL, *BEST) if results.get(name)]
    for name in others:
        ratio = turns.spread(rates(ours) / rates(name))
        print(f"{ours} against {name}: {ratio['median']:.2f} "
              f"({ratio['min']:.2f} to {ratio['max']:.2f})")


def _precisions() -> list[str]:
    """The arithmetic to measure: what was asked for, or what is fast here."""
    return _PRECISIONS.value or list(dict.fromkeys(
        ("float32", hardware.resolve_precision("auto"))))


def prepare_step(image_size: int, filters: int, batch_size: int,
                 precision: str,
                 generator: str) -> Callable[[], dict[str, float]]:
    """Returns what measures this project's step."""
    return measure_repeatedly(
        steps.make_repeated_step(image_size, filters, batch_size, precision,
                                 generator),
        batch_size=batch_size)


def prepare_torch(image_size: int, filters: int, batch_size: int,
                  generator: str, best: bool,
                  compiled: bool) -> Callable[[], dict[str, float]]:
    """Returns what measures PyTorch's step, in what is fastest here."""
    if generator == "unet":
        from experiments.benchmarks.torch_pix2pix import make_step
    else:
        from experiments.benchmarks.torch_efficientnet_unet import make_step
    return measure_repeatedly(make_step(
        image_size=image_size, filters=filters, batch_size=batch_size,
        best=best, compiled=compiled,
        bfloat16=hardware.resolve_precision("auto") == "mixed_bfloat16"),
        batch_size=batch_size)


def measure_repeatedly(step: Callable[[], Any], *,
                       batch_size: int) -> Callable[[], dict[str, float]]:
    """Returns what makes a few steps and tells their rate."""
    started = time.monotonic()
    step()
    first_step_seconds = time.monotonic() - started
    started = time.monotonic()
    step()
    num_steps = max(1, round(_SECONDS / (time.monotonic() - started)))

    def measure() -> dict[str, float]:
        step()  # threads and caches that others have used meanwhile
        started = time.monotonic()
        for _ in range(num_steps):
            step()
        seconds = (time.monotonic() - started) / num_steps
        return {"images_per_second": batch_size / seconds,
                "first_step_seconds": first_step_seconds,
                "peak_memory_mib": _peak_memory_mib()}

    return measure


def _peak_memory_mib() -> float:
    """This process's own; getrusage's is never below its parent's."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        found = re.search(r"^VmHWM:\s*(\d+) kB", lines.read(), re.M)
    return int(found.group(1)) / 1024 if found else float("nan")


def prepare_matmul(dtype: str) -> Callable[[], float]:
    """Returns what measures GFLOP/s of a large matrix multiplication."""
    matrix = tf.cast(tf.random.stateless_uniform([_MATMUL] * 2, [0, 0]), dtype)
    multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    multiply().numpy()

    def measure() -> float:
        seconds = []
        for _ in range(3):
            started = time.monotonic()
            multiply().numpy()
            seconds.append(time.monotonic() - started)
        return 2 * _MATMUL**3 / min(seconds) / 1e9

    return measure


def draw(report: dict[str, Any]) -> figure.Figure:
    """A bar a way, grouped by shape, over the tutorials' rate or float32's."""
    shapes = list(dict.fromkeys(
        (row["image_size"], row["base_filters"], row["batch_size"])
        for row in report["steps"]))
    names = list(dict.fromkeys(row["way"] for row in report["steps"]))
    drawing = figure.Figure(figsize=(9, 4), layout="constrained")
    axes = drawing.subplots()
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        rows = [row for row in report["steps"] if row["way"] == name]
        at = [shapes.index((row["image_size"], row["base_filters"],
                            row["batch_size"])) for row in rows]
        base = [next(other["images_per_second"]["median"]
                     for other in report["steps"]
                     if other["way"] == (TUTORIAL if TUTORIAL in names
                                         else "float32")
                     and shapes.index((other["image_size"],
                                       other["base_filters"],
                                       other["batch_size"])) == where)
                for where in at]
        heights = [row["images_per_second"]["median"] / unit
                   for row, unit in zip(rows, base)]
        bars = axes.bar(np.array(at) + (place - len(names) / 2 + 0.5) * width,
                        heights, width, label=name)
        axes.bar_label(bars, [f"{row['images_per_second']['median']:.1f}"
                              for row in rows], fontsize=7)
    axes.axhline(1.0, color="black", linewidth=0.5)
    axes.set_xticks(range(len(shapes)), [
        f"{size} px, {filters} filters, batch {batch}"
        for size, filters, batch in shapes])
    axes.set_ylabel("images/s, relative")
    axes.set_title(f"One training step (labels: images/s), "
                   f"{report['hardware']}, {report['date']}", fontsize=9)
    drawing.legend(loc="outside lower center", ncols=len(names), fontsize=8)
    return drawing


if __name__ == "__main__":
    command.run(main)
