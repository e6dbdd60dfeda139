"""U-Nets whose encoder is a classifier's, which may have ImageNet weights.

Encoders are networks/resnet18.py and networks/efficientnet_lite.py, down to
S/32. On each level the decoder doubles the size of its input and joins it with
the encoder's output of that size; a 3x3 convolution, norm and ReLU follow.

resnet18_unet at S px, 64 base filters, lab (19 M parameters). Its doubling has
its own 3x3 convolution, norm and ReLU, and it ends at the condition's size:

    level  doubled           joined with  3x3
    4      S/16 x S/16 x 256 stage 3      S/16 x S/16 x 256
    3      S/8  x S/8  x 128 stage 2      S/8  x S/8  x 128
    2      S/4  x S/4  x 64  stage 1      S/4  x S/4  x 64
    1      S/2  x S/2  x 64  stage 0      S/2  x S/2  x 64
    0      S    x S    x 32  condition    S    x S    x 32
    -      3x3 with bias, tanh            S    x S    x 2, float32

efficientnet_unet at S px, 64 base filters, Lite2, lab (6.2 M parameters). Its
doubling repeats pixels. It predicts a*b* at half the size, because stages of
full size would take most of the time and color has little detail there:

    level  doubled           joined with  3x3
    -      3x3                            S/32 x S/32 x 256
    3      S/16 x S/16 x 256 tap at S/16  S/16 x S/16 x 192
    2      S/8  x S/8  x 192 tap at S/8   S/8  x S/8  x 128
    1      S/4  x S/4  x 128 tap at S/4   S/4  x S/4  x 64
    -      3x3, pixel shuffle             S/2  x S/2  x 8
    -      joined with the condition at half its size, 3x3 with bias, tanh
                                          S/2  x S/2  x 2, float32
    -      bilinear doubling              S    x S    x 2, float32

With hints, every stage of efficientnet_unet's decoder adds a convolution of the
color hints, averaged down to its size, before its norm. The encoder does not
see them: a photograph is encoded once, whatever its hints. A classification
head on level 1 predicts the likely colors (color_bins.py).

Dropout is on the two innermost levels. `norm` is the decoder's: ResNet-18
always has batch norm, as its weights require, and EfficientNet-Lite's is folded
into its convolutions. The decoder's layers have a bias where they have no norm.
"""

import dataclasses
from typing import Any, Callable, Optional

import keras
import tensorflow as tf

from pix2pix_color.color_bins import NUM_BINS
from pix2pix_color.networks import (efficientnet_lite, hint_layers, layers,
                                    resnet18)
from pix2pix_color.networks.upsampling import UPSAMPLINGS

RESNET18 = "resnet18"
ENCODERS = (RESNET18, *efficientnet_lite.VARIANTS)
DROPOUT_LEVELS = 2  # counted from the innermost
# Doubling without weights, since a convolution follows anyway.
NEAREST = "nearest"
# Name of the layer that predicts the likely colors, at a quarter of the size.
BINS_HEAD = "color_bins"
EFFICIENTNET_UNET = "efficientnet_unet"
# Names of the layers that add hints end like this.
_HINTS_ENDING = "_hints"
# More than any encoder has.
ALL_STAGES = 9
# Both encoders halve five times.
MIN_SIZE, SIZE_MULTIPLE = 64, 32


