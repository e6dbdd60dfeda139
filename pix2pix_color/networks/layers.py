"""The layers of pix2pix, with its initialization (Isola et al. 2017, 6.1, 6.2).

Weights are drawn from N(0, 0.02), normalization scales from N(1, 0.02). Every
function takes the dtype policy that its layer computes in, `float32` or
`mixed_bfloat16`; variables are float32 in either.
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
# Layers of one network draw their noise from so many seeds; the last of them
# is that of the noise channels.
SEEDS_A_NETWORK = 9
NOISE_CHANNELS_SEED = 8
# What the names of an encoder's layers begin with.
ENCODER_PREFIX = "encoder."


def normal(mean: float = 0.0) -> keras.initializers.Initializer:
    """The original's initialization: deviation 0.02."""
    return keras.initializers.RandomNormal(mean=mean, stddev=0.02)


def no_step() -> tf.Tensor:
    """The number of updates of a network that is not trained: int64 [], 0."""
    return tf.zeros([], tf.int64)


def convolution(filters: int, *, strides: int, use_bias: bool, dtype: str,
                name: str, kernel_size: int = KERNEL_SIZE
                ) -> keras.layers.Layer:
    """Convolution, 4x4, that halves (strides 2) a picture of even size.

    With strides 1 the caller pads by one pixel a side, as the original does,
    and the picture shrinks by one pixel: Keras's `same` would keep its size.
    """
    kind = keras.layers.Conv2D
    if kernel_size == KERNEL_SIZE:
        kind = (Convolution if strides == 2 else
                LogitsConvolution if filters == 1 else kind)
    return kind(
        filters, kernel_size, strides=strides,
        padding="same" if strides == 2 else "valid", use_bias=use_bias,
        kernel_initializer=normal(), dtype=dtype, name=name)


def refinement(filters: int, *, use_bias: bool, dtype: str, name: str,
               initializer: Optional[keras.initializers.Initializer] = None
               ) -> keras.layers.Layer:
    """3x3 convolution that keeps a picture's size."""
    return keras.layers.Conv2D(
        filters, 3, padding="same", use_bias=use_bias,
        kernel_initializer=initializer or normal(), dtype=dtype, name=name)


def batch_norm(*, synchronized: bool, dtype: str, name: str,
               gamma_initializer: Any = None) -> keras.layers.Layer:
    """Batch normalization with the original's epsilon and momentum.

    Synchronized, it normalizes by the statistics of the whole batch; otherwise
    each replica of a distributed step by those of its own examples.
    """
    options = dict(momentum=0.9, epsilon=EPSILON,
                   gamma_initializer=gamma_initializer or normal(mean=1.0),
                   dtype=dtype, name=name)
    if synchronized and tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return keras.layers.BatchNormalization(synchronized=True, **options)
    return FusedBatchNormalization(**options)


def instance_norm(*, synchronized: bool, dtype: str,
                  name: str) -> keras.layers.Layer:
    """Instance normalization: there is nothing that replicas could share."""
    del synchronized
    return InstanceNormalization(epsilon=EPSILON, gamma_initializer=normal(1.0),
                                 dtype=dtype, name=name)


# What stands between a layer and its activation.
NORMS = {
    "batch": batch_norm,
    "instance": instance_norm,
    "none": None,
}


def normalized(x: Any, *, norm: str, synchronized: bool, dtype: str,
               name: str) -> Any:
    """Brings a layer's output through the norm of this kind, if any.

    A layer under a norm has no bias, under instance norm neither: the norm
    would subtract it again and its own offset stands in for it. (The Torch
    code of pix2pix has biases there, which likewise cancel, and neither scale
    nor offset.) Without a norm it has one.

    Args:
      x: symbolic [N, H, W, C]; more than one pixel under instance norm.
      norm: a key of NORMS.
      synchronized: whether batch norm is that of all replicas.
      dtype: the layer's policy.
      name: the layer's name.
    """
    make = NORMS[norm]
    if make is None:
        return x
    return make(synchronized=synchronized, dtype=dtype, name=name)(x)


