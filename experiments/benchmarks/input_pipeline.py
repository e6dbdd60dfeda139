"""Measures how fast photographs become Lab batches, against tutorials' code.

    python -m experiments.benchmarks.input_pipeline --data=folder:PHOTOS

Every candidate delivers batches of 256 px Lab tensors, mirrored at random.
They take turns and are compared by images per second of processor time, which
is images per second per core whatever else the machine does. Prints a table
and writes JSON.
"""

import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_io as tfio
from absl import flags
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import augment, cache, color, command, files, pipeline
from data_pipelines.errors import UserError
from data_pipelines.sources import open_source, sample_photos
from data_pipelines.sources.source import NameList, from_files
from experiments.benchmarks import turns

_DATA = command.define_data("data", "sample_photos",
                            "Photographs: sample_photos or folder:DIR.")
_OUTPUT = command.define_path(
    "output", "", "JSON file to write; empty for none.")
_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Measurements of each candidate.", lower_bound=1)

IMAGE_SIZE = 256
RESIZE_SIZE = augment.default_resize_size(IMAGE_SIZE)
BATCH_SIZE = 16
BATCHES_A_ROUND = 25
# Numbers of listed files to measure memory at.
LISTED = (1000, 1_000_000)
TUTORIAL = "PIL + scikit-image, as tutorials do"


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if _OUTPUT.value:
        files.require_writable(_OUTPUT.value, flag="--output")
    if _DATA.value.partition(":")[0] not in ("folder", "sample_photos"):
        raise UserError(f"--data={_DATA.value} must be folder:DIR or "
                        f"sample_photos: tutorials read image files")
    open_source(_DATA.value, flag="--data")
    with tempfile.TemporaryDirectory() as directory:
        jpeg, raw = (_prepare_shards(_DATA.value, directory, encoding)
                     for encoding in ("jpeg", "raw"))
        rates = turns.measure_in_turns({
            "folder": (_prepare, (_ours, _DATA.value, "none")),
            "shards of JPEGs": (_prepare, (_ours, jpeg, "none")),
            "shards of pixels": (_prepare, (_ours, raw, "none")),
            "cache in memory": (_prepare, (_ours, _DATA.value, "memory")),
            TUTORIAL: (_prepare, (_tutorial, _DATA.value)),
        }, rounds=_ROUNDS.value)
    report = {
        "hardware": f"{os.cpu_count()} cores", "rates": rates,
        "ratios": {name: turns.spread(np.divide(values, rates[TUTORIAL]))
                   for name, values in rates.items()},
        "color": _measure_color(_ROUNDS.value),
        "memory_mib": {
            count: turns.call_in_process(_listing_memory, count)
            for count in LISTED},
    }
    _print(report)
    if _OUTPUT.value:
        turns.write_json(_OUTPUT.value, report)


