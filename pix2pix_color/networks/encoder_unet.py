"""U-Nets whose encoder is a classifier's, which may come with ImageNet weights.

The encoder's outputs, down to S/32, are those of networks/resnet18.py or
networks/efficientnet_lite.py. One decoder goes up from the innermost. On
each level what came from below is doubled in size and joined with the encoder's
output of that size; a 3x3 convolution, norm and ReLU follow.

resnet18_unet at S px, 64 base filters, lab (19 M parameters); its doubling has
a 3x3 convolution, norm and ReLU of its own, and it goes up to the condition:

    level  doubled           joined with  3x3
    4      S/16 x S/16 x 256 stage 3      S/16 x S/16 x 256
    3      S/8  x S/8  x 128 stage 2      S/8  x S/8  x 128
    2      S/4  x S/4  x 64  stage 1      S/4  x S/4  x 64
    1      S/2  x S/2  x 64  stage 0      S/2  x S/2  x 64
    0      S    x S    x 32  condition    S    x S    x 32
    -      3x3 with bias, tanh            S    x S    x 2, float32

efficientnet_unet at S px, 64 base filters, Lite2, lab (6.9 M parameters); its
doubling repeats pixels, and a*b* are predicted at half the size, for stages of
full size take most of the time and color hardly has details there:

    level  doubled           joined with  3x3
    -      3x3                            S/32 x S/32 x 256
    3      S/16 x S/16 x 256 tap at S/16  S/16 x S/16 x 192
    2      S/8  x S/8  x 192 tap at S/8   S/8  x S/8  x 128
    1      S/4  x S/4  x 128 tap at S/4   S/4  x S/4  x 64
    -      3x3, pixel shuffle             S/2  x S/2  x 8
    -      joined with the condition at half its size, 3x3 with bias, tanh
                                          S/2  x S/2  x 2, float32
    -      bilinear doubling              S    x S    x 2, float32

Dropout is on the two innermost levels. The norm that is chosen is the
decoder's: ResNet-18 always has batch norm, as its weights are made for it, and
EfficientNet-Lite's is folded into its convolutions. The decoder's layers have a
bias where they have no norm.
"""

from typing import Any, Callable

import keras
import tensorflow as tf

from pix2pix_color.networks import efficientnet_lite, layers, resnet18
from pix2pix_color.networks.upsampling import UPSAMPLINGS

DROPOUT_LEVELS = 2  # from the innermost on
# The way to double without weights, which a convolution follows here anyway.
NEAREST = "nearest"
# More than any encoder has.
ALL_STAGES = 9
# Halvings that both encoders make.
MIN_SIZE, SIZE_MULTIPLE = 64, 32


