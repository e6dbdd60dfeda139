"""The measurements of experiments.benchmarks.colorize, one process each.

All but measure_command and export_model load a SavedModel with TensorFlow
alone.
"""

import concurrent.futures
import io
import os
import tempfile
import time
from typing import Any, Callable

import numpy as np
import tensorflow as tf
from PIL import Image

from data_pipelines import color
from data_pipelines.sources import sample_photos
from experiments.benchmarks import turns

THREADS = 8
LARGE = (4000, 3000)
MEGAPIXEL = (1155, 866)
SMALL = (640, 480)
MIXED = ((64, 48), (320, 240), (200, 500), (640, 480), (1, 1), (900, 100))
MALFORMED_EVERY = 10


def _load(directory: str) -> Callable[[bytes], bytes]:
    """Returns a function from image bytes to colored image bytes."""
    signature = tf.saved_model.load(directory).signatures["serving_default"]

    def colorize(image_bytes: bytes) -> bytes:
        answer = signature(image_bytes=tf.constant([image_bytes]))
        return answer["colorized_bytes"].numpy()[0]

    return colorize


def _photos(size: tuple[int, int], count: int) -> list[bytes]:
    """Returns embedded photographs, resized, as JPEG."""
    photos: list[bytes] = []
    for name in sorted(os.listdir(sample_photos.DIRECTORY)):
        if name.endswith(".jpg") and len(photos) < count:
            with Image.open(os.path.join(
                    sample_photos.DIRECTORY, name)) as image:
                buffer = io.BytesIO()
                image.convert("RGB").resize(
                    size, Image.Resampling.BICUBIC).save(
                        buffer, "JPEG", quality=92)
                photos.append(buffer.getvalue())
    return photos


def _mib() -> float:
    """Returns the memory of this process now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def export_model(model: str, directory: str) -> str:
    """Finds or writes the SavedModel of a model; returns its path.

    Args:
      model: `colorizer`; `unet64` for pix2pix's U-Net of 256 px with 64 filters
        and random weights; a SavedModel, or the folder of a run.
      directory: folder to write to, unless model is a SavedModel already.
    """
    from pix2pix_color.networks import unet
    from pix2pix_color.saved_model.load import find_saved_model
    from pix2pix_color.saved_model.write import write_saved_model
    from pix2pix_color.training.exporting import export_run

    if model == "colorizer":
        return export_run(model, output_dir=directory)[1]
    if model == "unet64":
        return write_saved_model(unet.build_unet(
            image_size=256, condition_channels=1, target_channels=2),
            directory)
    return find_saved_model(model)


def measure_command(model: str, size: tuple[int, int]) -> dict[str, Any]:
    """Colors one photograph as the command does, after TensorFlow's import.

    The time includes building or loading the model.
    """
    started = time.monotonic()
    from pix2pix_color.colorizing import jobs, one_file
    from pix2pix_color.saved_model import load

    imported = time.monotonic() - started
    photo, = _photos(size, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "photo.jpg")
        with open(path, "wb") as file:
            file.write(photo)
        before, started = turns.peak_memory_mib(), time.monotonic()
        one_file.colorize_file(
            load.LoadedModel(model),
            jobs.Job(path, (os.path.join(folder, "photo.png"),)),
            jobs.Options())
        return {"seconds": imported + time.monotonic() - started,
                "peak_mib": turns.peak_memory_mib(), "peak_mib_before": before}


def measure_large(directory: str, rounds: int = 5) -> dict[str, Any]:
    """Colors a photograph of 12 megapixels; seconds are the rounds' median."""
    photo, = _photos(LARGE, 1)
    colorize = _load(directory)
    seconds = []
    for _ in range(rounds + 1):
        started = time.monotonic()
        colorize(photo)
        seconds.append(time.monotonic() - started)
    return {"first_seconds": seconds[0],
            "seconds": float(np.median(seconds[1:])), "rounds": seconds[1:],
            "peak_mib": turns.peak_memory_mib()}


def measure_many(directory: str, count: int) -> dict[str, Any]:
    """Colors photographs one after the other.

    Measures their rate, peak memory, and how far the lightness has changed.
    """
    photos = _photos(SMALL, 64)
    colorize = _load(directory)
    colorize(photos[0])
    errors, early, spent = [], 0.0, 0.0
    for number in range(count):
        photo = photos[number % len(photos)]
        started = time.monotonic()
        answer = colorize(photo)
        spent += time.monotonic() - started
        if number < len(photos):
            before, after = (
                color.rgb_to_lab(tf.io.decode_image(encoded))[..., 0]
                for encoded in (photo, answer))
            errors.append(float(tf.reduce_mean(tf.abs(before - after))))
        if number == max(count // 10, len(photos)):
            early = turns.peak_memory_mib()
    return {"photos_per_second": count / spent,
            "peak_mib": turns.peak_memory_mib(),
            "peak_mib_after_a_tenth": early,
            "lightness_error": float(np.max(errors))}


def measure_load(directory: str, requests: int) -> dict[str, Any]:
    """Sends requests from threads; checks each answer to the byte."""
    colorize = _load(directory)
    good = [photo for size in MIXED for photo in _photos(size, 1)]
    expected = [colorize(photo) for photo in good]
    bad = good[3][:len(good[3]) // 2]

    def ask(thread: int, numbers: range) -> list[tuple[float, str]]:
        answers = []
        for number in numbers:
            is_bad = (number + thread) % MALFORMED_EVERY == 0
            which = (number * 7 + thread) % len(good)
            started = time.monotonic()
            try:
                answer = colorize(bad if is_bad else good[which])
                right = not is_bad and answer == expected[which]
                outcome = "right" if right else "wrong"
            except tf.errors.InvalidArgumentError as error:
                named = "image_bytes[0]: " in str(error)
                outcome = "refused" if is_bad and named else "wrong"
            answers.append((time.monotonic() - started, outcome))
        return answers

    memory, answers = [], []
    started = time.monotonic()
    half = requests // 2
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for numbers in (range(half), range(half, requests)):
            for part in pool.map(ask, range(THREADS), [numbers] * THREADS):
                answers += part
            memory.append(_mib())
    seconds = time.monotonic() - started
    outcomes = [outcome for _, outcome in answers]
    p50, p99 = np.percentile([took * 1000 for took, _ in answers], [50, 99])
    return {"requests": len(answers), "wrong": outcomes.count("wrong"),
            "refused": outcomes.count("refused"),
            "requests_per_second": len(answers) / seconds,
            "p50_ms": float(p50), "p99_ms": float(p99),
            "mib_after_half": memory[0], "mib": memory[1]}
