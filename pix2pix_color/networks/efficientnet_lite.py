"""EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946, without squeeze and
excitation, with ReLU6) as an encoder and as a classifier.

A block has three convolutions: 1x1 to six times its input's channels, with
ReLU6 (stage 0 has neither); depthwise 3x3 or 5x5, with ReLU6, and with the
stage's stride in its first block; 1x1 to the stage's width. Where shapes allow
it, the input is added. Lite2 at S px (4.3 M parameters without the classifier):

    stage  blocks  depthwise  output            tap
    stem   3x3 convolution    S/2  x S/2  x 32
    0      1       3x3        S/2  x S/2  x 16
    1      3       3x3 / 2    S/4  x S/4  x 24   yes
    2      3       5x5 / 2    S/8  x S/8  x 48   yes
    3      4       3x3 / 2    S/16 x S/16 x 88
    4      4       5x5        S/16 x S/16 x 120  yes
    5      5       5x5 / 2    S/32 x S/32 x 208
    6      1       3x3        S/32 x S/32 x 352  yes

The classifier adds a 1x1 convolution to 1280 channels, ReLU6, the mean over the
picture, and a dense layer to ImageNet's 1000 classes.

There is no batch normalization: efficientnet_weights folds that of a file into
the convolutions. Padding is TensorFlow's `same`.

Layers have the names of the public PyTorch implementation, after a prefix:
_conv_stem, _blocks.N._expand_conv, _blocks.N._depthwise_conv,
_blocks.N._project_conv, _conv_head, _fc.
"""

from typing import Any, NamedTuple

import keras

# The network takes ImageNet's pictures as (value - 127) / 128.
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
      widths: output channels of each of the seven stages.
      depths: blocks of each stage.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]


VARIANTS = {
    "lite0": Variant((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "lite2": Variant((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}


def scale_lightness(condition: Any, *, dtype: str) -> Any:
    """Scales a condition, taken as gray, like ImageNet's pictures.

    Args:
      condition: symbolic [N, H, W, C], L*/50 - 1 or gray / 127.5 - 1.
      dtype: policy of the layer.
    """
    return keras.layers.Rescaling(
        127.5 / _DEVIATION, (127.5 - _MEAN) / _DEVIATION, dtype=dtype,
        name="encoder.scale")(condition)


def scale_rgb(rgb: Any) -> Any:
    """Scales R, G and B in 0..255 to the classifier's input."""
    return (rgb - _MEAN) / _DEVIATION


def encode(x: Any, *, variant: str, prefix: str,
           dtype: str = "float32") -> list[Any]:
    """Adds the encoder to a network, with random weights.

    Args:
      x: symbolic [N, H, W, C], scaled.
      variant: a key of VARIANTS.
      prefix: beginning of the layers' names.
      dtype: policy of the layers.

    Returns:
      The four taps, symbolic, the largest first.
    """
    widths, depths = VARIANTS[variant]
    x = _apply(keras.layers.Conv2D(
        _STEM_WIDTH, 3, strides=2, padding="same", dtype=dtype,
        kernel_initializer="he_normal", name=f"{prefix}_conv_stem"), x, stage=0)
    taps, index = [], 0
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        for place in range(depth):
            x = _block(
                x, width, stage=stage, strides=1 if place else _STRIDES[stage],
                name=f"{prefix}_blocks.{index}.", dtype=dtype)
            index += 1
        if stage in _TAPPED:
            taps.append(x)
    return taps


def _block(x, width, *, stage, strides, name, dtype):
    given = x
    if stage:
        x = _apply(keras.layers.Conv2D(
            _EXPANSION * x.shape[-1], 1, dtype=dtype,
            kernel_initializer="he_normal", name=f"{name}_expand_conv"), x,
            stage=stage + 1)
    x = _apply(keras.layers.DepthwiseConv2D(
        _KERNEL_SIZES[stage], strides=strides, padding="same", dtype=dtype,
        depthwise_initializer="he_normal", name=f"{name}_depthwise_conv"), x,
        stage=stage + 1)
    x = _apply(keras.layers.Conv2D(
        width, 1, dtype=dtype, name=f"{name}_project_conv"), x,
        stage=stage + 1, relu=False)
    if strides == 1 and given.shape[-1] == width:
        x = keras.layers.Add(dtype=dtype, name=f"{name}add")([given, x])
    return x


def _apply(layer, x, *, stage, relu=True):
    """Adds a convolution of a stage: 0 for the stem, then those of blocks."""
    layer.encoder_stage = stage  # for encoder_unet.encoder_variables
    x = layer(x)
    return keras.layers.Activation(
        "relu6", dtype=layer.dtype_policy, name=f"{layer.name}_relu")(
            x) if relu else x


def build_classifier(variant: str, *, dtype: str = "float32") -> keras.Model:
    """Builds the whole network, with random weights.

    Args:
      variant: a key of VARIANTS.
      dtype: policy of all layers but the last, which is float32.

    Returns:
      A model from R, G and B, scaled by scale_rgb, float32 [N, H, W, 3], to the
      four taps and logits float32 [N, 1000]. It is not trainable.
    """
    rgb = keras.Input((None, None, 3), name="rgb")
    taps = encode(rgb, variant=variant, prefix="", dtype=dtype)
    x = _apply(keras.layers.Conv2D(
        _HEAD_WIDTH, 1, dtype=dtype, name="_conv_head"), taps[-1],
        stage=len(_STRIDES) + 1)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="mean")(x)
    logits = keras.layers.Dense(NUM_CLASSES, dtype="float32", name="_fc")(x)
    model = keras.Model(rgb, [*taps, logits], name=f"efficientnet_{variant}")
    model.trainable = False
    return model
