"""A U-Net whose encoder is a ResNet-18, which may come with ImageNet weights.

The encoder's five stages are networks/resnet18.py's. The decoder goes up from
the innermost, joined at every size with the stage of that size and at last
with what the encoder is given, after the U-Nets that colorizers make from a
classifier. At S px, 64 base filters, lab (19 M parameters):

    level  upsampled, norm, ReLU, dropout  joined with  3x3, norm, ReLU
    4      S/16 x S/16 x 256               stage 3      S/16 x S/16 x 256
    3      S/8  x S/8  x 128               stage 2      S/8  x S/8  x 128
    2      S/4  x S/4  x 64                stage 1      S/4  x S/4  x 64
    1      S/2  x S/2  x 64                stage 0      S/2  x S/2  x 64
    0      S    x S    x 32                condition    S    x S    x 32
    -      3x3 with bias, tanh                          S    x S    x 2, float32

Dropout is on the two innermost levels. The norm that is chosen is the
decoder's: the encoder's is always batch norm, as its weights are made for it.
The decoder's layers have a bias where they have no norm.
"""

from typing import Callable

import keras
import tensorflow as tf

from pix2pix_color.networks import layers, resnet18
from pix2pix_color.networks.upsampling import UPSAMPLINGS

DROPOUT_LEVELS = (4, 3)


def build_resnet18_unet(
        *, image_size: int, condition_channels: int, target_channels: int,
        base_filters: int = 64, norm: str = "batch",
        upsampling: str = "pixel_shuffle", noise_channels: int = 0,
        dropout: float = 0.5, dropout_seed: int = 0,
        step: Callable[[], tf.Tensor] = layers.no_step, sampling: bool = False,
        synchronized_norm: bool = False,
        dtype: str = "float32") -> keras.Model:
    """Builds the generator, with random weights.

    Args:
      image_size: side of the square in pixels, a multiple of 32 from 64 on.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      base_filters: width of the encoder's first convolution.
      norm: the decoder's: `batch`, `instance` or `none`.
      upsampling: a key of UPSAMPLINGS.
      noise_channels: channels of noise appended to the condition.
      dropout: rate of the innermost decoder levels; 0 leaves them out.
      dropout_seed: together with step determines all noise.
      step: returns int64 [], the number of completed updates.
      sampling: whether there is noise at inference too.
      synchronized_norm: whether a distributed step batch-normalizes over all
        of its replicas.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from condition float32 [N, S, S, C] to target float32
      [N, S, S, D], in -1..1.

    Raises:
      ValueError: image_size is none of the sizes above.
    """
    if image_size % 32 or image_size < 64:
        raise ValueError(f"image_size={image_size} must be a multiple of 32, "
                         f"at least 64")
    upsample = UPSAMPLINGS[upsampling]
    first_seed = dropout_seed * layers.SEEDS_A_NETWORK

    def normed_relu(x, name):
        x = layers.normalized(x, norm=norm, synchronized=synchronized_norm,
                              dtype=dtype, name=f"{name}_norm")
        return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(x)

    condition = keras.Input((image_size, image_size, condition_channels),
                            name="condition")
    given = resnet18.imagenet_scaled(condition, dtype=dtype)
    if noise_channels:
        given = layers.NoiseChannels(
            noise_channels, seed=first_seed + layers.NOISE_CHANNELS_SEED,
            step=step, sampling=sampling, dtype=dtype, name="noise")(given)
    *stages, x = resnet18.encode(given, base_filters=base_filters,
                                 synchronized_norm=synchronized_norm,
                                 dtype=dtype)
    use_bias = norm == "none"
    for level, skip in reversed(list(enumerate([given, *stages]))):
        name = f"decoder{level}"
        filters = skip.shape[-1] if level else max(1, base_filters // 2)
        x = upsample(x, filters, use_bias=use_bias, dtype=dtype, name=name)
        x = normed_relu(x, name)
        if dropout and level in DROPOUT_LEVELS:
            x = layers.Dropout(
                dropout, seed=first_seed + level, step=step, sampling=sampling,
                dtype=dtype, name=f"{name}_dropout")(x)
        x = keras.layers.Concatenate(dtype=dtype, name=f"{name}_join")(
            [x, skip])
        x = layers.refinement(filters, use_bias=use_bias, dtype=dtype,
                              name=f"{name}_refine")(x)
        x = normed_relu(x, f"{name}_refine")
    x = layers.refinement(target_channels, use_bias=True, dtype="float32",
                          name="output")(x)
    target = keras.layers.Activation("tanh", dtype="float32", name="target")(x)
    return keras.Model(condition, target, name="resnet18_unet")
