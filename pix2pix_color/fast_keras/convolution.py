"""pix2pix's convolutions as matrix multiplications, where these are faster.

The same layers, variables and arithmetic as Keras's with 4x4 kernels. On CPUs
oneDNN's convolutions are at their worst at both ends of pix2pix's networks:
deep inside, where a map of few pixels meets a kernel of millions of weights
and the gradients by the kernel take most of the time; and at the outputs of
one to three channels. There the same products are taken by matrix
multiplication, on kernels as they lie in memory. On two CPU cores this makes a
training step up to 1.2 times as fast. GPUs keep Keras's own.
"""

import contextlib
from typing import Callable, Iterator

import keras
import tensorflow as tf

from pix2pix_color import hardware

_SIZE = 4  # of all kernels, in either direction
# Where multiplying was the faster one at batch 1, 4 and 16, float32 and
# bfloat16: sides of the smaller map, in pixels, and channels.
_MAX_SIDE = 4
_MAX_CHANNELS = 4
# With AMX oneDNN's gradients by kernels catch up sooner.
_MAX_SIDE_OF_PATCHES, _MAX_SIDE_OF_SHIFTS = (
    (8, 8) if hardware.has_amx() else (16, 32))


class Convolution(keras.layers.Conv2D):
    """keras.layers.Conv2D, 4x4, strides 2, `same`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if _keras_is_better(inputs) or any(
                side % 2 for side in inputs.shape[1:3]):
            return super().call(inputs)
        convolve = _to_small if _is_without_gradients else _convolve
        return _activated(self, convolve(inputs, _tensor(self.kernel)))


class TransposedConvolution(keras.layers.Conv2DTranspose):
    """keras.layers.Conv2DTranspose, 4x4, strides 2, `same`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if _keras_is_better(inputs):
            return super().call(inputs)
        convolve = _to_large if _is_without_gradients else _convolve_transposed
        return _activated(self, convolve(inputs, _tensor(self.kernel)))


class LogitsConvolution(keras.layers.Conv2D):
    """keras.layers.Conv2D of one filter, 4x4, strides 1, `valid`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if _keras_is_better(inputs):
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
        # Not tf.nn.bias_add, whose gradient is added up in bfloat16.
        outputs += _tensor(layer.bias)
    return layer.activation(outputs)


def _tensor(variable: keras.Variable) -> tf.Tensor:
    """A layer's variable in the type that the layer computes in."""
    return tf.convert_to_tensor(variable)


@contextlib.contextmanager
def left_to_keras() -> Iterator[None]:
    """Networks that are traced within have Keras's convolutions.

    For programs that will run on another machine's accelerator.
    """
    global _is_left_to_keras
    _is_left_to_keras = True
    try:
        yield
    finally:
        _is_left_to_keras = False


_is_left_to_keras = False


@contextlib.contextmanager
def without_gradients() -> Iterator[None]:
    """Networks that are traced within are for inference alone.

    A SavedModel would hold every gradient that is defined here as a function.
    """
    global _is_without_gradients
    _is_without_gradients = True
    try:
        yield
    finally:
        _is_without_gradients = False


_is_without_gradients = False


def _keras_is_better(inputs: tf.Tensor) -> bool:
    # A served model takes squares of sizes that it is told when it runs.
    return (_is_left_to_keras or None in inputs.shape[1:3]
            or bool(tf.config.list_logical_devices("GPU")))


# With strides 2 a convolution takes a large map [N, 2h, 2w, C] to a small one
# [N, h, w, S] by a kernel [4, 4, C, S]; a transposed one goes the other way by
# the same kernel. Each is the other's gradient, and both have the same
# gradient by the kernel.


@tf.custom_gradient
def _convolve(large: tf.Tensor, kernel: tf.Tensor
              ) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream):
        return (_to_large(upstream, kernel),
                _kernel_gradient(large, upstream, kernel))

    return _to_small(large, kernel), gradients


@tf.custom_gradient
def _convolve_transposed(small: tf.Tensor, kernel: tf.Tensor
                         ) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream):
        return (_to_small(upstream, kernel),
                _kernel_gradient(upstream, small, kernel))

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
    # A patch is 2x2 cells of 2x2 pixels; it shares cells with its neighbors.
    patches = tf.reshape(patches, [-1, height, width, 2, 2, 2, 2 * channels])
    cells = tf.add_n([
        tf.pad(patches[:, :, :, row, :, column],
               [[0, 0], [row, 1 - row], [column, 1 - column], [0, 0], [0, 0]])
        for row in (0, 1) for column in (0, 1)])
    cells = tf.reshape(cells, [-1, height + 1, width + 1, 4 * channels])
    return tf.nn.depth_to_space(cells, 2)[:, 1:-1, 1:-1]


def _kernel_gradient(large: tf.Tensor, small: tf.Tensor,
                     kernel: tf.Tensor) -> tf.Tensor:
    side, channels = max(small.shape[1:3]), kernel.shape[2]
    if side > _MAX_SIDE_OF_SHIFTS or channels <= _MAX_CHANNELS:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=large, filter_sizes=kernel.shape, out_backprop=small,
            strides=[1, 2, 2, 1], padding="SAME")
    if side > _MAX_SIDE_OF_PATCHES:
        return _kernel_gradient_by_shifts(large, small)
    return tf.reshape(
        tf.matmul(_patches(large), _pixels(small), transpose_a=True),
        kernel.shape)


def _patches(large: tf.Tensor) -> tf.Tensor:
    """What each pixel of the small map sees: [N * h * w, 4 * 4 * C]."""
    return _pixels(tf.image.extract_patches(
        tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        sizes=[1, _SIZE, _SIZE, 1], strides=[1, 2, 2, 1], rates=[1, 1, 1, 1],
        padding="VALID"))


def _kernel_gradient_by_shifts(large: tf.Tensor,
                               small: tf.Tensor) -> tf.Tensor:
    """The kernel's gradient without making patches of the large map.

    In cells of 2x2 pixels the kernel is 2x2 cells, and the gradient by each of
    them is one product of two matrices of pixels, shifted against each other.
    A border of zeros around both maps gives zero where rows run over.
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
    """A matrix with a row for each place of a map or kernel."""
    return tf.reshape(maps, [-1, maps.shape[-1]])
