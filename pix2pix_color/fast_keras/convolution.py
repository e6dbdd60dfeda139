"""pix2pix's 4x4 convolutions, as matrix multiplications where that is faster.

Layers, variables and results are those of Keras. On CPUs oneDNN's convolutions
are slowest at both ends of pix2pix's networks: on the innermost maps, where few
pixels meet a kernel of millions of weights and most time goes into the kernel's
gradient, and at the outputs of one to three channels. Matrix multiplication on
the kernels as they lie in memory makes a training step up to 1.2 times as fast
on two CPU cores. On GPUs the layers compute as Keras's do.
"""

from typing import Callable

import keras
import tensorflow as tf

from pix2pix_color import hardware

_SIZE = 4  # of all kernels, in both directions
# Multiplication was faster for maps up to this side, in pixels, and up to this
# many channels, at batches of 1, 4 and 16, in float32 and bfloat16.
_MAX_SIDE = 4
_MAX_CHANNELS = 4
# The same for gradients by kernels; oneDNN's are faster with AMX.
_MAX_SIDE_OF_PATCHES, _MAX_SIDE_OF_SHIFTS = (
    (8, 8) if hardware.has_amx() else (16, 32))

TRAINING, INFERENCE, KERAS = "training", "inference", "keras"


class FastLayer:
    """A convolution that may be computed as a matrix multiplication.

    Attributes:
      way: TRAINING; INFERENCE: without the gradients that are defined here,
        because a SavedModel would store them as functions; or KERAS: by Keras,
        for programs that other machines run.
    """

    way = TRAINING

    def is_left_to_keras(self, inputs: tf.Tensor) -> bool:
        """Says whether Keras computes the layer for inputs [N, H, W, C]."""
        # The side of a served model's squares may be known only at run time.
        return (self.way == KERAS or None in inputs.shape[1:3]
                or bool(tf.config.list_logical_devices("GPU")))


def set_way(network: keras.Model, way: str) -> None:
    """Sets how a network's convolutions compute when they are traced next.

    Args:
      network: any network.
      way: TRAINING, INFERENCE or KERAS.
    """
    for layer in network.layers:
        if isinstance(layer, FastLayer):
            layer.way = way


class Convolution(FastLayer, keras.layers.Conv2D):
    """keras.layers.Conv2D, 4x4, strides 2, `same`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.is_left_to_keras(inputs) or any(
                side % 2 for side in inputs.shape[1:3]):
            return super().call(inputs)
        convolve = _to_small if self.way == INFERENCE else _convolve
        return _activated(self, convolve(inputs, _tensor(self.kernel)))


class TransposedConvolution(FastLayer, keras.layers.Conv2DTranspose):
    """keras.layers.Conv2DTranspose, 4x4, strides 2, `same`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.is_left_to_keras(inputs):
            return super().call(inputs)
        convolve = _to_large if self.way == INFERENCE else _convolve_transposed
        return _activated(self, convolve(inputs, _tensor(self.kernel)))


