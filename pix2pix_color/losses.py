"""The losses of pix2pix: pure functions on tensors, scalars in float32.

Isola et al. 2017 (arXiv:1611.07004), equations 1 to 4, in the non-saturating
form that the paper trains with (section 3.3).
"""

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, *, is_real: bool) -> tf.Tensor:
    """Binary cross-entropy of patch logits against one label.

    Args:
      logits: float [N, h, w, 1], before the sigmoid.
      is_real: the label of every patch.

    Returns:
      float32 [], mean over all patches. log(2) for logits of zero.
    """
    logits = tf.cast(logits, tf.float32)
    labels = tf.fill(tf.shape(logits), 1.0 if is_real else 0.0)
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def discriminator_loss(real_loss: tf.Tensor,
                       fake_loss: tf.Tensor) -> tf.Tensor:
    """The discriminator's objective, halved to slow it down (section 3.3).

    Args:
      real_loss: float32 [], its cross-entropy on real targets.
      fake_loss: float32 [], its cross-entropy on fake targets.

    Returns:
      float32 [].
    """
    return (real_loss + fake_loss) / 2.0


def adversarial_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """How far the discriminator is from taking the fake for real.

    Args:
      fake_logits: float [N, h, w, 1], the discriminator's of the fake target.

    Returns:
      float32 [], mean over all patches.
    """
    return cross_entropy(fake_logits, is_real=True)


def l1_loss(real_target: tf.Tensor, fake_target: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference (equation 3).

    Args:
      real_target: float32 [N, S, S, D].
      fake_target: float32 [N, S, S, D].

    Returns:
      float32 [], mean over all elements, in the target's scale.
    """
    return tf.reduce_mean(tf.abs(real_target - fake_target))
