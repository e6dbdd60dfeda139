"""Discriminators of patches, of single pixels and of whole images.

All see condition and target together and put out logits; the sigmoid is part of
the loss. The tables are for 256 px, lab and 64 base filters.

PatchGAN (Isola et al. 2017, 6.1.2; 2.8 M parameters) rates overlapping patches
of 70 x 70 px. All convolutions are 4x4:

    layer                      stride  output
    C64         LeakyReLU      2       128 x 128 x 64
    C128  norm  LeakyReLU      2       64 x 64 x 128
    C256  norm  LeakyReLU      2       32 x 32 x 256
    pad 1, C512 norm LeakyReLU 1       31 x 31 x 512
    pad 1, C1, bias            1       30 x 30 x 1      logits, float32

That is num_layers = 3, the convolutions with stride 2. Each further one doubles
the width, up to 8 x base filters; 1 to 5 give patches of 16, 34, 70, 142 and
286 px.

PixelGAN (same section) rates each pixel. All convolutions are 1x1, stride 1:

    C64         LeakyReLU              256 x 256 x 64
    C128  norm  LeakyReLU              256 x 256 x 128
    C1, bias                           256 x 256 x 1    logits, float32

DCGAN (after Radford et al. 2016, arXiv:1511.06434, section 3; 11 M parameters)
rates the whole image. Convolutions, 4x4 with stride 2, halve the map to at most
7 x 7:

    C64         LeakyReLU              128 x 128 x 64
    C128  norm  LeakyReLU              64 x 64 x 128
    C256  norm  LeakyReLU              32 x 32 x 256
    C512  norm  LeakyReLU              16 x 16 x 512
    C512  norm  LeakyReLU              8 x 8 x 512
    C512  norm  LeakyReLU              4 x 4 x 512
    flatten, dense with bias           1                logit, float32

dcgan_max_pool is the same with 3x3 convolutions of stride 1, which keep the
size. Max pooling, 2x2, halves it after each LeakyReLU.
"""

import functools
from typing import Any

import keras

from pix2pix_color.networks import layers

MAX_WIDENING = 8
MAX_FLATTENED_SIDE = 7
KINDS = ("patchgan", "pixel", "dcgan", "dcgan_max_pool")


def build_discriminator(
        kind: str, *, image_size: int, condition_channels: int,
        target_channels: int, base_filters: int = 64, num_layers: int = 3,
        norm: str = "batch", synchronized_norm: bool = False,
        dtype: str = "float32") -> keras.Model:
    """Builds a discriminator.

    Args:
      kind: one of KINDS.
      image_size: side S of the square in pixels. For patchgan, a multiple of
        2**num_layers, at least 3 * 2**num_layers.
      condition_channels: channels C of the condition.
      target_channels: channels D of the target.
      base_filters: width of the first convolution.
      num_layers: number of patchgan's convolutions with stride 2.
      norm: `batch`, `instance` or `none`.
      synchronized_norm: whether a distributed step batch-normalizes over all
        replicas.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from [condition float32 [N, S, S, C], target float32
      [N, S, S, D]] to float32 logits: for patchgan [N, h, h, 1] with
      h = S / 2**num_layers - 2, for pixel [N, S, S, 1], for both dcgan
      [N, 1].
    """
    condition, target = (
        keras.Input((image_size, image_size, channels), name=name)
        for name, channels in (("condition", condition_channels),
                               ("target", target_channels)))
    x = keras.layers.Concatenate(dtype=dtype, name="join")([condition, target])
    block = functools.partial(
        _block, base_filters=base_filters, norm=norm,
        synchronized=synchronized_norm, dtype=dtype)
    last: dict[str, Any] = dict(strides=1, use_bias=True, dtype="float32",
                                name="logits")
    if kind == "patchgan":
        for level in range(num_layers):
            x = block(x, "patch", level, strides=2)
        x = keras.layers.ZeroPadding2D(
            1, dtype=dtype, name=f"patch{num_layers}_pad")(x)
        x = block(x, "patch", num_layers, strides=1)
        x = keras.layers.ZeroPadding2D(1, dtype="float32", name="logits_pad")(x)
        logits = layers.convolution(1, **last)(x)
    elif kind == "pixel":
        for level in range(2):
            x = block(x, "pixel", level, strides=1, kernel_size=1)
        logits = layers.convolution(1, kernel_size=1, **last)(x)
    else:
        level = 0
        while x.shape[1] > MAX_FLATTENED_SIDE:
            if kind == "dcgan":
                x = block(x, "whole", level, strides=2)
            else:
                x = block(x, "whole", level, strides=1, kernel_size=3)
                x = keras.layers.MaxPooling2D(
                    dtype=dtype, name=f"whole{level}_pool")(x)
            level += 1
        x = keras.layers.Flatten(dtype="float32", name="flatten")(x)
        logits = keras.layers.Dense(1, kernel_initializer=layers.normal(),
                                    dtype="float32", name="logits")(x)
    return keras.Model([condition, target], logits, name=kind)


def _block(x, kind, level, *, base_filters, norm, synchronized, dtype,
           **options):
    """Adds a convolution, a norm except on level 0, and a LeakyReLU."""
    name, has_norm = f"{kind}{level}", norm != "none" and level > 0
    x = layers.convolution(
        base_filters * min(2**level, MAX_WIDENING), use_bias=not has_norm,
        dtype=dtype, name=name, **options)(x)
    if has_norm:
        x = layers.normalized(x, norm=norm, synchronized=synchronized,
                              dtype=dtype, name=f"{name}_norm")
    return layers.leaky_relu(dtype=dtype, name=f"{name}_relu")(x)


def receptive_field(discriminator: keras.Model) -> int:
    """Returns the side in pixels of the square that one logit depends on.

    For both dcgan it is the side of the image. Norms are not counted; in
    training their statistics are those of a whole picture or batch.
    """
    if any(isinstance(layer, keras.layers.Dense)
           for layer in discriminator.layers):
        return discriminator.inputs[0].shape[1]
    field = 1
    for layer in reversed(discriminator.layers):
        if isinstance(layer, keras.layers.Conv2D):
            field = (field - 1) * layer.strides[0] + layer.kernel_size[0]
    return field
