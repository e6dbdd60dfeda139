"""Layers of generators that take color hints."""

from typing import Any, Optional

import keras
import tensorflow as tf

# Factor of the hints' colors. Photographs' a* and b* deviate from 0 by about 14
# units, which are 1/8 in the networks' scale. Without it they are learned far
# too slowly.
_COLOR_GAIN = 8.0
# Units between the features and the logits of a classification head.
_HIDDEN_UNITS = 128


class AddHints(keras.layers.Layer):
    """Adds a 3x3 convolution of color hints to a layer's output.

    The hints are averaged down to the output's size. The kernel starts at
    zero, so a network that was trained without hints can learn to use them.

    Args:
      filters: channels of the layer's output.
      factor: side of the hints divided by that of the output.
      options: arguments of keras.layers.Layer.
    """

    def __init__(self, filters: int, *, factor: int, **options: Any) -> None:
        # Without autocast, hints stay in float32.
        super().__init__(autocast=False, **options)
        self._factor = factor
        self._convolution = keras.layers.Conv2D(
            filters, 3, padding="same", use_bias=False,
            kernel_initializer="zeros", dtype=self.dtype_policy, name="hints")

    def build(self, x_shape: Any, hints_shape: Any) -> None:
        self._convolution.build(hints_shape)
        self.built = True

    def call(self, x: tf.Tensor,
             hints: Optional[tf.Tensor] = None) -> tf.Tensor:
        """Adds hints, if any.

        Args:
          x: [N, h, w, filters].
          hints: [N, factor h, factor w, D + 1]: colors, zero where there is
            none, and a mask of 0 and 1.
        """
        if hints is None:
            return x
        mean = tf.nn.avg_pool2d(hints, self._factor, self._factor, "VALID")
        share = mean[..., -1:]
        pooled = tf.concat([
            _COLOR_GAIN * tf.math.divide_no_nan(mean[..., :-1], share),
            tf.sign(share)], -1)
        return x + self._convolution(tf.cast(pooled, x.dtype))

    def compute_output_shape(self, x_shape: Any, hints_shape: Any) -> Any:
        return x_shape


class ColorBinsHead(keras.layers.Layer):
    """A classification head on features that it passes through unchanged.

    As a part of the generator's graph, its weights are trained, averaged and
    saved with the generator's.

    Args:
      num_bins: number of classes.
      options: arguments of keras.layers.Layer.
    """

    def __init__(self, num_bins: int, **options: Any) -> None:
        super().__init__(**options)
        self._num_bins = num_bins

    def build(self, input_shape: Any) -> None:
        # Attributes, not a list: a checkpoint would not hold a list's.
        self._hidden_kernel, self._hidden_bias = self._add_weights(
            "hidden", input_shape[-1], _HIDDEN_UNITS)
        self._logits_kernel, self._logits_bias = self._add_weights(
            "logits", _HIDDEN_UNITS, self._num_bins)
        self.built = True

    def _add_weights(self, name, width, units):
        return (self.add_weight(shape=(width, units), name=f"{name}_kernel",
                                initializer="he_normal"),
                self.add_weight(shape=(units,), name=f"{name}_bias",
                                initializer="zeros"))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Returns float32 [..., num_bins] of features [..., C]."""
        kernel, bias, logits_kernel, logits_bias = map(
            tf.convert_to_tensor, (self._hidden_kernel, self._hidden_bias,
                                   self._logits_kernel, self._logits_bias))
        x = tf.nn.relu(tf.tensordot(tf.cast(features, tf.float32), kernel, 1)
                       + bias)
        return tf.tensordot(x, logits_kernel, 1) + logits_bias
