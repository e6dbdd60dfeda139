"""The PatchGAN discriminator of pix2pix (Isola et al. 2017, 6.1.2).

It sees condition and target together and judges overlapping patches, each
logit a patch of 70 x 70 px. For 256 px, lab, 64 base filters (2.8 M
parameters), all convolutions 4x4:

    layer                      stride  output
    C64         LeakyReLU      2       128 x 128 x 64
    C128  norm  LeakyReLU      2       64 x 64 x 128
    C256  norm  LeakyReLU      2       32 x 32 x 256
    pad 1, C512 norm LeakyReLU 1       31 x 31 x 512
    pad 1, C1, bias            1       30 x 30 x 1      logits, float32
"""

import keras

from pix2pix_color.networks import layers


def build_patchgan(*, image_size: int, condition_channels: int,
                   target_channels: int, base_filters: int = 64,
                   synchronized_norm: bool = False,
                   dtype: str = "float32") -> keras.Model:
    """Builds the discriminator.

    Args:
      image_size: side of the square in pixels, divisible by 8, at least 32.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      base_filters: width of the first convolution.
      synchronized_norm: whether a distributed step normalizes over all of its
        replicas.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from [condition float32 [N, S, S, C], target float32
      [N, S, S, D]] to logits float32 [N, S/8 - 2, S/8 - 2, 1].
    """
    condition = keras.Input((image_size, image_size, condition_channels),
                            name="condition")
    target = keras.Input((image_size, image_size, target_channels),
                         name="target")
    x = keras.layers.Concatenate(dtype=dtype, name="join")([condition, target])
    for level, strides in enumerate((2, 2, 2, 1)):
        name = f"patch{level}"
        has_norm = level > 0
        if strides == 1:
            x = keras.layers.ZeroPadding2D(1, dtype=dtype,
                                           name=f"{name}_pad")(x)
        x = layers.convolution(base_filters * 2**level, strides=strides,
                               use_bias=not has_norm, dtype=dtype, name=name)(x)
        if has_norm:
            x = layers.batch_norm(synchronized=synchronized_norm, dtype=dtype,
                                  name=f"{name}_norm")(x)
        x = layers.leaky_relu(dtype=dtype, name=f"{name}_relu")(x)
    x = keras.layers.ZeroPadding2D(1, dtype="float32", name="logits_pad")(x)
    logits = layers.convolution(1, strides=1, use_bias=True, dtype="float32",
                                name="logits")(x)
    return keras.Model([condition, target], logits, name="patchgan")
