"""Layers of pix2pix, with its initialization (Isola et al. 2017, 6.1, 6.2).

Kernels are drawn from N(0, 0.02), scales of norms from N(1, 0.02). Each
function takes the dtype policy in which its layer computes, such as `float32`
or `mixed_bfloat16`; variables are always float32.
"""

from typing import Any, Callable, Optional

import keras
import numpy as np
import tensorflow as tf

from pix2pix_color.fast_keras.batch_norm import FusedBatchNormalization
from pix2pix_color.fast_keras.convolution import Convolution, LogitsConvolution
from pix2pix_color.fast_keras.instance_norm import InstanceNormalization

KERNEL_SIZE = 4
LEAKY_SLOPE = 0.2
EPSILON = 1e-5
# Seeds that a network's layers draw noise from; the last is that of its noise
# channels.
SEEDS_A_NETWORK = 9
NOISE_CHANNELS_SEED = 8
# Beginning of the names of an encoder's layers.
ENCODER_PREFIX = "encoder."


def normal(mean: float = 0.0) -> keras.initializers.Initializer:
    """Returns pix2pix's initializer: a normal distribution, deviation 0.02."""
    return keras.initializers.RandomNormal(mean=mean, stddev=0.02)


def no_step() -> tf.Tensor:
    """Returns the step of a network that is not trained: int64 [], 0."""
    return tf.zeros([], tf.int64)


def convolution(filters: int, *, strides: int, use_bias: bool, dtype: str,
                name: str, kernel_size: int = KERNEL_SIZE
                ) -> keras.layers.Layer:
    """Makes a 4x4 convolution.

    With strides 2 it halves a picture of even size. With strides 1 the caller
    pads each side by one pixel, as pix2pix does, and the picture shrinks by one
    pixel; Keras's `same` would keep its size. Other kernels keep it.
    """
    kind = keras.layers.Conv2D
    if kernel_size == KERNEL_SIZE:
        kind = (Convolution if strides == 2 else
                LogitsConvolution if filters == 1 else kind)
    return kind(
        filters, kernel_size, strides=strides,
        padding="valid" if (kernel_size, strides) == (KERNEL_SIZE, 1)
        else "same", use_bias=use_bias,
        kernel_initializer=normal(), dtype=dtype, name=name)


def refinement(filters: int, *, use_bias: bool, dtype: str, name: str,
               initializer: Optional[keras.initializers.Initializer] = None
               ) -> keras.layers.Layer:
    """Makes a 3x3 convolution that keeps a picture's size."""
    return keras.layers.Conv2D(
        filters, 3, padding="same", use_bias=use_bias,
        kernel_initializer=initializer or normal(), dtype=dtype, name=name)


def batch_norm(*, synchronized: bool, dtype: str, name: str,
               gamma_initializer: Any = None) -> keras.layers.Layer:
    """Makes a batch normalization with pix2pix's epsilon and momentum.

    If synchronized, all replicas of a distributed step use the statistics of
    the whole batch; otherwise each uses those of its own examples.
    """
    options = dict(momentum=0.9, epsilon=EPSILON,
                   gamma_initializer=gamma_initializer or normal(mean=1.0),
                   dtype=dtype, name=name)
    if synchronized and tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return keras.layers.BatchNormalization(synchronized=True, **options)
    return FusedBatchNormalization(**options)


def instance_norm(*, synchronized: bool, dtype: str,
                  name: str) -> keras.layers.Layer:
    """Makes an instance normalization."""
    del synchronized  # replicas have nothing to share
    return InstanceNormalization(epsilon=EPSILON, gamma_initializer=normal(1.0),
                                 dtype=dtype, name=name)


# Norms between a layer and its activation.
NORMS = {
    "batch": batch_norm,
    "instance": instance_norm,
    "none": None,
}


def normalized(x: Any, *, norm: str, synchronized: bool, dtype: str,
               name: str) -> Any:
    """Normalizes a layer's output, unless norm is `none`.

    A layer before a norm has no bias: the norm would subtract it, and adds an
    offset of its own. (Pix2pix's Torch code has no instance norm. Its PyTorch
    port has one without scale and offset, and keeps the biases, which cancel.)

    Args:
      x: symbolic [N, H, W, C]; instance norm needs more than one pixel.
      norm: a key of NORMS.
      synchronized: whether batch norm spans all replicas.
      dtype: the layer's policy.
      name: the layer's name.
    """
    make = NORMS[norm]
    if make is None:
        return x
    return make(synchronized=synchronized, dtype=dtype, name=name)(x)


def leaky_relu(*, dtype: str, name: str) -> keras.layers.Layer:
    """Makes a LeakyReLU with slope 0.2 for negative values."""
    return keras.layers.LeakyReLU(LEAKY_SLOPE, dtype=dtype, name=name)