def _ours(data: str, kind: str) -> Iterator[Any]:
    """Yields batches of this project's pipeline."""
    source = cache.cached(open_source(data, flag="--data"), kind)
    batches = pipeline.training_batches(
        source, part=pipeline.WorkerShard(BATCH_SIZE), color_space=color.LAB,
        image_size=IMAGE_SIZE, resize_size=RESIZE_SIZE, seed=0)
    if kind != "none":  # the first epoch fills the cache
        for _ in batches.take(-(-len(source) // BATCH_SIZE)):
            pass
    return iter(batches)


def _tutorial(data: str) -> Iterator[np.ndarray]:
    """Yields batches as the PyTorch tutorials for colorization make them.

    Pillow opens and resizes to a square, mirrored with probability 1/2;
    scikit-image converts to Lab; the batch is stacked.
    """
    directory = data.partition(":")[2] or sample_photos.DIRECTORY
    paths = [os.path.join(directory, name)
             for name in open_source(data, flag="--data").identities]
    random = np.random.default_rng(0)
    while True:
        batch = []
        for index in random.integers(0, len(paths), BATCH_SIZE):
            with Image.open(paths[index]) as file:
                photo = file.convert("RGB").resize(
                    (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
            if random.random() < 0.5:
                photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            lab = skimage_color.rgb2lab(np.array(photo)).astype(np.float32)
            lab = lab.transpose(2, 0, 1)
            batch.append(np.concatenate([lab[:1] / 50 - 1, lab[1:] / 110]))
        yield np.stack(batch)


def _prepare_shards(data: str, directory: str, encoding: str) -> str:
    """Writes shards of --data at the size of training; returns a data spec."""
    output = os.path.join(directory, encoding)
    subprocess.run(
        [sys.executable, "-m", "data_pipelines.prepare", f"--data={data}",
         f"--output_dir={output}", f"--shorter_side={RESIZE_SIZE}",
         f"--encoding={encoding}"], check=True)
    return f"shards:{output}"


def _prepare(make_batches: Callable[..., Iterator[Any]],
             *arguments: str) -> Callable[[], float]:
    """Returns a function that measures images per second of processor time."""
    batches = make_batches(*arguments)

    def measure() -> float:
        started = _time_when_idle()
        for _ in range(BATCHES_A_ROUND):
            next(batches)
        # The buffer is as full as at the start.
        seconds = _time_when_idle() - started
        return BATCHES_A_ROUND * BATCH_SIZE / seconds

    return measure


def _time_when_idle() -> float:
    """Returns this process's processor seconds once its threads are idle."""
    used = -1.0
    while time.process_time() - used > 0.002:
        used = time.process_time()
        time.sleep(0.1)
    return time.process_time()


def _measure_color(rounds: int) -> dict[str, float]:
    """Measures one 256 px conversion in processor milliseconds, and ratios."""
    rgb = tf.constant(np.random.default_rng(0).integers(
        0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8))
    floats = tf.cast(rgb, tf.float32) / 255.0
    ours = tf.function(color.rgb_to_lab)
    compiled = tf.function(color.rgb_to_lab, jit_compile=True)
    theirs = tf.function(tfio.experimental.color.rgb_to_lab)
    times = [(_milliseconds(lambda: ours(rgb)),
              _milliseconds(lambda: compiled(rgb)),
              _milliseconds(lambda: theirs(floats)))
             for _ in range(rounds + 1)]
    plain, in_pipeline, its = np.median(times[1:], axis=0)
    return {"ours_ms": plain, "ours_in_the_pipeline_ms": in_pipeline,
            "tfio_on_floats_ms": its, "ratio": its / plain,
            "ratio_in_the_pipeline": its / in_pipeline}


def _milliseconds(function: Callable[[], Any], calls: int = 30) -> float:
    started = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - started) / calls * 1000


def _listing_memory(count: int) -> float:
    """Trains from so many listed files; returns the peak memory, MiB.

    All names are different paths to one photograph.
    """
    with tempfile.TemporaryDirectory() as root:
        Image.new("RGB", (288, 288), (90, 120, 30)).save(f"{root}/photo.jpg")
        for number in range(1000):
            os.mkdir(f"{root}/d{number}")
        names = NameList(
            f"d{number % 1000}/../d{number // 1000 % 1000}/../photo.jpg"
            for number in range(count))
        batches = pipeline.training_batches(
            from_files(root, names, origin="--data=listing"),
            part=pipeline.WorkerShard(BATCH_SIZE), color_space=color.LAB,
            image_size=IMAGE_SIZE, resize_size=RESIZE_SIZE, seed=0)
        for _ in batches.take(60):
            pass
    return turns.peak_memory_mib()


def _print(report: dict[str, Any]) -> None:
    print(f"{'256 px Lab batches':38}images/s/core   against tutorials")
    for name, values in report["rates"].items():
        ratio = report["ratios"][name]
        print(f"{name:38}{np.median(values):13.1f}   {ratio['median']:.2f} "
              f"({ratio['min']:.2f} to {ratio['max']:.2f})")
    speed = report["color"]
    print(f"rgb_to_lab {speed['ours_ms']:.2f} ms, compiled in the pipeline "
          f"{speed['ours_in_the_pipeline_ms']:.2f} ms; tensorflow-io on floats "
          f"{speed['tfio_on_floats_ms']:.2f} ms: {speed['ratio']:.2f} and "
          f"{speed['ratio_in_the_pipeline']:.2f} times as long")
    for count, mebibytes in report["memory_mib"].items():
        print(f"peak memory with {count} listed files: {mebibytes:.0f} MiB")


if __name__ == "__main__":
    command.run(main)
