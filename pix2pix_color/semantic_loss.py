"""A loss that asks whether a classifier takes the colors for the real ones.

L1 and PSNR are lowest for the mean of all likely colors, which a classifier
hardly takes for truer than gray. This loss compares what a frozen
EfficientNet-Lite, trained on ImageNet, sees in the photograph and in its
colorized version: the classes (the divergence of Kullback and Leibler) and the
features at four sizes, each scaled to length 1 (a perceptual loss after Johnson
et al. 2016, arXiv:1603.08155, and Zhang et al. 2018, arXiv:1801.03924, without
learned weights).

Never judge a model by the network of its own loss: judge.py takes another.
"""

from typing import Any

import keras
import tensorflow as tf

from pix2pix_color.networks import efficientnet_lite

# Both parts weigh about the same when training begins.
CLASS_WEIGHT, FEATURE_WEIGHT = 2.0, 5.0
_EPSILON = 1e-6


def semantic_loss(real_colors: tf.Tensor, fake_colors: tf.Tensor, *,
                  classifier: keras.Model) -> tf.Tensor:
    """Compares two batches of pictures by a classifier's classes and features.

    Args:
      real_colors: float32 [N, S, S, 3], in 0..255, the photographs.
      fake_colors: float32 [N, S, S, 3], in 0..255, the colorized ones.
      classifier: as efficientnet_lite.build_classifier.

    Returns:
      float32 [], 2 x the divergence of the classes in nats plus 5 x the mean,
      over the four taps, of the squared distance of features of length 1 (0 to
      4 at each pixel); mean over the pictures. 0 for equal pictures.
    """
    *real_taps, real_logits = _see(classifier, real_colors)
    *fake_taps, fake_logits = _see(classifier, fake_colors)
    distances = [
        tf.reduce_mean(tf.reduce_sum(
            tf.square(_of_length_1(real) - _of_length_1(fake)), axis=-1))
        for real, fake in zip(real_taps, fake_taps)]
    return (CLASS_WEIGHT * tf.reduce_mean(
                class_divergence(real_logits, fake_logits))
            + FEATURE_WEIGHT * tf.add_n(distances) / len(distances))


def class_divergence(real_logits: tf.Tensor,
                     fake_logits: tf.Tensor) -> tf.Tensor:
    """KL(classes of the photograph || classes of the colorized picture).

    Args:
      real_logits: float32 [N, K].
      fake_logits: float32 [N, K].

    Returns:
      float32 [N], nats.
    """
    real = tf.nn.log_softmax(real_logits)
    fake = tf.nn.log_softmax(fake_logits)
    return tf.reduce_sum(tf.exp(real) * (real - fake), axis=-1)


def _see(classifier, colors) -> list[Any]:
    return classifier(efficientnet_lite.scale_rgb(colors), training=False)


def _of_length_1(features):
    features = tf.cast(features, tf.float32)
    return features * tf.math.rsqrt(
        tf.reduce_sum(tf.square(features), axis=-1, keepdims=True) + _EPSILON)