def gray_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Turns a first kernel for RGB into one for gray and noise channels.

    Args:
      kernel: [filters, 3, H, W].
      channels: number of input channels, the first of which is gray.

    Returns:
      float [filters, channels, H, W], zero for noise.
    """
    kernel = kernel.sum(axis=1, keepdims=True,
                        dtype=np.promote_types(kernel.dtype, np.float32))
    return np.pad(kernel, [(0, 0), (0, channels - 1), (0, 0), (0, 0)])


class Noise(keras.layers.Layer):
    """A layer whose noise is determined by a seed and the number of updates.

    It has no state, so a resumed run draws the noise that an uninterrupted one
    would. Each replica of a distributed step takes its rows of the noise for
    the whole batch, so the number of devices makes no difference.

    Attributes:
      sampling: whether there is noise at inference too, from a seed in place
        of step: pix2pix's noise (Isola et al. 2017, 3.1).

    Args:
      seed: distinguishes this layer's noise from another's.
      step: returns int64 [], the number of completed updates.
      dtype: the layer's policy.
      name: the layer's name.
      sampling: as above.
    """

    def __init__(self, *, seed: int, step: Callable[[], tf.Tensor], dtype: str,
                 name: str, sampling: bool = False) -> None:
        super().__init__(dtype=dtype, name=name)
        self._seed, self._step, self.sampling = seed, step, sampling

    def _draw(self, draw: Callable[..., tf.Tensor],
              shape: tf.Tensor) -> tf.Tensor:
        """Draws this replica's rows of the noise for the whole batch."""
        replica = tf.distribute.get_replica_context()
        whole = tf.concat(
            [shape[:1] * replica.num_replicas_in_sync, shape[1:]], axis=0)
        noise = draw(
            whole, tf.stack([tf.constant(self._seed, tf.int64), self._step()]))
        first = replica.replica_id_in_sync_group * shape[0]
        return noise[first:first + shape[0]]


class Dropout(Noise):
    """Dropout by stateless noise.

    Args:
      rate: share of values that are dropped, 0..1; the others are scaled by
        1 / (1 - rate).
      options: arguments of Noise.
    """

    def __init__(self, rate: float, **options: Any) -> None:
        super().__init__(**options)
        self.rate = rate

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not (training or self.sampling):
            return inputs
        noise = self._draw(tf.random.stateless_uniform, tf.shape(inputs))
        return inputs * tf.cast(
            noise >= self.rate, inputs.dtype) / (1 - self.rate)

    def compute_output_shape(
            self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape


class NoiseChannels(Noise):
    """Appends noise channels from N(0, 1): a conditional GAN's z, explicitly.

    Without sampling they are zero at inference, which is then deterministic.

    Args:
      num_channels: number of channels to append.
      options: arguments of Noise.
    """

    def __init__(self, num_channels: int, **options: Any) -> None:
        super().__init__(**options)
        self._num_channels = num_channels

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        shape = tf.concat(
            [tf.shape(inputs)[:-1], [self._num_channels]], axis=0)
        noise = (self._draw(tf.random.stateless_normal, shape)
                 if training or self.sampling else tf.zeros(shape))
        outputs = tf.concat([inputs, tf.cast(noise, inputs.dtype)], axis=-1)
        return tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))

    def compute_output_shape(
            self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], input_shape[-1] + self._num_channels)


def with_noise_channels(
        x: Any, num_channels: int, *, network_seed: int,
        step: Callable[[], tf.Tensor], sampling: bool, dtype: str) -> Any:
    """Appends noise channels, if any, to a network's symbolic input."""
    if not num_channels:
        return x
    return NoiseChannels(
        num_channels, step=step, sampling=sampling, dtype=dtype, name="noise",
        seed=network_seed * SEEDS_A_NETWORK + NOISE_CHANNELS_SEED)(x)


class PixelShuffle(keras.layers.Layer):
    """Turns [N, H, W, 4C] into [N, 2H, 2W, C], in blocks of 2x2 pixels."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(inputs, 2)


class BilinearDoubling(keras.layers.Layer):
    """Doubles [N, H, W, C] to [N, 2H, 2W, C] like tf.image.resize.

    It is a convolution with a fixed kernel to the four pixels that each pixel
    becomes. XLA compiles it on a CPU too, and its gradient is fast.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        channels = inputs.shape[-1]
        # Each half of a pixel takes 3/4 from it and 1/4 from its neighbor.
        halves = np.array([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
        kernel = np.einsum("py,qx,cd->yxcpqd", halves, halves,
                           np.eye(channels)).reshape(3, 3, channels, -1)
        padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        return tf.nn.depth_to_space(tf.nn.conv2d(
            padded, tf.constant(kernel, inputs.dtype), 1, "VALID"), 2)

    def compute_output_shape(
            self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)
