"""EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946, without squeeze and
excitation, with ReLU6) as an encoder and as a classifier.

A block is a 1x1 convolution to six times its input's channels (not in stage
0), a 3x3 or 5x5 depthwise convolution with the stage's stride in the stage's
first block, each with a ReLU6, and a 1x1 convolution to the stage's width. The
input is added where shapes allow it. At S px, Lite2 (4.8 M parameters without
the classifier):

    stage  blocks  depthwise  output            tap
    stem   3x3 convolution    S/2  x S/2  x 32
    0      1       3x3        S/2  x S/2  x 16
    1      3       3x3 / 2    S/4  x S/4  x 24   yes
    2      3       5x5 / 2    S/8  x S/8  x 48   yes
    3      4       3x3 / 2    S/16 x S/16 x 88
    4      4       5x5        S/16 x S/16 x 120  yes
    5      5       5x5 / 2    S/32 x S/32 x 208
    6      1       3x3        S/32 x S/32 x 352  yes

The classifier goes on with a 1x1 convolution to 1280 channels, ReLU6, the mean
over the picture, and a dense layer to ImageNet's 1000 classes.

There is no batch normalization: files have it, and encoder_weights folds it
into the convolutions as it reads them. Padding is TensorFlow's `same`.

Layers are named as in the public PyTorch implementation, behind a prefix:
_conv_stem, _blocks.N._expand_conv, _blocks.N._depthwise_conv,
_blocks.N._project_conv, _conv_head, _fc.
"""

import itertools
from typing import Any, NamedTuple

import keras

# ImageNet's pictures are given to the network as (value - 127) / 128.
_MEAN, _DEVIATION = 127.0, 128.0
_STEM_WIDTH, _HEAD_WIDTH, NUM_CLASSES = 32, 1280, 1000
_KERNEL_SIZES = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSION = 6
# Stages whose outputs are taps: S/4 to S/32.
_TAPPED = (1, 2, 4, 6)


class Variant(NamedTuple):
    """One size of the family.

    Attributes:
      widths: channels that each of the seven stages puts out.
      depths: blocks of each stage.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]


VARIANTS = {
    "lite0": Variant((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "lite2": Variant((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}


def scale_lightness(condition: Any, *, dtype: str) -> Any:
    """Takes a condition in -1..1 for gray in 0..255, scaled as ImageNet's.

    Args:
      condition: symbolic [N, H, W, C], L*/50 - 1 or gray / 127.5 - 1.
      dtype: policy of the layer.
    """
    return keras.layers.Rescaling(
        127.5 / _DEVIATION, (127.5 - _MEAN) / _DEVIATION, dtype=dtype,
        name="encoder.scale")(condition)


def scale_rgb(rgb: Any) -> Any:
    """Brings R, G and B from 0..255 to what the classifier is given."""
    return (rgb - _MEAN) / _DEVIATION


def encode(x: Any, *, variant: str, prefix: str,
           dtype: str = "float32") -> list[Any]:
    """Adds the encoder to a network, with random weights.

    Args:
      x: symbolic [N, H, W, C], scaled.
      variant: a key of VARIANTS.
      prefix: what the layers' names begin with.
      dtype: policy of the layers.

    Returns:
      The four taps, symbolic, the largest first.
    """
    widths, depths = VARIANTS[variant]
    x = _relu6(keras.layers.Conv2D(
        _STEM_WIDTH, 3, strides=2, padding="same", dtype=dtype,
        kernel_initializer="he_normal", name=f"{prefix}_conv_stem")(x))
    taps, index = [], 0
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        for place in range(depth):
            x = _block(
                x, width, kernel_size=_KERNEL_SIZES[stage],
                strides=_STRIDES[stage] if place == 0 else 1,
                expansion=_EXPANSION if stage else 1,
                name=f"{prefix}_blocks.{index}.", dtype=dtype)
            index += 1
        if stage in _TAPPED:
            taps.append(x)
    return taps


def _block(x, width, *, kernel_size, strides, expansion, name, dtype):
    given = x
    if expansion > 1:
        x = _relu6(keras.layers.Conv2D(
            expansion * x.shape[-1], 1, dtype=dtype,
            kernel_initializer="he_normal", name=f"{name}_expand_conv")(x))
    x = _relu6(keras.layers.DepthwiseConv2D(
        kernel_size, strides=strides, padding="same", dtype=dtype,
        depthwise_initializer="he_normal", name=f"{name}_depthwise_conv")(x))
    x = keras.layers.Conv2D(
        width, 1, dtype=dtype, name=f"{name}_project_conv")(x)
    if strides == 1 and given.shape[-1] == width:
        x = keras.layers.Add(dtype=dtype, name=f"{name}add")([given, x])
    return x


def _relu6(x):
    layer = x._keras_history.operation
    return keras.layers.Activation(
        "relu6", dtype=layer.dtype_policy, name=f"{layer.name}_relu")(x)


def stage_of(name: str, generator: keras.Model) -> int:
    """Returns the stage of a layer: 0 for the stem, 1 to 7 for the blocks'.

    Args:
      name: the layer's, without its prefix.
      generator: a network with the encoder.
    """
    if not name.startswith("_blocks."):
        return 0
    variant = next(
        variant for variant in VARIANTS.values()
        if any(layer.name.endswith(
            f"_blocks.{sum(variant.depths) - 1}._project_conv")
            and layer.output.shape[-1] == variant.widths[-1]
            for layer in generator.layers))
    ends = itertools.accumulate(variant.depths)
    block = int(name.split(".")[1])
    return 1 + next(stage for stage, end in enumerate(ends) if block < end)


def build_classifier(variant: str, *, dtype: str = "float32") -> keras.Model:
    """Builds the whole network, with random weights.

    Args:
      variant: a key of VARIANTS.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from R, G and B as scale_rgb gives them, float32 [N, H, W, 3], to
      the four taps and logits float32 [N, 1000]. It is not trainable.
    """
    rgb = keras.Input((None, None, 3), name="rgb")
    taps = encode(rgb, variant=variant, prefix="", dtype=dtype)
    x = _relu6(keras.layers.Conv2D(
        _HEAD_WIDTH, 1, dtype=dtype, name="_conv_head")(taps[-1]))
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="mean")(x)
    logits = keras.layers.Dense(NUM_CLASSES, dtype="float32", name="_fc")(x)
    model = keras.Model(rgb, [*taps, logits], name=f"efficientnet_{variant}")
    model.trainable = False
    return model
