"""Photographs -> the layouts that the reference systems are trained on.

reference_data.py is the command; it tells what the layouts are.
"""

import os
import shutil
from typing import Callable, Iterator

import numpy as np
import tensorflow as tf
import tqdm

from data_pipelines import augment, color
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source, kaggle_npy, open_source

_KAGGLE_SIZE = 224
_JPEG_QUALITY = 95
# Rows that are copied at a time.
_COPIED_ROWS = 256


def write(*, kind: str, data: str, output: str, examples: int = 0,
          tfds_data_dir: str = "") -> int:
    """Writes photographs in one of the layouts; returns how many.

    Args:
      kind: a key of WRITERS.
      data: the photographs, a data spec.
      output: the folder to write; there is none yet.
      examples: how many at most; 0 for all.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets.

    Raises:
      UserError: the photographs cannot be used.
    """
    source = open_source(data, flag="--data", tfds_data_dir=tfds_data_dir)
    if 0 < examples < len(source):
        source = source.select(
            np.linspace(0, len(source) - 1, examples).round().astype(int))
    partial = f"{output.rstrip(os.sep)}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        count = WRITERS[kind](_readable(source, kind), len(source), partial)
        os.rename(partial, output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def _readable(source: Source, kind: str) -> Iterator[tf.Tensor]:
    """Yields each photograph that can be read, uint8 [H, W, 3 or 4]."""
    rejected = RejectedExamples()
    for index in tqdm.trange(len(source), desc=kind, unit="photo",
                             disable=None):
        try:
            photo = source.load(tf.constant(index, tf.int64))
        except tf.errors.OpError:
            rejected.add(source, index)
        else:
            yield photo
    if len(rejected) == len(source):
        raise UserError(f"{source.origin}: not one photograph can be read")


def _write_paired(photos: Iterator[tf.Tensor], total: int, folder: str) -> int:
    for name in ("gray", "color"):
        os.makedirs(os.path.join(folder, name))
    digits, count = len(str(total - 1)), 0
    for count, photo in enumerate(photos, 1):
        name = f"{count - 1:0{digits}}.jpg"
        for kind, picture in (("gray", color.given_gray(photo)[..., :1]),
                              ("color", photo[..., :3])):
            tf.io.write_file(
                os.path.join(folder, kind, name), tf.io.encode_jpeg(
                    picture, quality=_JPEG_QUALITY, chroma_downsampling=False))
    return count


def _write_kaggle_npy(photos: Iterator[tf.Tensor], total: int,
                      folder: str) -> int:
    most = 2 * total // 5
    if not most:
        raise UserError(f"--data: {total} photographs are too few for three "
                        f"arrays; 3 at least")
    square = (_KAGGLE_SIZE, _KAGGLE_SIZE)
    sizes = (most, most, total - 2 * most)
    paths = [os.path.join(folder, name) for name in
             (kaggle_npy.LIGHTNESS_FILE, *kaggle_npy.AB_FILES)]
    for path in paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    lightness, *parts = (
        np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        for path, shape in zip(paths, (
            (total, *square), *((size, *square, 2) for size in sizes))))
    count = 0
    for count, photo in enumerate(photos, 1):
        lab = color.rgb_to_opencv_lab(augment.center_square(
            photo[..., :3], image_size=_KAGGLE_SIZE)).numpy()
        part, place = (divmod(count - 1, most) if count <= 2 * most
                       else (2, count - 1 - 2 * most))
        lightness[count - 1] = lab[..., 0]
        parts[part][place] = lab[..., 1:]
    if count <= 2 * most:
        raise UserError(f"--data: only {count} of {total} photographs can be "
                        f"read, too few for three arrays")
    for values in (lightness, *parts):
        values.flush()
    if count < total:
        _shorten(paths[0], count)
        _shorten(paths[-1], count - 2 * most)
    return count


def _shorten(path: str, rows: int) -> None:
    """Leaves an array file its first rows."""
    whole = np.load(path, mmap_mode="r")
    shorter = np.lib.format.open_memmap(
        f"{path}.shorter", "w+", np.uint8, (rows, *whole.shape[1:]))
    for start in range(0, rows, _COPIED_ROWS):
        end = min(rows, start + _COPIED_ROWS)
        shorter[start:end] = whole[start:end]
    shorter.flush()
    os.replace(f"{path}.shorter", path)


WRITERS: dict[str, Callable[[Iterator[tf.Tensor], int, str], int]] = {
    "paired": _write_paired, "kaggle_npy": _write_kaggle_npy}
