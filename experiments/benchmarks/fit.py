"""Measures how much of the bare training step's speed `fit` keeps.

    python -m experiments.benchmarks.fit --data=folder:DIR --output=F.json

Compares updates on one repeated batch with updates as `fit` makes them, which
include reading, cropping and converting photographs, keeping the journal, and
a checkpoint every --checkpoint_every updates. Both take turns in one run, each
in a process of its own. Then measures the time from the start of the command
to its first update.
"""

import dataclasses
import subprocess
import sys
import tempfile
import time
from typing import Callable, Sequence

import numpy as np
from absl import flags

from data_pipelines import command, files
from data_pipelines.errors import UserError
from experiments.benchmarks import steps, turns
from pix2pix_color import hardware
from pix2pix_color.config import Reporting
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training import run
from pix2pix_color.training.distribution import Workers
from pix2pix_color.training.interruption import Interruption

_DATA = command.define_data("data", "sample_photos", "Photographs.")
_SHAPE = flags.DEFINE_string(
    "shape", "256x64x4", "IMAGE_SIZExBASE_FILTERSxBATCH_SIZE.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Measurements of each.",
                               lower_bound=1)
_OUTPUT = command.define_path(
    "output", "", "JSON file to write; empty for none.")

# A measurement takes about this long.
_SECONDS = 8.0


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if _OUTPUT.value:
        files.require_writable(_OUTPUT.value, flag="--output")
    shape = steps.parse_shape(_SHAPE.value, flag="--shape")
    with tempfile.TemporaryDirectory() as folder:
        results = turns.measure_in_turns(
            {"step": (prepare_step, shape),
             "fit": (prepare_fit, (*shape, _DATA.value, folder))},
            rounds=_ROUNDS.value)
    if not results["fit"]:
        raise UserError(f"--data={_DATA.value} cannot be trained on")
    rates = {name: np.array([one["images_per_second"] for one in measured])
             for name, measured in results.items()}
    share = turns.spread(rates["fit"] / rates["step"])
    seconds = first_update_seconds(*shape, data=_DATA.value)
    for name, rate in rates.items():
        print(f"{name:5}{np.median(rate):7.2f} images/s "
              f"({rate.min():.2f} to {rate.max():.2f})")
    print(f"fit has {share['median']:.1%} of the step's speed "
          f"({share['min']:.1%} to {share['max']:.1%}), a checkpoint of "
          f"{results['fit'][-1]['checkpoint_seconds']:.1f} s every "
          f"{Reporting().checkpoint_every} updates included")
    print(f"{seconds:.1f} s from the command to its first update")
    if _OUTPUT.value:
        turns.write_json(_OUTPUT.value, {
            "hardware": hardware.describe_device(),
            "date": time.strftime("%Y-%m-%d"), "shape": _SHAPE.value,
            "data": _DATA.value, "share_of_step": share,
            "first_update_seconds": seconds, "rounds": results})


def prepare_step(image_size: int, filters: int,
                 batch_size: int) -> Callable[[], dict[str, float]]:
    """Returns a function that measures the bare step."""
    precision = hardware.resolve_precision("auto")
    return turns.repeat_update(
        steps.make_repeated_step(image_size, filters, batch_size, precision),
        batch_size=batch_size, seconds=_SECONDS)


def prepare_fit(image_size: int, filters: int, batch_size: int, data: str,
                folder: str) -> Callable[[], dict[str, float]]:
    """Returns a function that measures updates as fit makes them.

    Args:
      image_size: side of the square, pixels.
      filters: --base_filters.
      batch_size: pictures an update.
      data: the photographs, a data spec.
      folder: --workdir.
    """
    config = dataclasses.replace(
        steps.config_of(image_size, filters, batch_size, data=data),
        reporting=Reporting(workdir=folder))
    training, source, _ = run.prepare(config, RunFolder(folder),
                                      Workers(config), Interruption())
    update = training.make_update(source)
    update()
    started = time.monotonic()
    training.save()
    checkpoint_seconds = time.monotonic() - started
    measure = turns.repeat_update(update, batch_size=batch_size,
                                  seconds=_SECONDS)

    def measure_with_checkpoints() -> dict[str, float]:
        seconds = (batch_size / measure()["images_per_second"]
                   + checkpoint_seconds / Reporting().checkpoint_every)
        return {"images_per_second": batch_size / seconds,
                "checkpoint_seconds": checkpoint_seconds}

    return measure_with_checkpoints


def first_update_seconds(image_size: int, filters: int, batch_size: int, *,
                         data: str) -> float:
    """Returns the median of three times from `fit`'s start to its first update,
    seconds."""
    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            with subprocess.Popen(
                    [sys.executable, "-m", "pix2pix_color.fit",
                     f"--data={data}", f"--image_size={image_size}",
                     f"--base_filters={filters}",
                     f"--batch_size={batch_size}", "--log_every=1",
                     *(f"--{name}={value}"
                       for name, value in steps.PIX2PIX.items()),
                     f"--workdir={folder}/run"],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if line.startswith("step 1/"):
                        seconds = time.monotonic() - started
                        process.kill()
                        return seconds
        raise UserError(f"--data={data} cannot be trained on")

    return float(np.median([once() for _ in range(3)]))


if __name__ == "__main__":
    command.run(main)
