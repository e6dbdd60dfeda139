"""The losses of pix2pix and beyond: pure functions on tensors, scalars in
float32.

Isola et al. 2017 (arXiv:1611.07004), equations 1 to 4, in the non-saturating
form that the paper trains with (section 3.3), two other ways to tell real from
fake, and two losses of what is shown, in red, green and blue.

Logits are [N, h, w, 1], one a patch, or [N, 1], one a whole image.
"""

import functools
import math
from typing import Callable, NamedTuple

import tensorflow as tf

from pix2pix_color import metrics

# Mean squared error of 8-bit values at 40 dB.
_SMALL_ERROR = 255.0**2 / 1e4


def cross_entropy(logits: tf.Tensor, *, is_real: bool,
                  label_smoothing: float = 0.0) -> tf.Tensor:
    """Binary cross-entropy of logits against one label (Goodfellow 2014).

    Args:
      logits: float [N, h, w, 1] or [N, 1], before the sigmoid.
      is_real: the label of all of them.
      label_smoothing: how far below 1 the label of what is real lies; 0 stays
        0 (one-sided, Salimans et al. 2016, arXiv:1606.03498, section 3.4).

    Returns:
      float32 [], mean over all logits. log(2) for logits of zero.
    """
    logits = tf.cast(logits, tf.float32)
    labels = tf.fill(tf.shape(logits), _label(is_real, label_smoothing))
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def least_squares(logits: tf.Tensor, *, is_real: bool,
                  label_smoothing: float = 0.0) -> tf.Tensor:
    """Squared distance to the label (Mao et al. 2017, arXiv:1611.04076, eq. 9).

    The equation's one half is left out, as the implementations of pix2pix do:
    discriminator_loss halves, and for the generator it is --gan_weight's.

    Args:
      logits: float [N, h, w, 1] or [N, 1]; no sigmoid follows.
      is_real: the label of all of them, 1 or 0.
      label_smoothing: as of cross_entropy.

    Returns:
      float32 [], mean over all logits.
    """
    return tf.reduce_mean(tf.square(
        tf.cast(logits, tf.float32) - _label(is_real, label_smoothing)))


def hinge(logits: tf.Tensor, *, is_real: bool) -> tf.Tensor:
    """The discriminator's hinge loss, which is content beyond a margin of 1.

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
    """The generator's side of hinge (Miyato et al. 2018, equation 17).

    Args:
      logits: float [N, h, w, 1] or [N, 1], of the fake target.

    Returns:
      float32 [].
    """
    return -tf.reduce_mean(tf.cast(logits, tf.float32))


def _label(is_real: bool, label_smoothing: float) -> float:
    return 1.0 - label_smoothing if is_real else 0.0


class GanLoss(NamedTuple):
    """The two sides of one game.

    Attributes:
      judge: the discriminator's loss of logits, given is_real.
      fool: the generator's loss of the fake target's logits.
    """

    judge: Callable[..., tf.Tensor]
    fool: Callable[[tf.Tensor], tf.Tensor]


GAN_LOSSES = {
    "vanilla": GanLoss(cross_entropy,
                       functools.partial(cross_entropy, is_real=True)),
    "lsgan": GanLoss(least_squares,
                     functools.partial(least_squares, is_real=True)),
    "hinge": GanLoss(hinge, negative_mean),
}


def discriminator_loss(real_loss: tf.Tensor,
                       fake_loss: tf.Tensor) -> tf.Tensor:
    """The discriminator's objective, halved to slow it down (section 3.3).

    Args:
      real_loss: float32 [], how it judges real targets.
      fake_loss: float32 [], how it judges fake targets.

    Returns:
      float32 [].
    """
    return (real_loss + fake_loss) / 2.0


def psnr_loss(real_colors: tf.Tensor, fake_colors: tf.Tensor) -> tf.Tensor:
    """The decibels that pictures lack to a PSNR of 40, after Chen et al. 2021
    (arXiv:2105.06086, section 4.1), who minimize minus PSNR.

    A logarithm for each picture, so that one with little color counts as much
    as one with bright colors that nobody could guess. It flattens out towards
    40 dB, or pictures without any color would outweigh all others.

    Args:
      real_colors: float32 [N, S, S, 3], in 0..255.
      fake_colors: float32 [N, S, S, 3], in 0..255.

    Returns:
      float32 [], mean over the pictures, decibels; 0 for no error at all,
      10 log10(2) at 40 dB.
    """
    error = tf.reduce_mean(tf.square(real_colors - fake_colors), axis=[1, 2, 3])
    return tf.reduce_mean(
        10.0 / math.log(10.0) * tf.math.log1p(error / _SMALL_ERROR))


def colorfulness_loss(real_colors: tf.Tensor,
                      fake_colors: tf.Tensor) -> tf.Tensor:
    """How far a batch's colorfulness lies from that of its photographs.

    Of the batch as a whole: which of its pictures are colorful is the other
    losses' affair, while what lowers these, something between all that might
    be, is too pale on average. DDColor (Kang et al. 2023, arXiv:2212.11613,
    section 3.4) rewards colorfulness without an end; here it can be enough.

    Args:
      real_colors: float32 [N, S, S, 3], in 0..255.
      fake_colors: float32 [N, S, S, 3], in 0..255.

    Returns:
      float32 [], in the unit of metrics.colorfulness.
    """
    return tf.abs(_mean_of_batch(metrics.colorfulness(fake_colors))
                  - _mean_of_batch(metrics.colorfulness(real_colors)))


def _mean_of_batch(values: tf.Tensor) -> tf.Tensor:
    """float32 [N], this replica's share of a batch -> [], the whole one's."""
    mean = tf.reduce_mean(values)
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return mean
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def l1_loss(real_target: tf.Tensor, fake_target: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference (equation 3).

    Args:
      real_target: float32 [N, S, S, D].
      fake_target: float32 [N, S, S, D].

    Returns:
      float32 [], mean over all elements, in the target's scale.
    """
    return tf.reduce_mean(tf.abs(real_target - fake_target))