class LogitsConvolution(FastLayer, keras.layers.Conv2D):
    """keras.layers.Conv2D of one filter, 4x4, strides 1, `valid`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.is_left_to_keras(inputs):
            return super().call(inputs)
        height, width = (side - _SIZE + 1 for side in inputs.shape[1:3])
        # What each pixel adds to the 4x4 logits that see it.
        addends = tf.reshape(
            tf.matmul(_pixels(inputs), tf.reshape(self.kernel, [_SIZE**2, -1]),
                      transpose_b=True),
            [-1, *inputs.shape[1:3], _SIZE**2])
        return _activated(self, tf.add_n([
            addends[:, row:row + height, column:column + width,
                    _SIZE * row + column, tf.newaxis]
            for row in range(_SIZE) for column in range(_SIZE)]))


def _activated(layer: keras.layers.Layer, outputs: tf.Tensor) -> tf.Tensor:
    if layer.use_bias:
        # tf.nn.bias_add would sum its gradient in bfloat16.
        outputs += _tensor(layer.bias)
    return layer.activation(outputs)


def _tensor(variable: keras.Variable) -> tf.Tensor:
    """Returns a variable in the type in which its layer computes."""
    return tf.convert_to_tensor(variable)


# A convolution with strides 2 turns a large map [N, 2h, 2w, C] into a small one
# [N, h, w, S], by a kernel [4, 4, C, S]. A transposed convolution does the
# reverse. Each is the gradient of the other by its input, and their gradients
# by the kernel are the same.


@tf.custom_gradient
def _convolve(large: tf.Tensor, kernel: tf.Tensor
              ) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream):
        return (_to_large(upstream, kernel),
                kernel_gradient(large, upstream, kernel))

    return _to_small(large, kernel), gradients


@tf.custom_gradient
def _convolve_transposed(small: tf.Tensor, kernel: tf.Tensor
                         ) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream):
        return (_to_small(upstream, kernel),
                kernel_gradient(upstream, small, kernel))

    return _to_large(small, kernel), gradients


def _to_small(large: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    height, width = large.shape[1] // 2, large.shape[2] // 2
    if max(height, width) > _MAX_SIDE:
        return tf.nn.conv2d(large, kernel, strides=2, padding="SAME")
    small = tf.matmul(_patches(large), _pixels(kernel))
    return tf.reshape(small, [-1, height, width, kernel.shape[-1]])


def _to_large(small: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    (height, width), channels = small.shape[1:3], kernel.shape[2]
    if max(height, width) > _MAX_SIDE and channels > _MAX_CHANNELS:
        return tf.nn.conv2d_transpose(
            small, kernel, strides=2, padding="SAME",
            output_shape=[tf.shape(small)[0], 2 * height, 2 * width, channels])
    patches = tf.matmul(_pixels(small), _pixels(kernel), transpose_b=True)
    # A patch consists of 2x2 cells of 2x2 pixels; neighbors share cells.
    patches = tf.reshape(patches, [-1, height, width, 2, 2, 2, 2 * channels])
    cells = tf.add_n([
        tf.pad(patches[:, :, :, row, :, column],
               [[0, 0], [row, 1 - row], [column, 1 - column], [0, 0], [0, 0]])
        for row in (0, 1) for column in (0, 1)])
    cells = tf.reshape(cells, [-1, height + 1, width + 1, 4 * channels])
    return tf.nn.depth_to_space(cells, 2)[:, 1:-1, 1:-1]


def kernel_gradient(large: tf.Tensor, small: tf.Tensor, kernel: tf.Tensor, *,
                    max_side_of_patches: int = _MAX_SIDE_OF_PATCHES,
                    max_side_of_shifts: int = _MAX_SIDE_OF_SHIFTS
                    ) -> tf.Tensor:
    """Computes the gradient by the kernel of a convolution with strides 2.

    Args:
      large: [N, 2h, 2w, C], the convolution's input.
      small: [N, h, w, S], the gradient by its output.
      kernel: [4, 4, C, S].
      max_side_of_patches: side of the largest small map whose patches are
        multiplied.
      max_side_of_shifts: side of the largest small map that is multiplied
        without patches; oneDNN does the rest.

    Returns:
      [4, 4, C, S].
    """
    side, channels = max(small.shape[1:3]), kernel.shape[2]
    if side > max_side_of_shifts or channels <= _MAX_CHANNELS:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=large, filter_sizes=kernel.shape, out_backprop=small,
            strides=[1, 2, 2, 1], padding="SAME")
    if side > max_side_of_patches:
        return _kernel_gradient_by_shifts(large, small)
    return tf.reshape(
        tf.matmul(_patches(large), _pixels(small), transpose_a=True),
        kernel.shape)


def _patches(large: tf.Tensor) -> tf.Tensor:
    """Returns the patch under each small pixel: [N * h * w, 4 * 4 * C]."""
    return _pixels(tf.image.extract_patches(
        tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        sizes=[1, _SIZE, _SIZE, 1], strides=[1, 2, 2, 1], rates=[1, 1, 1, 1],
        padding="VALID"))


def _kernel_gradient_by_shifts(large: tf.Tensor,
                               small: tf.Tensor) -> tf.Tensor:
    """Computes the kernel's gradient without patches of the large map.

    The kernel consists of 2x2 cells of 2x2 pixels. The gradient by each cell is
    one product of two matrices of pixels, shifted against each other. Borders
    of zeros make the products vanish where a row runs into the next.
    """
    width, filters = small.shape[2], small.shape[3]
    channels = large.shape[3]
    cells = _pixels(tf.nn.space_to_depth(
        tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2))
    pixels = _pixels(tf.pad(small, [[0, 0], [0, 1], [0, 1], [0, 0]]))
    count = tf.shape(pixels)[0]
    gradients = tf.stack([
        tf.matmul(cells[shift:], pixels[:count - shift], transpose_a=True)
        for shift in (0, 1, width + 1, width + 2)])
    gradients = tf.reshape(gradients, [2, 2, 2, 2, channels, filters])
    return tf.reshape(tf.transpose(gradients, [0, 2, 1, 3, 4, 5]),
                      [_SIZE, _SIZE, channels, filters])


def _pixels(maps: tf.Tensor) -> tf.Tensor:
    """Returns a matrix with one row per position of a map or kernel."""
    return tf.reshape(maps, [-1, maps.shape[-1]])