def build_resnet18_unet(
        *, image_size: int, condition_channels: int, target_channels: int,
        base_filters: int = 64, norm: str = "batch",
        upsampling: str = "pixel_shuffle", noise_channels: int = 0,
        dropout: float = 0.5, dropout_seed: int = 0,
        step: Callable[[], tf.Tensor] = layers.no_step, sampling: bool = False,
        synchronized_norm: bool = False,
        dtype: str = "float32") -> keras.Model:
    """Builds the U-Net on a ResNet-18, with random weights.

    Args:
      image_size: side of the square in pixels, a multiple of 32 from 64 on.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      base_filters: width of the encoder's first convolution.
      norm: the decoder's: `batch`, `instance` or `none`.
      upsampling: a key of UPSAMPLINGS, or NEAREST.
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
    decoder = _Decoder(
        norm=norm, upsampling=upsampling, dropout=dropout,
        dropout_seed=dropout_seed, step=step, sampling=sampling,
        synchronized_norm=synchronized_norm, dtype=dtype)
    condition = _input(image_size, condition_channels)
    given = decoder.with_noise(
        resnet18.imagenet_scaled(condition, dtype=dtype), noise_channels)
    *skips, x = resnet18.encode(given, base_filters=base_filters,
                                synchronized_norm=synchronized_norm,
                                dtype=dtype)
    for level, skip in reversed(list(enumerate([given, *skips]))):
        filters = skip.shape[-1] if level else max(1, base_filters // 2)
        x = decoder.level(x, skip, filters, level=level)
    target = decoder.target(x, target_channels)
    return keras.Model(condition, target, name="resnet18_unet")


def build_efficientnet_unet(
        *, image_size: int, condition_channels: int, target_channels: int,
        variant: str = "lite2", base_filters: int = 64, norm: str = "batch",
        upsampling: str = NEAREST, noise_channels: int = 0,
        dropout: float = 0.0, dropout_seed: int = 0,
        step: Callable[[], tf.Tensor] = layers.no_step, sampling: bool = False,
        synchronized_norm: bool = False,
        dtype: str = "float32") -> keras.Model:
    """Builds the U-Net on an EfficientNet-Lite, with random weights.

    Args:
      image_size: side of the square in pixels, a multiple of 32 from 64 on.
      condition_channels: channels of the condition.
      target_channels: channels of the target.
      variant: a key of efficientnet_lite.VARIANTS.
      base_filters: width of the decoder at a quarter of the size.
      norm: the decoder's: `batch`, `instance` or `none`.
      upsampling: a key of UPSAMPLINGS, or NEAREST.
      noise_channels: channels of noise appended to the condition.
      dropout: rate of the innermost decoder levels; 0 leaves them out.
      dropout_seed: together with step determines all noise.
      step: returns int64 [], the number of completed updates.
      sampling: whether there is noise at inference too.
      synchronized_norm: whether a distributed step batch-normalizes over all
        of its replicas.
      dtype: policy of all layers but the last, which are float32.

    Returns:
      A model from condition float32 [N, S, S, C] to target float32
      [N, S, S, D], in -1..1.

    Raises:
      ValueError: image_size is none of the sizes above.
    """
    decoder = _Decoder(
        norm=norm, upsampling=upsampling, dropout=dropout,
        dropout_seed=dropout_seed, step=step, sampling=sampling,
        synchronized_norm=synchronized_norm, dtype=dtype)
    condition = _input(image_size, condition_channels)
    given = decoder.with_noise(
        efficientnet_lite.scale_lightness(condition, dtype=dtype),
        noise_channels)
    *skips, x = efficientnet_lite.encode(
        given, variant=variant, prefix=layers.ENCODER_PREFIX, dtype=dtype)
    x = decoder.convolved(x, 4 * base_filters, name="decoder4")
    for level, skip in reversed(list(enumerate(skips, start=1))):
        x = decoder.level(x, skip, level * base_filters, level=level)
    x = decoder.convolved(x, 4 * max(1, base_filters // 8), name="decoder0")
    x = layers.PixelShuffle(dtype=dtype, name="decoder0_shuffle")(x)
    small = keras.layers.AveragePooling2D(2, dtype=dtype, name="half")(given)
    x = keras.layers.Concatenate(dtype=dtype, name="decoder0_join")([x, small])
    x = decoder.target(x, target_channels, name="half_target")
    target = layers.BilinearDoubling(dtype="float32", name="target")(x)
    return keras.Model(condition, target, name="efficientnet_unet")


def _input(image_size, channels):
    if image_size % SIZE_MULTIPLE or image_size < MIN_SIZE:
        raise ValueError(
            f"image_size={image_size} must be a multiple of {SIZE_MULTIPLE}, "
            f"at least {MIN_SIZE}")
    return keras.Input((image_size, image_size, channels), name="condition")


class _Decoder:
    """Adds the decoder's parts to a network.

    Args: as of the builders above.
    """

    def __init__(self, *, norm: str, upsampling: str, dropout: float,
                 dropout_seed: int, step: Callable[[], tf.Tensor],
                 sampling: bool, synchronized_norm: bool, dtype: str) -> None:
        self._norm, self._dtype, self._dropout = norm, dtype, dropout
        self._upsampling, self._synchronized = upsampling, synchronized_norm
        self._levels_done = 0
        self._first_seed = dropout_seed * layers.SEEDS_A_NETWORK
        self._noise: dict[str, Any] = dict(step=step, sampling=sampling,
                                           dtype=dtype)

    def with_noise(self, x: Any, noise_channels: int) -> Any:
        """Appends channels of noise, if any, to what the encoder is given."""
        if not noise_channels:
            return x
        return layers.NoiseChannels(
            noise_channels, seed=self._first_seed + layers.NOISE_CHANNELS_SEED,
            name="noise", **self._noise)(x)

    def level(self, x: Any, skip: Any, filters: int, *, level: int) -> Any:
        """Doubles x, joins it with skip, convolves both to so many filters."""
        name = f"decoder{level}"
        if self._upsampling == NEAREST:
            x = keras.layers.UpSampling2D(
                2, interpolation="nearest", dtype=self._dtype,
                name=f"{name}_resize")(x)
        else:
            x = UPSAMPLINGS[self._upsampling](
                x, filters, use_bias=self._norm == "none", dtype=self._dtype,
                name=name)
            x = self._normed_relu(x, name)
        if self._dropout and self._levels_done < DROPOUT_LEVELS:
            x = layers.Dropout(
                self._dropout, seed=self._first_seed + level,
                name=f"{name}_dropout", **self._noise)(x)
        self._levels_done += 1
        x = keras.layers.Concatenate(
            dtype=self._dtype, name=f"{name}_join")([x, skip])
        return self.convolved(x, filters, name=f"{name}_refine")

    def convolved(self, x: Any, filters: int, *, name: str) -> Any:
        """3x3 convolution, norm, ReLU."""
        x = layers.refinement(filters, use_bias=self._norm == "none",
                              dtype=self._dtype, name=name)(x)
        return self._normed_relu(x, name)

    def target(self, x: Any, channels: int, *, name: str = "target") -> Any:
        """3x3 convolution with bias, tanh, in float32."""
        x = layers.refinement(channels, use_bias=True, dtype="float32",
                              name="output")(x)
        return keras.layers.Activation("tanh", dtype="float32", name=name)(x)

    def _normed_relu(self, x, name):
        x = layers.normalized(
            x, norm=self._norm, synchronized=self._synchronized,
            dtype=self._dtype, name=f"{name}_norm")
        return keras.layers.ReLU(dtype=self._dtype, name=f"{name}_relu")(x)


def color_scale(generator: keras.Model) -> int:
    """Returns how many times larger a generator's pictures are than the colors
    that it predicts."""
    return 2 if generator.name == "efficientnet_unet" else 1


def encoder_variables(generator: keras.Model, *,
                      num_stages: int = ALL_STAGES) -> list[Any]:
    """Returns the trainable variables of a generator's encoder.

    Args:
      generator: any generator; one without an encoder has none.
      num_stages: how many stages, counted from the input.
    """
    stage_of = (efficientnet_lite.stage_of
                if generator.name == "efficientnet_unet"
                else resnet18.stage_of)
    return [variable for layer in generator.layers
            if layer.name.startswith(layers.ENCODER_PREFIX) and layer.weights
            and stage_of(layer.name.removeprefix(
                layers.ENCODER_PREFIX), generator) < num_stages
            for variable in layer.trainable_variables]
