"""Three ways to double a picture's height and width in a decoder.

- transposed: pix2pix's transposed convolution. Each pixel of a 2x2 block has
  weights of its own, so with random weights neighbors differ in a
  checkerboard. (The kernel's overlap is even, because 2 divides 4.)
- resize: nearest neighbor, then a 3x3 convolution (Odena et al. 2016,
  "Deconvolution and Checkerboard Artifacts", https://doi.org/10.23915/
  distill.00003, which prefers nearest neighbor to bilinear).
- pixel_shuffle: a 3x3 convolution to four times the channels, each four of
  which become 2x2 pixels (Shi et al. 2016, arXiv:1609.05158). It starts as
  nearest neighbor after a convolution (ICNR, Aitken et al. 2017,
  arXiv:1707.02937).

Each function takes symbolic x [N, H, W, C], filters, use_bias, dtype and name,
and returns symbolic [N, 2H, 2W, filters]. The layer with the weights is called
`name`.
"""

from typing import Any

import keras
import tensorflow as tf

from pix2pix_color.fast_keras.convolution import TransposedConvolution
from pix2pix_color.networks import layers


def transposed(x: Any, filters: int, *, use_bias: bool, dtype: str,
               name: str) -> Any:
    """Doubles by a 4x4 transposed convolution, strides 2."""
    return TransposedConvolution(
        filters, layers.KERNEL_SIZE, strides=2, padding="same",
        use_bias=use_bias, kernel_initializer=layers.normal(), dtype=dtype,
        name=name)(x)


def resize(x: Any, filters: int, *, use_bias: bool, dtype: str,
           name: str) -> Any:
    """Doubles by nearest neighbor, then a 3x3 convolution."""
    x = keras.layers.UpSampling2D(2, interpolation="nearest", dtype=dtype,
                                  name=f"{name}_resize")(x)
    return layers.refinement(filters, use_bias=use_bias, dtype=dtype,
                             name=name)(x)


def pixel_shuffle(x: Any, filters: int, *, use_bias: bool, dtype: str,
                  name: str) -> Any:
    """Doubles by a 3x3 convolution to 4 x filters channels and a shuffle."""
    x = layers.refinement(4 * filters, use_bias=use_bias, dtype=dtype,
                          name=name, initializer=Icnr(layers.normal()))(x)
    return layers.PixelShuffle(dtype=dtype, name=f"{name}_shuffle")(x)


UPSAMPLINGS = {
    "transposed": transposed,
    "resize": resize,
    "pixel_shuffle": pixel_shuffle,
}


class Icnr(keras.initializers.Initializer):
    """Equal weights for the four pixels of a block (Aitken et al. 2017, 4).

    Before the first update, a pixel shuffle then equals nearest-neighbor
    upsampling of the convolution, without a checkerboard.

    Args:
      initializer: draws the kernel of one pixel of the block.
    """

    def __init__(self, initializer: keras.initializers.Initializer) -> None:
        self._initializer = initializer

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        *window, filters = shape
        # depth_to_space expects C channels of each of the block's pixels.
        kernel = self._initializer((*window, filters // 4), dtype=dtype)
        return tf.tile(tf.convert_to_tensor(kernel), [1, 1, 1, 4])
