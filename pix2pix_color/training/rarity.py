"""How much the L1 loss counts each color: rare ones more, so that gray and
brown do not win by their number.

Zhang et al. 2016 (arXiv:1603.08511), section 2.2, equation 4, there for a
classification of colors: the weight of a color is

    w(a, b) proportional to ((1 - lambda) p(a, b) + lambda / Q)^-1

with p its share of all pixels, in bins of 10 x 10 smoothed by a Gaussian of
5, Q the number of bins that sRGB reaches, and the mean of w over all pixels 1.
--rarity_weight is 1 - lambda: at 0 every weight is 1, 0.5 is the paper's.
"""

import math

import numpy as np
import tensorflow as tf

from data_pipelines import color, pipeline
from data_pipelines.sources import Source

BIN_WIDTH = 10.0
SMOOTHING_SIGMA = 5.0
# Bins around -110, -100, ... 110, for all that color.AB_SCALE takes to -1..1.
NUM_BINS = 2 * round(color.AB_SCALE / BIN_WIDTH) + 1
# Photographs that are counted at most, evenly spread over the collection.
MAX_COUNTED = 1000
_BATCH = 8
# Steps of R, G and B fine enough to meet every bin that sRGB reaches.
_GAMUT_STEP = 3


def bin_of(target: tf.Tensor) -> tf.Tensor:
    """The bin of each pixel.

    Args:
      target: float32 [..., 2], a* and b* over color.AB_SCALE.

    Returns:
      int32 [...], 0 to NUM_BINS**2 - 1.
    """
    place = tf.cast(tf.round(target * (color.AB_SCALE / BIN_WIDTH)), tf.int32)
    a, b = tf.unstack(
        tf.clip_by_value(place + NUM_BINS // 2, 0, NUM_BINS - 1), axis=-1)
    return a * NUM_BINS + b


def weigh(weights: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """The weight of each pixel.

    Args:
      weights: float32 [NUM_BINS**2], from color_weights.
      target: float32 [N, S, S, 2].

    Returns:
      float32 [N, S, S, 1].
    """
    return tf.gather(weights, bin_of(target))[..., tf.newaxis]


def count_colors(source: Source, *, image_size: int) -> np.ndarray:
    """Counts the pixels of each bin, always of the same photographs.

    Args:
      source: the training photographs; those that cannot be read are left
        out.
      image_size: side of their centre square, pixels.

    Returns:
      int64 [NUM_BINS**2].

    Raises:
      InputError: no photograph can be read.
    """
    sample = source.select(
        range(0, len(source), math.ceil(len(source) / MAX_COUNTED)))
    batches = pipeline.evaluation_batches(
        sample, image_size=image_size, batch_size=_BATCH)
    counts = np.zeros(NUM_BINS**2, np.int64)
    for batch in pipeline.RejectedExamples().watch_evaluation(batches, sample):
        _, target = color.LAB.encode(batch.photo)
        counts += np.bincount(np.ravel(bin_of(target)),
                              minlength=NUM_BINS**2)
    return counts


def color_weights(counts: np.ndarray, *, rarity_weight: float) -> np.ndarray:
    """The weight of each bin.

    Args:
      counts: int64 [NUM_BINS**2], pixels of each bin.
      rarity_weight: 1 - lambda, 0 up to but not including 1.

    Returns:
      float32 [NUM_BINS**2].
    """
    in_gamut = _bins_in_gamut() | (counts > 0)
    places = BIN_WIDTH * np.arange(NUM_BINS)
    kernel = np.exp(-(places[:, np.newaxis] - places)**2
                    / (2 * SMOOTHING_SIGMA**2))
    smooth = kernel @ counts.reshape(NUM_BINS, NUM_BINS) @ kernel
    shares = np.where(in_gamut, smooth.ravel(), 0.0)
    shares /= shares.sum()
    weights = 1.0 / (rarity_weight * shares
                     + (1.0 - rarity_weight) / in_gamut.sum())
    return (weights * (counts.sum() / (weights @ counts))).astype(np.float32)


def _bins_in_gamut() -> np.ndarray:
    """bool [NUM_BINS**2]: which bins sRGB reaches."""
    levels = np.arange(0, 256, _GAMUT_STEP, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    _, target = color.LAB.encode(
        tf.constant(rgb.reshape(1, len(levels), -1, 3)))
    return np.bincount(np.ravel(bin_of(target)), minlength=NUM_BINS**2) > 0
