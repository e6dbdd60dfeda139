"""A perceptual loss: a frozen classifier compares picture and photograph.

It must respond to the colorized picture as to the photograph. L1 alone favors
the median of all likely colors, and squared error, as in PSNR, their mean. A
classifier recognizes either hardly better than gray.

The classifier is an EfficientNet-Lite trained on ImageNet. The loss compares
its class probabilities (by KL divergence) and its features at four sizes,
normalized over channels at each pixel as in LPIPS (after Johnson et al. 2016,
arXiv:1603.08155, and Zhang et al. 2018, arXiv:1801.03924, without learned
weights).

Never judge a model by the network of its own loss: judge.py takes another one.
"""

from typing import Any

import keras
import tensorflow as tf

from pix2pix_color.networks import efficientnet_lite

# Both parts contribute about equally when training begins.
CLASS_WEIGHT, FEATURE_WEIGHT = 2.0, 5.0
_EPSILON = 1e-6


def semantic_loss(real_colors: tf.Tensor, fake_colors: tf.Tensor, *,
                  classifier: keras.Model) -> tf.Tensor:
    """Compares two batches of pictures by their classes and features.

    Args:
      real_colors: float32 [N, S, S, 3], in 0..255, the photographs.
      fake_colors: float32 [N, S, S, 3], in 0..255, their colorized versions.
      classifier: a model from efficientnet_lite.build_classifier.

    Returns:
      float32 [], mean over the pictures, 0 for equal ones: CLASS_WEIGHT x the
      KL divergence in nats + FEATURE_WEIGHT x the squared distance of the
      features, 0 to 4 at each pixel, averaged over the four sizes.
    """
    *real_taps, real_logits = _classify(classifier, real_colors)
    *fake_taps, fake_logits = _classify(classifier, fake_colors)
    distances = [
        tf.reduce_mean(tf.reduce_sum(
            tf.square(_of_length_1(real) - _of_length_1(fake)), axis=-1))
        for real, fake in zip(real_taps, fake_taps)]
    return (CLASS_WEIGHT * tf.reduce_mean(
                class_divergence(real_logits, fake_logits))
            + FEATURE_WEIGHT * tf.add_n(distances) / len(distances))


def class_divergence(real_logits: tf.Tensor,
                     fake_logits: tf.Tensor) -> tf.Tensor:
    """Computes KL(photograph's classes || fake picture's classes).

    Args:
      real_logits: float32 [N, K].
      fake_logits: float32 [N, K].

    Returns:
      float32 [N], nats.
    """
    real = tf.nn.log_softmax(real_logits)
    fake = tf.nn.log_softmax(fake_logits)
    return tf.reduce_sum(tf.exp(real) * (real - fake), axis=-1)


def _classify(classifier, colors) -> list[Any]:
    return classifier(efficientnet_lite.scale_rgb(colors), training=False)


def _of_length_1(features):
    features = tf.cast(features, tf.float32)
    return features * tf.math.rsqrt(
        tf.reduce_sum(tf.square(features), axis=-1, keepdims=True) + _EPSILON)
