"""Judges colors by how a classifier sees them.

PSNR hardly notices a wrong hue, and the colorfulness gap ignores hue. A
classifier trained on color photographs notices: it sees the photograph and its
colorized version, and two numbers compare its answers. On 500 photographs the
standard error of the agreement is 0.02.

The judge must not be the network of --semantic_weight, which the generator has
learned to please.
"""

from typing import Optional

import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.networks import efficientnet_lite, efficientnet_weights
from pix2pix_color.semantic_loss import class_divergence

# Side of the pictures in pixels. Lite0 was trained at 224, Lite2 at 260; one
# size serves both.
_SIZE = 224
_FLAG = "--judge_weights"


class Judge:
    """A classifier whose weights are in a file.

    Attributes:
      name: the network's name, such as efficientnet_lite2.

    Args:
      weights: a .safetensors file of EfficientNet-Lite0 or Lite2, or
        `imagenet` for the one in the package.
      loss_classifier: name of the network that the model was trained to
        please, if any.

    Raises:
      UserError: the file cannot be read, or holds another network or that of
        the loss.
    """

    def __init__(self, weights: str,
                 loss_classifier: Optional[str] = None) -> None:
        path = efficientnet_weights.find_weights(weights, flag=_FLAG)
        self._classifier = efficientnet_weights.load_classifier(
            path, flag=_FLAG)
        self.name = self._classifier.name
        if self.name == loss_classifier:
            raise UserError(
                f"{_FLAG}={weights} is {self.name}, which the model was "
                f"trained to please by --semantic_weight; name another "
                f"network")

    @tf.function(autograph=False, reduce_retracing=True)
    def logits(self, rgb: tf.Tensor) -> tf.Tensor:
        """Classifies pictures.

        Args:
          rgb: uint8 [N, S, S, 3]; resized to 224 px, bicubic, antialiased.

        Returns:
          float32 [N, 1000].
        """
        resized = tf.clip_by_value(tf.image.resize(
            rgb, [_SIZE, _SIZE], method="bicubic", antialias=True), 0.0, 255.0)
        return self._classifier(efficientnet_lite.scale_rgb(resized),
                                training=False)[-1]


def agreement(real_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Tells whether both have the same best class: float32 [N], 0 or 1."""
    return tf.cast(tf.equal(tf.argmax(real_logits, axis=-1),
                            tf.argmax(logits, axis=-1)), tf.float32)


def kl(real_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Computes KL(photograph's classes || colors'): float32 [N], nats."""
    return class_divergence(real_logits, logits)
