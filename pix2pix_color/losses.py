"""The losses of pix2pix and others: pure functions of tensors.

Each returns float32 []. Isola et al. 2017 (arXiv:1611.07004), equations 1 to 4,
in the non-saturating form that the paper trains with (section 3.3); two other
GAN losses; and two losses of R, G and B.

Logits are [N, h, w, 1], one per patch, or [N, 1], one per image.
"""

import functools
import math
from typing import Callable, NamedTuple, Optional

import tensorflow as tf

from pix2pix_color import metrics

# Mean squared error of 8-bit values at 40 dB.
_SMALL_ERROR = 255.0**2 / 1e4


def cross_entropy(logits: tf.Tensor, *, is_real: bool,
                  label_smoothing: float = 0.0) -> tf.Tensor:
    """Computes the cross-entropy of logits and one label (Goodfellow 2014).

    Args:
      logits: float [N, h, w, 1] or [N, 1], before the sigmoid.
      is_real: the label of all logits.
      label_smoothing: one-sided: how far below 1 the real label lies; the
        fake label stays 0 (Salimans et al. 2016, arXiv:1606.03498, 3.4).

    Returns:
      float32 [], mean over all logits. log(2) for logits of zero.
    """
    logits = tf.cast(logits, tf.float32)
    labels = tf.fill(tf.shape(logits), _label(is_real, label_smoothing))
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def least_squares(logits: tf.Tensor, *, is_real: bool,
                  label_smoothing: float = 0.0) -> tf.Tensor:
    """Computes the squared distance to the label.

    Mao et al. 2017 (arXiv:1611.04076), equation 9.

    Without the equation's factor 1/2, as in the implementations of pix2pix:
    discriminator_loss halves, and --gan_weight scales the generator's loss.

    Args:
      logits: float [N, h, w, 1] or [N, 1]; no sigmoid follows.
      is_real: the label of all logits, 1 or 0.
      label_smoothing: as of cross_entropy.

    Returns:
      float32 [], mean over all logits.
    """
    return tf.reduce_mean(tf.square(
        tf.cast(logits, tf.float32) - _label(is_real, label_smoothing)))


def hinge(logits: tf.Tensor, *, is_real: bool) -> tf.Tensor:
    """Computes the discriminator's hinge loss, zero beyond a margin of 1.

    Lim and Ye 2017 (arXiv:1705.02894); Miyato et al. 2018 (arXiv:1802.05957),
    equation 16.

    Args:
      logits: float [N, h, w, 1] or [N, 1]; no sigmoid follows.
      is_real: whether they should lie above 1 or below -1.

    Returns:
      float32 [], mean over all logits. 1 for logits of zero.
    """
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(tf.nn.relu(1.0 - logits if is_real
                                     else 1.0 + logits))


def negative_mean(logits: tf.Tensor) -> tf.Tensor:
    """Computes the generator's part of hinge (Miyato et al. 2018, eq. 17).

    Args:
      logits: float [N, h, w, 1] or [N, 1], of the fake target.

    Returns:
      float32 [].
    """
    return -tf.reduce_mean(tf.cast(logits, tf.float32))


def _label(is_real: bool, label_smoothing: float) -> float:
    return 1.0 - label_smoothing if is_real else 0.0


class GanLoss(NamedTuple):
    """A GAN loss: one function for each network.

    Attributes:
      discriminator: the discriminator's loss of logits, given is_real.
      generator: the generator's loss of the fake target's logits.
    """

    discriminator: Callable[..., tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]


GAN_LOSSES = {
    "vanilla": GanLoss(cross_entropy,
                       functools.partial(cross_entropy, is_real=True)),
    "lsgan": GanLoss(least_squares,
                     functools.partial(least_squares, is_real=True)),
    "hinge": GanLoss(hinge, negative_mean),
}


def discriminator_loss(real_loss: tf.Tensor,
                       fake_loss: tf.Tensor) -> tf.Tensor:
    """Halves the discriminator's loss, which slows it down (section 3.3).

    Args:
      real_loss: float32 [], its loss on real targets.
      fake_loss: float32 [], its loss on fake targets.

    Returns:
      float32 [].
    """
    return (real_loss + fake_loss) / 2.0


def psnr_loss(real_colors: tf.Tensor, fake_colors: tf.Tensor) -> tf.Tensor:
    """Computes a smooth PSNR loss: 10 log10(1 + MSE / MSE at 40 dB).

    Far below 40 dB it equals 40 dB - PSNR. At 40 dB it is 3 dB, and without
    error 0, where minus PSNR (Chen et al. 2021, arXiv:2105.06086, section 3.1)
    has no limit, so that pictures without color would outweigh all others.
    Each picture has its own logarithm: one with little color counts as much as
    one with bright colors that cannot be guessed.

    Args:
      real_colors: float32 [N, S, S, 3], in 0..255.
      fake_colors: float32 [N, S, S, 3], in 0..255.

    Returns:
      float32 [], mean over the pictures, in decibels.
    """
    error = tf.reduce_mean(tf.square(real_colors - fake_colors), axis=[1, 2, 3])
    return tf.reduce_mean(
        10.0 / math.log(10.0) * tf.math.log1p(error / _SMALL_ERROR))


def colorfulness_loss(real_colors: tf.Tensor, fake_colors: tf.Tensor, *,
                      counted: Optional[tf.Tensor] = None) -> tf.Tensor:
    """Computes the distance between fake and real colorfulness.

    It compares the means of the batch. Which picture is colorful is left to
    the other losses. Their minimum, the median (L1) or the mean (PSNR) of all
    likely colors, is too pale. DDColor (Kang et al. 2023, arXiv:2212.11613,
    section 3.4) rewards colorfulness without a limit.

    Args:
      real_colors: float32 [N, S, S, 3], in 0..255.
      fake_colors: float32 [N, S, S, 3], in 0..255.
      counted: float32 [N], 1 for the pictures that count and 0 for the others;
        None: all count.

    Returns:
      float32 [], in the unit of metrics.colorfulness; 0 if no picture counts.
    """
    difference = (metrics.colorfulness(fake_colors)
                  - metrics.colorfulness(real_colors))
    if counted is None:
        return tf.abs(_mean_of_replicas(tf.reduce_mean(difference)))
    return tf.abs(tf.math.divide_no_nan(
        _mean_of_replicas(tf.reduce_mean(difference * counted)),
        _mean_of_replicas(tf.reduce_mean(counted))))


def _mean_of_replicas(mean: tf.Tensor) -> tf.Tensor:
    """Averages a replica's mean, float32 [], over all replicas."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return mean
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def l1_loss(real_target: tf.Tensor, fake_target: tf.Tensor) -> tf.Tensor:
    """Computes the mean absolute difference (equation 3).

    Args:
      real_target: float32 [N, S, S, D].
      fake_target: float32 [N, S, S, D].

    Returns:
      float32 [], mean over all elements, in the target's scale.
    """
    return tf.reduce_mean(tf.abs(real_target - fake_target))
