"""The layers of pix2pix, with its initialization (Isola et al. 2017, 6.1, 6.2).

Weights are drawn from N(0, 0.02), normalization scales from N(1, 0.02). Every
function takes the dtype policy that its layer computes in, `float32` or
`mixed_bfloat16`; variables are float32 in either.
"""

from typing import Callable

import keras
import tensorflow as tf

from pix2pix_color.networks.fused_batch_norm import FusedBatchNormalization
from pix2pix_color.networks.matmul_convolution import (Convolution,
                                                       LogitsConvolution,
                                                       TransposedConvolution)

KERNEL_SIZE = 4
LEAKY_SLOPE = 0.2


def _normal(mean: float = 0.0) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(mean=mean, stddev=0.02)


def convolution(filters: int, *, strides: int, use_bias: bool, dtype: str,
                name: str) -> keras.layers.Layer:
    """4x4 convolution that halves (strides 2) a picture of even size.

    With strides 1 the caller pads by one pixel a side, as the original does,
    and the picture shrinks by one pixel: Keras's `same` would keep its size.
    """
    kind = (Convolution if strides == 2 else
            LogitsConvolution if filters == 1 else keras.layers.Conv2D)
    return kind(
        filters, KERNEL_SIZE, strides=strides,
        padding="same" if strides == 2 else "valid", use_bias=use_bias,
        kernel_initializer=_normal(), dtype=dtype, name=name)


def upsampling(filters: int, *, use_bias: bool, dtype: str,
               name: str) -> keras.layers.Layer:
    """4x4 transposed convolution, strides 2: doubles height and width."""
    return TransposedConvolution(
        filters, KERNEL_SIZE, strides=2, padding="same", use_bias=use_bias,
        kernel_initializer=_normal(), dtype=dtype, name=name)


def batch_norm(*, synchronized: bool, dtype: str,
               name: str) -> keras.layers.Layer:
    """Batch normalization with the original's epsilon and momentum.

    Synchronized, it normalizes by the statistics of the whole batch; otherwise
    each replica of a distributed step by those of its own examples.
    """
    options = dict(momentum=0.9, epsilon=1e-5,
                   gamma_initializer=_normal(mean=1.0), dtype=dtype, name=name)
    if synchronized and tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return keras.layers.BatchNormalization(synchronized=True, **options)
    return FusedBatchNormalization(**options)


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
        replica = tf.distribute.get_replica_context()
        shape = tf.shape(inputs)
        whole = tf.concat(
            [shape[:1] * replica.num_replicas_in_sync, shape[1:]], axis=0)
        noise = tf.random.stateless_uniform(
            whole, tf.stack([tf.constant(self._seed, tf.int64), self._step()]))
        first = replica.replica_id_in_sync_group * shape[0]
        kept = noise[first:first + shape[0]] >= self.rate
        return inputs * tf.cast(kept, inputs.dtype) / (1 - self.rate)

    def compute_output_shape(
            self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape
