"""Small collections for tests of prepare, and its output read back."""

import csv

import numpy as np
import tensorflow as tf
from PIL import Image

from data_pipelines.preparation import beam_options, write_shards
from data_pipelines.preparation.settings import Settings
from data_pipelines.sources import open_source

SETTINGS = {"shorter_side": 64, "min_size": 40, "min_chroma": 4.0,
            "near_duplicate_distance": 4, "encoding": "jpeg",
            "jpeg_quality": 95}


def prepare(data, output_dir, *, beam=("direct_num_workers=1",),
            tfds_data_dir="", shard_bytes=2**28, **changes):
    """Prepares in this process; returns the summary."""
    return write_shards.prepare(
        data=data, output_dir=str(output_dir), tfds_data_dir=tfds_data_dir,
        settings=Settings(**{**SETTINGS, **changes}), shard_bytes=shard_bytes,
        options=beam_options.parse_beam_options(beam))


def scene(seed, size=(120, 90)):
    """A colorful picture of its own: blobs of random colors."""
    values = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)


def save_scenes(directory, count, size=(120, 90), extension="png"):
    directory.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        scene(seed, size).save(directory / f"{seed:03d}.{extension}")


def assert_is_scene(rgb, seed, size=(120, 90)):
    """Compares with a scene that was shrunk and compressed."""
    height, width = rgb.shape[:2]
    expected = scene(seed, size).resize(
        (width, height), Image.Resampling.LANCZOS)
    assert np.abs(rgb.astype(int) - np.asarray(expected)).mean() < 2


def read_report(output_dir):
    """path -> (reason, detail)"""
    with open(output_dir / "report.csv", encoding="utf-8",
              errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", "reason", "detail"]
    return {path: (reason, detail) for path, reason, detail in rows[1:]}


def read_back(output_dir):
    """identity -> uint8 [H, W, 3], through the source."""
    source = open_source(f"shards:{output_dir}", flag="--data")
    pictures = tf.data.Dataset.range(len(source)).map(source.load)
    return dict(zip(source.identities, (rgb.numpy() for rgb in pictures)))
