"""The likely colors of a place, as a distribution over bins of a*b*.

The plane of a* and b* is divided into bins of 10 units (Zhang et al. 2016,
arXiv:1603.08511, section 2.1, without rebalancing). A generator that takes
hints has a classification head that predicts the distribution.
"""

import numpy as np
import tensorflow as tf

BIN_SIZE, LIMIT = 10.0, 110.0
_SIDE = int(2 * LIMIT / BIN_SIZE) + 1
NUM_BINS = _SIDE**2
_VALUES = np.arange(_SIDE, dtype=np.float32) * np.float32(BIN_SIZE) - LIMIT
# float32 [NUM_BINS, 2], a* and b* of the bins' centers.
CENTERS = np.stack(np.meshgrid(_VALUES, _VALUES, indexing="ij"),
                   axis=-1).reshape(-1, 2)
# Colors at most so far apart, in units of a*b*, are offered as one.
_REACH = 12.0


def soft_bins(ab: tf.Tensor) -> tf.Tensor:
    """Divides each color among the four bins around it, bilinearly.

    Args:
      ab: float32 [..., 2], in native units.

    Returns:
      float32 [..., NUM_BINS], of sum 1, whose mean color is ab.
    """
    ab = tf.clip_by_value(ab, -LIMIT, LIMIT)
    shares = tf.nn.relu(1.0 - tf.abs(ab[..., tf.newaxis] - _VALUES) / BIN_SIZE)
    both = (shares[..., 0, :, tf.newaxis] * shares[..., 1, tf.newaxis, :])
    return tf.reshape(both, tf.concat([tf.shape(ab)[:-1], [NUM_BINS]], 0))


def bins_loss(logits: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Returns the cross-entropy of predicted and real bins: float32 [].

    Args:
      logits: float32 [..., NUM_BINS].
      ab: float32 [..., 2], the real colors in native units.
    """
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(
        labels=soft_bins(ab), logits=logits))


def most_likely(logits: tf.Tensor, *,
                number: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Chooses different colors that together are as likely as possible.

    Each color is the one that most of the remaining probability lies around,
    within 12 units. That probability is then taken away.

    Args:
      logits: float32 [N, NUM_BINS].
      number: how many colors to choose.

    Returns:
      float32 [N, number, 2], a* and b* in native units, and float32
      [N, number], their probabilities, falling.
    """
    distance = np.linalg.norm(CENTERS[:, np.newaxis] - CENTERS, axis=-1)
    near = tf.constant(distance <= _REACH, tf.float32)
    left = tf.nn.softmax(logits)
    colors, probabilities = [], []
    for _ in range(number):
        around = tf.linalg.matmul(left, near)
        best = tf.argmax(around, axis=-1)
        taken = left * tf.gather(near, best)
        total = tf.reduce_sum(taken, axis=-1, keepdims=True)
        colors.append(tf.math.divide_no_nan(tf.matmul(taken, CENTERS), total))
        probabilities.append(total[..., 0])
        left -= taken
    return tf.stack(colors, axis=1), tf.stack(probabilities, axis=1)
