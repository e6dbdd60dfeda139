"""The layers of pix2pix, with its initialization (Isola et al. 2017, 6.1, 6.2).

Weights are drawn from N(0, 0.02), normalization scales from N(1, 0.02). Every
function takes the dtype policy that its layer computes in, `float32` or
`mixed_bfloat16`; variables are float32 in either.
"""

import keras

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
    return keras.layers.Conv2D(
        filters, KERNEL_SIZE, strides=strides,
        padding="same" if strides == 2 else "valid", use_bias=use_bias,
        kernel_initializer=_normal(), dtype=dtype, name=name)


def upsampling(filters: int, *, use_bias: bool, dtype: str,
               name: str) -> keras.layers.Layer:
    """4x4 transposed convolution, strides 2: doubles height and width."""
    return keras.layers.Conv2DTranspose(
        filters, KERNEL_SIZE, strides=2, padding="same", use_bias=use_bias,
        kernel_initializer=_normal(), dtype=dtype, name=name)


def batch_norm(*, dtype: str, name: str) -> keras.layers.Layer:
    """Batch normalization with the original's epsilon and momentum."""
    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=_normal(mean=1.0),
        dtype=dtype, name=name)


def leaky_relu(*, dtype: str, name: str) -> keras.layers.Layer:
    """LeakyReLU with slope 0.2 for negative values."""
    return keras.layers.LeakyReLU(LEAKY_SLOPE, dtype=dtype, name=name)