def leaky_relu(*, dtype: str, name: str) -> keras.layers.Layer:
    """LeakyReLU with slope 0.2 for negative values."""
    return keras.layers.LeakyReLU(LEAKY_SLOPE, dtype=dtype, name=name)


class Dropout(keras.layers.Layer):
    """Dropout whose noise follows from a seed and a number of updates alone.

    There is no state to save: a run that was resumed draws what it would have
    drawn. Each replica of a distributed step takes its own rows of the noise
    for the whole batch, so that the number of devices changes nothing.

    Args:
      rate: share of the values that are dropped, 0..1; the others are scaled
        by 1 / (1 - rate).
      seed: tells this layer's noise from another's.
      step: returns int64 [], the number of completed updates.
      dtype: the layer's policy.
      name: the layer's name.
      sampling: whether it drops at inference too, where step stands for a
        seed: pix2pix's noise (Isola et al. 2017, 3.1).
    """

    def __init__(self, rate: float, *, seed: int,
                 step: Callable[[], tf.Tensor], dtype: str, name: str,
                 sampling: bool = False) -> None:
        super().__init__(dtype=dtype, name=name)
        self.rate, self._seed, self._step = rate, seed, step
        self.sampling = sampling

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not (training or self.sampling):
            return inputs
        noise = _own_rows(tf.random.stateless_uniform, tf.shape(inputs),
                          seed=self._seed, step=self._step())
        kept = noise >= self.rate
        return inputs * tf.cast(kept, inputs.dtype) / (1 - self.rate)

    def compute_output_shape(
            self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape


class NoiseChannels(keras.layers.Layer):
    """Appends channels of noise: the z of a conditional GAN, made explicit.

    In training they are drawn from N(0, 1) as Dropout draws, from seed and
    step alone. At inference they are zero, so that it is deterministic, unless
    the layer was made for sampling.

    Args:
      num_channels: how many are appended.
      seed: tells this layer's noise from another's.
      step: returns int64 [], the number of completed updates.
      dtype: the layer's policy.
      name: the layer's name.
      sampling: whether there is noise at inference too, where step stands for
        a seed.
    """

    def __init__(self, num_channels: int, *, seed: int,
                 step: Callable[[], tf.Tensor], dtype: str, name: str,
                 sampling: bool = False) -> None:
        super().__init__(dtype=dtype, name=name)
        self._num_channels, self.sampling = num_channels, sampling
        self._seed, self._step = seed, step

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        shape = tf.concat(
            [tf.shape(inputs)[:-1], [self._num_channels]], axis=0)
        if training or self.sampling:
            noise = _own_rows(tf.random.stateless_normal, shape,
                              seed=self._seed, step=self._step())
        else:
            noise = tf.zeros(shape)
        outputs = tf.concat([inputs, tf.cast(noise, inputs.dtype)], axis=-1)
        return tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))

    def compute_output_shape(
            self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], input_shape[-1] + self._num_channels)


def _own_rows(draw: Callable[..., tf.Tensor], shape: tf.Tensor, *, seed: int,
              step: tf.Tensor) -> tf.Tensor:
    """This replica's rows of the noise that is drawn for the whole batch."""
    replica = tf.distribute.get_replica_context()
    whole = tf.concat(
        [shape[:1] * replica.num_replicas_in_sync, shape[1:]], axis=0)
    noise = draw(whole, tf.stack([tf.constant(seed, tf.int64), step]))
    first = replica.replica_id_in_sync_group * shape[0]
    return noise[first:first + shape[0]]


class PixelShuffle(keras.layers.Layer):
    """[N, H, W, 4C] to [N, 2H, 2W, C]: depth to space in blocks of 2x2."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(inputs, 2)


class BilinearDoubling(keras.layers.Layer):
    """[N, H, W, C] to [N, 2H, 2W, C], as tf.image.resize does it.

    A convolution with a fixed kernel to the four pixels that each becomes,
    which XLA compiles on a CPU too, and whose gradient is fast.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        channels = inputs.shape[-1]
        # A pixel's two halves are three quarters its own and one quarter that
        # of the neighbor on their side.
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
