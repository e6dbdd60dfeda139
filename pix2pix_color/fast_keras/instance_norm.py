"""Instance normalization (Ulyanov et al. 2016, arXiv:1607.08022, equation 5).

Keras's GroupNormalization(groups=-1) takes up to three times as long on a CPU.
Here every channel of every picture becomes a channel of one picture, which
TensorFlow's fused batch normalization normalizes.
"""

from typing import Any

import keras
import tensorflow as tf


class InstanceNormalization(keras.layers.Layer):
    """Normalizes each channel of each picture, then scales and shifts it.

    Training and inference are the same; there are no moving statistics.

    Args:
      epsilon: added to the variance.
      gamma_initializer: initializes the scales; the offsets start at zero.
      dtype: the layer's policy; statistics are always float32.
      name: the layer's name.

    Raises:
      ValueError: on build, if pictures have a single pixel.
    """

    def __init__(self, *, epsilon: float, gamma_initializer: Any = "ones",
                 dtype: Any = None, name: Any = None) -> None:
        super().__init__(dtype=dtype, name=name)
        self.epsilon = epsilon
        self._gamma_initializer = gamma_initializer

    def build(self, input_shape: tuple[Any, ...]) -> None:
        if tuple(input_shape[1:3]) == (1, 1):
            raise ValueError(f"{self.name} would normalize a single pixel, "
                             f"which makes it zero")
        channels = input_shape[-1:]
        self.gamma = self.add_weight(
            shape=channels, initializer=self._gamma_initializer, name="gamma",
            autocast=False)
        self.beta = self.add_weight(
            shape=channels, initializer="zeros", name="beta", autocast=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        inputs = tf.cast(inputs, self.compute_dtype)
        shape = tf.shape(inputs)
        batch, height, width, channels = tf.unstack(shape)
        pixels = height * width
        # [N, H, W, C] -> [1, H, W, N x C] and back.
        x = tf.reshape(inputs, [batch, pixels, channels])
        x = tf.reshape(tf.transpose(x, [1, 0, 2]),
                       [1, height, width, batch * channels])
        empty = tf.zeros([0], tf.float32)
        x = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=tf.tile(self.gamma.value, [batch]),
            offset=tf.tile(self.beta.value, [batch]), mean=empty,
            variance=empty, epsilon=self.epsilon, is_training=True).y
        x = tf.reshape(x, [pixels, batch, channels])
        x = tf.reshape(tf.transpose(x, [1, 0, 2]), shape)
        return tf.ensure_shape(x, inputs.shape)

    def compute_output_shape(
            self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return input_shape
