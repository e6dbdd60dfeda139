"""The discriminators of pix2pix (Isola et al. 2017, 6.1.2): patches and pixels.

Both see condition and target together. The PatchGAN judges overlapping
patches, each logit a patch of 70 x 70 px. For 256 px, lab, 64 base filters
(2.8 M parameters), all convolutions 4x4:

    layer                      stride  output
    C64         LeakyReLU      2       128 x 128 x 64
    C128  norm  LeakyReLU      2       64 x 64 x 128
    C256  norm  LeakyReLU      2       32 x 32 x 256
    pad 1, C512 norm LeakyReLU 1       31 x 31 x 512
    pad 1, C1, bias            1       30 x 30 x 1      logits, float32

That is num_layers = 3, the convolutions that halve. Each more of them doubles
the width, up to 8 x base filters, and the patch, roughly: 16, 34, 70, 142 and
286 px for 1 to 5.

The PixelGAN judges each pixel by itself, all convolutions 1x1, stride 1:

    C64         LeakyReLU              256 x 256 x 64
    C128  norm  LeakyReLU              256 x 256 x 128
    C1, bias                           256 x 256 x 1    logits, float32
"""

from typing import Any

import keras

from pix2pix_color.networks import layers

MAX_WIDENING = 8


def build_patchgan(*, image_size: int, condition_channels: int,
                   target_channels: int, base_filters: int = 64,
                   num_layers: int = 3, norm: str = "batch",
                   synchronized_norm: bool = False,
                   dtype: str = "float32") -> keras.Model:
    """Builds the discriminator of patches.

    Args:
      image_size: side of the square in pixels, divisible by 2**num_layers, at
        least 3 * 2**num_layers.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      base_filters: width of the first convolution.
      num_layers: how many convolutions halve.
      norm: `batch`, `instance` or `none`.
      synchronized_norm: whether a distributed step batch-normalizes over all
        of its replicas.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from [condition float32 [N, S, S, C], target float32
      [N, S, S, D]] to logits float32 [N, h, h, 1], h = S/2**num_layers - 2.
    """
    inputs, x = joined_inputs(
        image_size=image_size, condition_channels=condition_channels,
        target_channels=target_channels, dtype=dtype)
    for level in range(num_layers + 1):
        name = f"patch{level}"
        has_norm = norm != "none" and level > 0
        strides = 2 if level < num_layers else 1
        if strides == 1:
            x = keras.layers.ZeroPadding2D(1, dtype=dtype,
                                           name=f"{name}_pad")(x)
        x = layers.convolution(base_filters * min(2**level, MAX_WIDENING),
                               strides=strides, use_bias=not has_norm,
                               dtype=dtype, name=name)(x)
        if has_norm:
            x = layers.normalized(x, norm=norm, synchronized=synchronized_norm,
                                  dtype=dtype, name=f"{name}_norm")
        x = layers.leaky_relu(dtype=dtype, name=f"{name}_relu")(x)
    x = keras.layers.ZeroPadding2D(1, dtype="float32", name="logits_pad")(x)
    logits = layers.convolution(1, strides=1, use_bias=True, dtype="float32",
                                name="logits")(x)
    return keras.Model(inputs, logits, name="patchgan")


def build_pixelgan(*, image_size: int, condition_channels: int,
                   target_channels: int, base_filters: int = 64,
                   norm: str = "batch", synchronized_norm: bool = False,
                   dtype: str = "float32") -> keras.Model:
    """Builds the discriminator of single pixels.

    Args:
      image_size: side of the square in pixels.
      condition_channels: as of build_patchgan; so are the others.

    Returns:
      A model from [condition float32 [N, S, S, C], target float32
      [N, S, S, D]] to logits float32 [N, S, S, 1].
    """
    inputs, x = joined_inputs(
        image_size=image_size, condition_channels=condition_channels,
        target_channels=target_channels, dtype=dtype)
    for level in range(2):
        name = f"pixel{level}"
        has_norm = norm != "none" and level > 0
        x = layers.convolution(base_filters * 2**level, kernel_size=1,
                               strides=1, use_bias=not has_norm, dtype=dtype,
                               name=name)(x)
        if has_norm:
            x = layers.normalized(x, norm=norm, synchronized=synchronized_norm,
                                  dtype=dtype, name=f"{name}_norm")
        x = layers.leaky_relu(dtype=dtype, name=f"{name}_relu")(x)
    logits = layers.convolution(1, kernel_size=1, strides=1, use_bias=True,
                                dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="pixelgan")


def joined_inputs(*, image_size: int, condition_channels: int,
                  target_channels: int, dtype: str) -> tuple[list[Any], Any]:
    """What every discriminator begins with.

    Returns:
      The inputs [condition, target], and both joined, symbolic
      [N, S, S, C + D].
    """
    condition = keras.Input((image_size, image_size, condition_channels),
                            name="condition")
    target = keras.Input((image_size, image_size, target_channels),
                         name="target")
    joined = keras.layers.Concatenate(dtype=dtype, name="join")(
        [condition, target])
    return [condition, target], joined


def receptive_field(discriminator: keras.Model) -> int:
    """Side of the square of pixels that one logit is convolved from.

    The side of the whole image for a discriminator with a dense layer. Norms
    look further: their statistics are of a whole picture or batch.
    """
    if any(isinstance(layer, keras.layers.Dense)
           for layer in discriminator.layers):
        return discriminator.inputs[0].shape[1]
    field = 1
    for layer in reversed(discriminator.layers):
        if isinstance(layer, keras.layers.Conv2D):
            field = (field - 1) * layer.strides[0] + layer.kernel_size[0]
    return field
