"""Measures one training step against the machine and against PyTorch.

    python -m experiments.benchmarks.train_step --against=torch --output=F.json

A step is a full alternating update of both networks on a batch of noise, in
each of --precisions. Prints images per second, the share of the machine's
fastest matrix multiplication, and memory; draws a bar chart beside the JSON.
All candidates take turns in one run, each in a process of its own.
"""

import os
import platform
import time
from typing import Any, Callable, Sequence

import numpy as np
import tensorflow as tf
from absl import flags
from matplotlib import figure

from data_pipelines import command, files
from experiments.benchmarks import steps, turns
from pix2pix_color import hardware

_SHAPES = flags.DEFINE_list(
    "shapes", ["256x64x1", "256x64x4", "256x64x16", "128x32x32"],
    "Shapes to measure, each IMAGE_SIZExBASE_FILTERSxBATCH_SIZE.")
_GENERATOR = flags.DEFINE_enum(
    "generator", "unet", ["unet", "efficientnet_unet"], "unet is pix2pix, "
    "generator and discriminator in turn; efficientnet_unet is the trained "
    "colorizer's network with its encoder frozen, trained with L1 alone.")
_AGAINST = flags.DEFINE_multi_enum(
    "against", [], ["torch", "eigen"], "Further candidates: torch is the same "
    "step in PyTorch; eigen is float32 without oneDNN's kernels.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Measurements of each candidate.",
                               lower_bound=1)
_OUTPUT = command.define_path(
    "output", "", "JSON file to write, with a PNG beside it; empty for none.")
_PRECISIONS = flags.DEFINE_multi_enum(
    "precisions", None, ["float32", "mixed_bfloat16", "mixed_float16"],
    "Arithmetic to measure. Default: float32, and bfloat16 if the hardware has "
    "it; without hardware support bfloat16 is 30 times slower. float16 is for "
    "GPUs; a CPU takes a minute a step.")

EIGEN = "float32 without oneDNN"
TUTORIAL = "PyTorch as tutorials run it"
BEST = ("PyTorch at its best", "PyTorch at its best, compiled")
# A measurement takes about this long, and at least one step.
_SECONDS = 2.0
_MATMUL = 4096


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if _OUTPUT.value:
        files.require_writable(_OUTPUT.value, flag="--output")
    report: dict[str, Any] = {
        "hardware": hardware.describe_device(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {"TensorFlow": tf.__version__,
                     "Python": platform.python_version()},
        "matmul_gflops": {}, "steps": []}
    ways: dict[str, turns.Candidate] = {
        f"matmul {name}": (prepare_matmul, (name,))
        for name in ("float32", "bfloat16")}
    print(report["hardware"])
    peaks = turns.measure_in_turns(ways, rounds=_ROUNDS.value)
    for name, values in peaks.items():
        report["matmul_gflops"][name.split()[1]] = float(np.median(values))
        print(f"{name}: {np.median(values):.0f} GFLOP/s")
    for text in _SHAPES.value:
        shape = steps.parse_shape(text, flag="--shapes")
        report["steps"] += _measure(shape, report["matmul_gflops"])
    if _OUTPUT.value:
        turns.write_json(_OUTPUT.value, report)
        draw_bars(report).savefig(os.path.splitext(_OUTPUT.value)[0] + ".png")


def _measure(shape: tuple[int, int, int],
             peaks: dict[str, float]) -> list[dict[str, Any]]:
    """Measures all candidates of one shape and prints their table."""
    image_size, filters, batch_size = shape
    generator = _GENERATOR.value
    ways: dict[str, turns.Candidate] = {
        precision: (prepare_step, (*shape, precision, generator))
        for precision in _precisions()}
    if "eigen" in _AGAINST.value:
        ways[EIGEN] = (prepare_step, (*shape, "float32", generator))
    if "torch" in _AGAINST.value:
        ways |= {TUTORIAL: (prepare_torch, (*shape, generator, False, False)),
                 BEST[0]: (prepare_torch, (*shape, generator, True, False)),
                 BEST[1]: (prepare_torch, (*shape, generator, True, True))}
    results = turns.measure_in_turns(
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
    """Returns --precisions, or those that are fast on this machine."""
    return _PRECISIONS.value or list(dict.fromkeys(
        ("float32", hardware.resolve_precision("auto"))))


def prepare_step(image_size: int, filters: int, batch_size: int,
                 precision: str,
                 generator: str) -> Callable[[], dict[str, float]]:
    """Returns a function that measures this project's step."""
    return turns.repeat_update(
        steps.make_repeated_step(image_size, filters, batch_size, precision,
                                 generator),
        batch_size=batch_size, seconds=_SECONDS)


def prepare_torch(image_size: int, filters: int, batch_size: int,
                  generator: str, best: bool,
                  compiled: bool) -> Callable[[], dict[str, float]]:
    """Returns a function that measures PyTorch's step."""
    if generator == "unet":
        from experiments.benchmarks.torch_pix2pix import make_torch_step
    else:
        from experiments.benchmarks.torch_efficientnet_unet import \
            make_torch_step
    return turns.repeat_update(make_torch_step(
        image_size=image_size, filters=filters, batch_size=batch_size,
        best=best, compiled=compiled,
        bfloat16=hardware.resolve_precision("auto") == "mixed_bfloat16"),
        batch_size=batch_size, seconds=_SECONDS)


def prepare_matmul(dtype: str) -> Callable[[], float]:
    """Returns a function that measures a large matrix multiplication, GFLOP/s.
    """
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


def draw_bars(report: dict[str, Any]) -> figure.Figure:
    """Draws a bar for each candidate, grouped by shape.

    Heights are relative to the tutorials' rate, or to float32's without it.
    """
    rates = {((row["image_size"], row["base_filters"], row["batch_size"]),
              row["way"]): row["images_per_second"]["median"]
             for row in report["steps"]}
    shapes, names = (list(dict.fromkeys(part)) for part in zip(*rates))
    base = TUTORIAL if TUTORIAL in names else "float32"
    drawing = figure.Figure(figsize=(9, 4), layout="constrained")
    axes = drawing.subplots()
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        at = [where for where, shape in enumerate(shapes)
              if (shape, name) in rates]
        bars = axes.bar(
            np.array(at) + (place - len(names) / 2 + 0.5) * width,
            [rates[shapes[where], name] / rates[shapes[where], base]
             for where in at], width, label=name)
        axes.bar_label(bars, [f"{rates[shapes[where], name]:.1f}"
                              for where in at], fontsize=7)
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
