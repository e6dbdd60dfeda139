"""Photographs -> a contact sheet and counts of pixels."""

import contextlib
import dataclasses
import math
from typing import Iterator, NamedTuple, cast

import numpy as np
import tensorflow as tf
import tqdm

from data_pipelines import augment, color, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source

BATCH_SIZE = 16
SHEET_ROWS, SHEET_COLUMNS = 3, 8
# Histograms have bins one unit of L*, a*, b* wide. The chroma of sRGB ends at
# 133.8, in its blue.
AB_LIMIT = int(color.AB_SCALE)
CHROMA_LIMIT = 134


class MeasuredBatch(NamedTuple):
    """Photographs to measure.

    Attributes:
      rgb: uint8 [N, S, S, 3], center squares.
      index: int64 [N], the photographs' places in the source.
      size: int32 [N, 2], original height and width, pixels.
    """

    rgb: tf.Tensor
    index: tf.Tensor
    size: tf.Tensor


@dataclasses.dataclass
class Measurements:
    """Measurements of one side, training or evaluation.

    Attributes:
      total: number of photographs.
      chosen: number of photographs that were chosen to be measured.
      lightness_counts: int64 [100], pixels by L*.
      chroma_counts: int64 [CHROMA_LIMIT], pixels by hypot(a*, b*).
      ab_counts: int64 [2 * AB_LIMIT, 2 * AB_LIMIT], pixels by a* and b*.
      identities: the photographs that were read; the lists below have their
        order.
      sizes: (height, width) in pixels.
      chroma: mean over the photograph's pixels, native units.
      variety: standard deviation of (a*, b*) over its pixels, native units.
    """

    total: int
    chosen: int = 0
    lightness_counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(100, np.int64))
    chroma_counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(CHROMA_LIMIT, np.int64))
    ab_counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros([2 * AB_LIMIT] * 2, np.int64))
    identities: list[str] = dataclasses.field(default_factory=list)
    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    chroma: list[float] = dataclasses.field(default_factory=list)
    variety: list[float] = dataclasses.field(default_factory=list)

    def add(self, rgb: np.ndarray) -> None:
        """Counts the pixels of uint8 [N, S, S, 3]."""
        lightness, a, b = np.moveaxis(color.rgb_to_lab(rgb).numpy(), -1, 0)
        chroma = np.hypot(a, b)
        self.lightness_counts += _count(lightness, 100)
        self.chroma_counts += _count(chroma, CHROMA_LIMIT)
        row, column = (np.floor(channel + AB_LIMIT) for channel in (a, b))
        self.ab_counts += _count(
            row * (2 * AB_LIMIT) + column, self.ab_counts.size,
        ).reshape(self.ab_counts.shape)
        self.chroma += chroma.mean(axis=(1, 2)).tolist()
        self.variety += np.hypot(
            a.std(axis=(1, 2)), b.std(axis=(1, 2))).tolist()

    def most_varied(self) -> str:
        """Returns the photograph whose pixels differ most in color."""
        return self.identities[int(np.argmax(self.variety))]


def _count(values: np.ndarray, num_bins: int) -> np.ndarray:
    """Counts values in bins one unit wide; the first and last are open."""
    bins = np.clip(values.astype(np.int64), 0, num_bins - 1)
    return np.bincount(bins.ravel(), minlength=num_bins)


def measure(source: Source, *, image_size: int, examples: int,
            rejected: RejectedExamples, name: str) -> Measurements:
    """Reads photographs and counts their pixels.

    Args:
      source: the photographs.
      image_size: side of the center squares, pixels.
      examples: largest number to read, spread evenly; 0 for all.
      rejected: collects photographs that cannot be read.
      name: of the side, for the progress bar.

    Raises:
      UserError: none of them can be read.
    """
    measured = Measurements(total=len(source))
    if 0 < examples < len(source):
        source = source.select(
            np.linspace(0, len(source) - 1, examples).round().astype(int))
    measured.chosen = len(source)

    @tf.autograph.experimental.do_not_convert
    def load(index):
        rgb = source.load(index)[..., :3]  # without its gray photograph
        return MeasuredBatch(
            augment.center_square(rgb, image_size=image_size), index,
            tf.shape(rgb)[:2])

    batches = (tf.data.Dataset.range(len(source))
               .map(load, num_parallel_calls=tf.data.AUTOTUNE)
               .ignore_errors().batch(BATCH_SIZE).prefetch(1))
    with tqdm.tqdm(total=len(source), desc=name, unit="photo",
                   disable=None) as bar:
        # watch_evaluation accepts any batch that has an index.
        for batch in cast(Iterator[MeasuredBatch],
                          rejected.watch_evaluation(batches, source)):
            measured.add(batch.rgb.numpy())
            measured.sizes += map(tuple, batch.size.numpy().tolist())
            measured.identities += [
                source.identities[index] for index in batch.index.numpy()]
            bar.update(len(batch.index))
    return measured


def contact_sheet(source: Source, *, image_size: int, resize_size: int,
                  seed: int, rejected: RejectedExamples,
                  max_resize_size: int = 0) -> np.ndarray:
    """Decodes the first examples of fit's stream from condition and target.

    Args:
      source: the training photographs.
      image_size: side of the networks' square, pixels.
      resize_size: length of the shorter side before the crop, pixels.
      seed: determines order and augmentation.
      rejected: collects photographs that cannot be read.
      max_resize_size: as augment.jitter takes it.

    Returns:
      uint8 [SHEET_ROWS * SHEET_COLUMNS, S, S, 3].
    """
    batch = next(rejected.watch_training(
        lambda first_ordinal: pipeline.training_batches(
            source, part=pipeline.WorkerShard(SHEET_ROWS * SHEET_COLUMNS),
            color_space=color.LAB, image_size=image_size,
            resize_size=resize_size, max_resize_size=max_resize_size,
            seed=seed, first_ordinal=first_ordinal),
        source, seed=seed, first_ordinal=0))
    return color.LAB.decode(batch.condition, batch.target).numpy()


def find_photo(wanted: str, *sources: Source) -> tuple[Source, int]:
    """Finds a photograph by its name, or by its number in the first source.

    Returns:
      Its source and its index there.

    Raises:
      UserError: there is no such photograph.
    """
    for source in sources:
        with contextlib.suppress(ValueError):
            return source, source.identities.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(sources[0]):
        return sources[0], int(wanted)
    raise UserError(
        f"--photo={wanted} is neither the name of a photograph nor a number "
        f"from 0 to {len(sources[0]) - 1}")


def count_table(sides: dict[str, Measurements]) -> list[tuple[str, ...]]:
    """Formats the counts: a head, then rows that begin with their name."""
    def summary(side):
        sizes = sorted(side.sizes, key=lambda size: (math.prod(size), size))
        return {
            "photographs": f"{side.total:,}",
            "measured": f"{len(side.chroma):,}",
            "rejected": f"{side.chosen - len(side.chroma):,}",
            "smallest, px": f"{sizes[0][1]:,} x {sizes[0][0]:,}",
            "largest, px": f"{sizes[-1][1]:,} x {sizes[-1][0]:,}",
            "mean chroma": f"{np.mean(side.chroma):.1f}",
            "chroma, grayest": f"{min(side.chroma):.1f}",
            "chroma, most vivid": f"{max(side.chroma):.1f}",
        }

    columns = [summary(side) for side in sides.values()]
    return [("", *sides)] + [(row, *(column[row] for column in columns))
                             for row in columns[0]]