def build_encoder_unet(
        encoder: str, *, image_size: int, condition_channels: int,
        target_channels: int, base_filters: int = 64, norm: str = "batch",
        upsampling: str = "auto", noise_channels: int = 0,
        hints: bool = False,
        dropout: float = 0.5, dropout_seed: int = 0,
        step: Callable[[], tf.Tensor] = layers.no_step, sampling: bool = False,
        synchronized_norm: bool = False,
        dtype: str = "float32") -> keras.Model:
    """Builds a U-Net on an encoder, with random weights.

    Args:
      encoder: one of ENCODERS.
      image_size: side S of the square in pixels, a multiple of 32, at least 64.
      condition_channels: channels C of the condition.
      target_channels: channels D of the target.
      base_filters: for resnet18, width of its first convolution; otherwise,
        width of the decoder at a quarter of the size.
      norm: the decoder's: `batch`, `instance` or `none`.
      upsampling: a key of UPSAMPLINGS, NEAREST, or `auto`: pixel_shuffle for
        resnet18, otherwise NEAREST.
      noise_channels: number of noise channels appended to the condition.
      hints: whether efficientnet_unet takes color hints.
      dropout: rate of the innermost decoder levels; 0: none.
      dropout_seed: determines all noise, together with step.
      step: returns int64 [], the number of completed updates.
      sampling: whether there is noise at inference too.
      synchronized_norm: whether a distributed step batch-normalizes over all
        replicas.
      dtype: policy of all layers but the last, which are float32.

    Returns:
      A model from condition float32 [N, S, S, C] to target float32
      [N, S, S, D], in -1..1. With hints, its inputs are the condition and
      the hints, float32 [N, S/2, S/2, D + 1] as data_pipelines.hints makes
      them, or None.

    Raises:
      ValueError: image_size is not allowed.
    """
    if image_size % SIZE_MULTIPLE or image_size < MIN_SIZE:
        raise ValueError(
            f"image_size={image_size} must be a multiple of {SIZE_MULTIPLE}, "
            f"at least {MIN_SIZE}")
    is_resnet = encoder == RESNET18
    if upsampling == "auto":
        upsampling = "pixel_shuffle" if is_resnet else NEAREST
    noise: dict[str, Any] = dict(step=step, sampling=sampling, dtype=dtype)
    given_hints = keras.Input(
        (image_size // 2, image_size // 2, target_channels + 1), name="hints",
        optional=True) if hints else None
    decoder = _Decoder(
        norm=norm, hints=given_hints, upsampling=upsampling, dropout=dropout,
        first_seed=dropout_seed * layers.SEEDS_A_NETWORK, noise=noise,
        synchronized=synchronized_norm, dtype=dtype)
    condition = keras.Input((image_size, image_size, condition_channels),
                            name="condition")
    scale_lightness = (resnet18 if is_resnet
                       else efficientnet_lite).scale_lightness
    given = layers.with_noise_channels(
        scale_lightness(condition, dtype=dtype), noise_channels,
        network_seed=dropout_seed, **noise)
    if is_resnet:
        *skips, x = resnet18.encode(
            given, base_filters=base_filters,
            synchronized_norm=synchronized_norm, dtype=dtype)
        for level, skip in reversed(list(enumerate([given, *skips]))):
            filters = skip.shape[-1] if level else max(1, base_filters // 2)
            x = decoder.level(x, skip, filters, level=level)
        target = decoder.target(x, target_channels)
        return keras.Model(condition, target, name="resnet18_unet")
    *skips, x = efficientnet_lite.encode(
        given, variant=encoder, prefix=layers.ENCODER_PREFIX, dtype=dtype)
    x = decoder.convolved(x, 4 * base_filters, name="decoder4", factor=16)
    for level, skip in reversed(list(enumerate(skips, start=1))):
        x = decoder.level(x, skip, level * base_filters, level=level)
    if hints:
        x = hint_layers.ColorBinsHead(NUM_BINS, dtype=dtype, name=BINS_HEAD)(x)
    x = decoder.convolved(x, 4 * max(1, base_filters // 8), name="decoder0",
                          factor=2)
    x = layers.PixelShuffle(dtype=dtype, name="decoder0_shuffle")(x)
    small = keras.layers.AveragePooling2D(2, dtype=dtype, name="half")(given)
    x = keras.layers.Concatenate(dtype=dtype, name="decoder0_join")([x, small])
    x = decoder.target(x, target_channels, name="half_target")
    target = layers.BilinearDoubling(dtype="float32", name="target")(x)
    return keras.Model([condition, given_hints] if hints else condition,
                       target, name=EFFICIENTNET_UNET)


@dataclasses.dataclass
class _Decoder:
    """Adds the parts of the decoder to a network."""

    norm: str
    upsampling: str
    dropout: float
    first_seed: int
    noise: dict[str, Any]  # arguments of layers.Noise
    synchronized: bool
    dtype: str
    hints: Any = None
    levels_done: int = 0

    def level(self, x: Any, skip: Any, filters: int, *, level: int) -> Any:
        """Doubles x, joins it with skip, and convolves both to `filters`."""
        name = f"decoder{level}"
        if self.upsampling == NEAREST:
            x = keras.layers.UpSampling2D(
                2, interpolation="nearest", dtype=self.dtype,
                name=f"{name}_resize")(x)
        else:
            x = UPSAMPLINGS[self.upsampling](
                x, filters, use_bias=self.norm == "none", dtype=self.dtype,
                name=name)
            x = self._normed_relu(x, name)
        if self.dropout and self.levels_done < DROPOUT_LEVELS:
            x = layers.Dropout(
                self.dropout, seed=self.first_seed + level,
                name=f"{name}_dropout", **self.noise)(x)
        self.levels_done += 1
        x = keras.layers.Concatenate(
            dtype=self.dtype, name=f"{name}_join")([x, skip])
        return self.convolved(x, filters, name=f"{name}_refine",
                              factor=2**level)

    def convolved(self, x: Any, filters: int, *, name: str,
                  factor: int) -> Any:
        """Adds a 3x3 convolution, one of hints, a norm and a ReLU."""
        x = layers.refinement(filters, use_bias=self.norm == "none",
                              dtype=self.dtype, name=name)(x)
        x = self._with_hints(x, name, factor, dtype=self.dtype)
        return self._normed_relu(x, name)

    def target(self, x: Any, channels: int, *, name: str = "target") -> Any:
        """Adds a 3x3 convolution with bias and a tanh, in float32."""
        x = layers.refinement(channels, use_bias=True, dtype="float32",
                              name="output")(x)
        x = self._with_hints(x, "output", 1, dtype="float32")
        return keras.layers.Activation("tanh", dtype="float32", name=name)(x)

    def _with_hints(self, x, name, factor, *, dtype):
        if self.hints is None:
            return x
        return hint_layers.AddHints(
            x.shape[-1], factor=factor, dtype=dtype,
            name=name + _HINTS_ENDING)(x, self.hints)

    def _normed_relu(self, x, name):
        x = layers.normalized(
            x, norm=self.norm, synchronized=self.synchronized,
            dtype=self.dtype, name=f"{name}_norm")
        return keras.layers.ReLU(dtype=self.dtype, name=f"{name}_relu")(x)


def is_for_hints(layer_name: str) -> bool:
    """Tells whether a layer is only in generators that take hints."""
    return layer_name == BINS_HEAD or layer_name.endswith(_HINTS_ENDING)


def has_hint_inputs(generator: keras.Model) -> bool:
    """Tells whether a generator was built with inputs for hints.

    It then has the head for likely colors, too.
    """
    return len(generator.inputs) > 1


def inputs_of(generator: keras.Model, condition: tf.Tensor,
              hints: Optional[tf.Tensor] = None) -> Any:
    """Returns what a generator is called with.

    Args:
      generator: any generator.
      condition: float32 [N, S, S, C], in -1..1.
      hints: float32 [N, S/2, S/2, D + 1], for a generator that takes them; None
        for no hints.
    """
    return [condition, hints] if has_hint_inputs(generator) else condition


def with_features(generator: keras.Model) -> keras.Model:
    """Returns a generator that takes hints, with a second output.

    The second output, [N, S/4, S/4, F], is what bins_logits takes.
    """
    return keras.Model(generator.inputs, [
        generator.output, generator.get_layer(BINS_HEAD).output])


def encoder_features(generator: keras.Model) -> keras.Model:
    """Returns the encoder of an efficientnet_unet as a model of its own.

    It maps the condition, of any size that is a multiple of 32, to the tap at
    a sixteenth of the size.
    """
    return keras.Model(generator.inputs[0],
                       generator.get_layer("decoder3_join").input[1])


def bins_logits(generator: keras.Model, features: tf.Tensor) -> tf.Tensor:
    """Predicts color bins, float32 [..., NUM_BINS], of features [..., F]."""
    return generator.get_layer(BINS_HEAD).logits(features)


def color_scale(generator: keras.Model) -> int:
    """Returns a picture's side divided by that of the predicted colors."""
    return 2 if generator.name == EFFICIENTNET_UNET else 1


def encoder_variables(generator: keras.Model, *,
                      num_stages: int = ALL_STAGES) -> list[Any]:
    """Returns the trainable variables of a generator's encoder.

    Args:
      generator: any generator; one without an encoder has none.
      num_stages: number of stages to include, counted from the input.
    """
    return [variable for layer in generator.layers
            if getattr(layer, "encoder_stage", ALL_STAGES) < num_stages
            for variable in layer.trainable_variables]
