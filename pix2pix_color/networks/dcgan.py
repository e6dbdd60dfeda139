"""A discriminator of whole images, after DCGAN (Radford et al. 2016).

arXiv:1511.06434, section 3: strided convolutions in place of pooling, batch
norm everywhere but at the ends, LeakyReLU, down to a map of at most 7 x 7 that
is flattened into one logit. It sees condition and target together, as
PatchGAN does. For 256 px, lab, 64 base filters (11 M parameters), all
convolutions 4x4 with stride 2:

    layer                  output
    C64         LeakyReLU  128 x 128 x 64
    C128  norm  LeakyReLU  64 x 64 x 128
    C256  norm  LeakyReLU  32 x 32 x 256
    C512  norm  LeakyReLU  16 x 16 x 512
    C512  norm  LeakyReLU  8 x 8 x 512
    C512  norm  LeakyReLU  4 x 4 x 512
    flatten                8192
    dense, bias            1                 logit, float32

The sigmoid is part of the loss.
"""

import keras

from pix2pix_color.networks import layers, patchgan

MAX_FLATTENED_SIZE = 7


def build_dcgan(*, image_size: int, condition_channels: int,
                target_channels: int, base_filters: int = 64,
                norm: str = "batch", synchronized_norm: bool = False,
                dtype: str = "float32") -> keras.Model:
    """Builds the discriminator.

    Args:
      image_size: side of the square in pixels; any.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      base_filters: width of the first convolution.
      norm: `batch`, `instance` or `none`.
      synchronized_norm: whether a distributed step batch-normalizes over all
        of its replicas.
      dtype: policy of all layers but the last two, which are float32.

    Returns:
      A model from [condition float32 [N, S, S, C], target float32
      [N, S, S, D]] to logits float32 [N, 1].
    """
    inputs, x = patchgan.joined_inputs(
        image_size=image_size, condition_channels=condition_channels,
        target_channels=target_channels, dtype=dtype)
    level = 0
    while x.shape[1] > MAX_FLATTENED_SIZE:
        name = f"whole{level}"
        has_norm = norm != "none" and level > 0
        x = layers.convolution(
            base_filters * min(2**level, patchgan.MAX_WIDENING), strides=2,
            use_bias=not has_norm, dtype=dtype, name=name)(x)
        if has_norm:
            x = layers.normalized(x, norm=norm, synchronized=synchronized_norm,
                                  dtype=dtype, name=f"{name}_norm")
        x = layers.leaky_relu(dtype=dtype, name=f"{name}_relu")(x)
        level += 1
    x = keras.layers.Flatten(dtype="float32", name="flatten")(x)
    logits = keras.layers.Dense(1, kernel_initializer=layers.normal(),
                                dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="dcgan")
