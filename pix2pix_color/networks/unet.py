"""The U-Net generator of pix2pix (Isola et al. 2017, arXiv:1611.07004, 6.1.1).

For 256 px, lab and 64 base filters (54 M parameters). C is a convolution, D a
transposed one, all 4x4 with stride 2:

    encoder                            decoder
    level  layer      output            level  layer              output
    0      C64        128 x 128 x 64    -      D2 bias tanh       256 x 256 x 2
    1      C128 norm  64 x 64 x 128     0      D64 norm           128 x 128 x 64
    2      C256 norm  32 x 32 x 256     1      D128 norm          64 x 64 x 128
    3      C512 norm  16 x 16 x 512     2      D256 norm          32 x 32 x 256
    4      C512 norm  8 x 8 x 512       3      D512 norm          16 x 16 x 512
    5      C512 norm  4 x 4 x 512       4      D512 norm dropout  8 x 8 x 512
    6      C512 norm  2 x 2 x 512       5      D512 norm dropout  4 x 4 x 512
    7      C512       1 x 1 x 512       6      D512 norm dropout  2 x 2 x 512

A LeakyReLU precedes each convolution but the first, a ReLU each transposed one
(or a LeakyReLU: decoder_activation).
The decoder's output at a level is joined with the encoder's. The innermost
layer has no norm, which would turn its single pixel into zero. Layers before a
norm have no bias. Other kinds of upsampling (networks/upsampling.py) replace
the transposed convolutions, other norms replace batch norm.

There are log2(size) levels, so that the innermost layer always sees one pixel:
512 px adds a level of 512 filters inside, smaller sizes drop inner ones.

Dropout (rate 0.5) is where the paper's Torch code has it: on the outputs of
2x2, 4x4 and 8x8. (The PyTorch ports moved it one level out.) Only layers of
full width have it, as there: one at 32 px, two at 64 px, three from 128 px on.
"""

from typing import Callable

import keras
import tensorflow as tf

from pix2pix_color.networks import layers
from pix2pix_color.networks.upsampling import UPSAMPLINGS

NUM_DROPOUT_LAYERS = 3
MAX_WIDENING = 8


def build_unet(*, image_size: int, condition_channels: int,
               target_channels: int, base_filters: int = 64,
               norm: str = "batch", upsampling: str = "auto",
               decoder_activation: str = "relu", noise_channels: int = 0,
               dropout: float = 0.5, dropout_seed: int = 0,
               step: Callable[[], tf.Tensor] = layers.no_step,
               sampling: bool = False, synchronized_norm: bool = False,
               dtype: str = "float32") -> keras.Model:
    """Builds the generator.

    Args:
      image_size: side S of the square in pixels, a power of two from 32 to
        512.
      condition_channels: channels C of the condition.
      target_channels: channels D of the target.
      base_filters: width of the first convolution.
      norm: `batch`, `instance` or `none`.
      upsampling: a key of UPSAMPLINGS, or `auto`: transposed.
      decoder_activation: `relu` or `leaky_relu`.
      noise_channels: number of noise channels appended to the condition.
      dropout: rate of the innermost decoder layers; 0: none.
      dropout_seed: determines all noise, together with step.
      step: returns int64 [], the number of completed updates.
      sampling: whether there is noise at inference too.
      synchronized_norm: whether a distributed step batch-normalizes over all
        replicas.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from condition float32 [N, S, S, C] to target float32
      [N, S, S, D], in -1..1.

    Raises:
      ValueError: image_size is not allowed.
    """
    if image_size not in (32, 64, 128, 256, 512):
        raise ValueError(f"image_size={image_size} must be a power of two from "
                         f"32 to 512")
    depth = image_size.bit_length() - 1
    filters = [base_filters * min(2**level, MAX_WIDENING)
               for level in range(depth)]

    condition = keras.Input((image_size, image_size, condition_channels),
                            name="condition")
    upsample = UPSAMPLINGS[
        "transposed" if upsampling == "auto" else upsampling]
    decoder_relu = (layers.leaky_relu if decoder_activation == "leaky_relu"
                    else keras.layers.ReLU)
    x = layers.with_noise_channels(
        condition, noise_channels, network_seed=dropout_seed, step=step,
        sampling=sampling, dtype=dtype)
    skips = []
    for level in range(depth):
        name = f"encoder{level}"
        has_norm = norm != "none" and 0 < level < depth - 1
        if level > 0:
            x = layers.leaky_relu(dtype=dtype, name=f"{name}_relu")(x)
        x = layers.convolution(filters[level], strides=2, use_bias=not has_norm,
                               dtype=dtype, name=name)(x)
        if has_norm:
            x = layers.normalized(x, norm=norm, synchronized=synchronized_norm,
                                  dtype=dtype, name=f"{name}_norm")
        skips.append(x)

    for level in reversed(range(depth - 1)):
        name = f"decoder{level}"
        is_innermost = level > depth - 2 - NUM_DROPOUT_LAYERS
        is_full_width = filters[level] == base_filters * MAX_WIDENING
        x = decoder_relu(dtype=dtype, name=f"{name}_relu")(x)
        x = upsample(x, filters[level], use_bias=norm == "none", dtype=dtype,
                     name=name)
        x = layers.normalized(x, norm=norm, synchronized=synchronized_norm,
                              dtype=dtype, name=f"{name}_norm")
        if dropout and is_innermost and is_full_width:
            x = layers.Dropout(
                dropout, seed=dropout_seed * layers.SEEDS_A_NETWORK + level,
                step=step, sampling=sampling, dtype=dtype,
                name=f"{name}_dropout")(x)
        x = keras.layers.Concatenate(dtype=dtype, name=f"{name}_join")(
            [x, skips[level]])

    x = decoder_relu(dtype=dtype, name="output_relu")(x)
    x = upsample(x, target_channels, use_bias=True, dtype="float32",
                 name="output")
    target = keras.layers.Activation("tanh", dtype="float32", name="target")(x)
    return keras.Model(condition, target, name="unet")
