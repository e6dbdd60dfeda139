"""ResNet-18 (He et al. 2016, arXiv:1512.03385, table 1) as an encoder.

Layers have torchvision's names after "encoder.", and the same arithmetic. At
S px, 64 base filters, one channel (11 M parameters):

    stage  layers                                        output
    0      conv1 7x7 stride 2, bn1, ReLU                 S/2  x S/2  x 64
    1      max pooling 3x3 stride 2, layer1: 2 blocks    S/4  x S/4  x 64
    2      layer2: 2 blocks, the first with stride 2     S/8  x S/8  x 128
    3      layer3: the same                              S/16 x S/16 x 256
    4      layer4: the same                              S/32 x S/32 x 512

A block is conv1 3x3, bn1, ReLU, conv2 3x3, bn2; then its input is added, and a
ReLU follows. Where size or width change, the input passes through downsample, a
1x1 convolution with stride 2 and a norm. Convolutions have no bias. Initial
weights are torchvision's: He et al. 2015 (arXiv:1502.01852, section 2.2) with
fan-out; norms scale by one.

With stride 2, Keras pads only at the right and the bottom, PyTorch on all
sides. Where it matters, padding is therefore a layer of its own.
"""

from typing import Any

import keras

from pix2pix_color.networks import layers

PREFIX = layers.ENCODER_PREFIX
# Of ImageNet's pictures in 0..1, averaged over their channels.
IMAGENET_MEAN = 0.449
IMAGENET_DEVIATION = 0.226


def scale_lightness(condition: Any, *, dtype: str) -> Any:
    """Scales a condition in -1..1, taken as gray, like ImageNet's pictures.

    L*/100 differs from sRGB's gray value, between 0 and 1, by at most 0.04.
    """
    return keras.layers.Rescaling(
        0.5 / IMAGENET_DEVIATION, (0.5 - IMAGENET_MEAN) / IMAGENET_DEVIATION,
        dtype=dtype, name=f"{PREFIX}scale")(condition)


def encode(x: Any, *, base_filters: int = 64, synchronized_norm: bool = False,
           dtype: str = "float32") -> list[Any]:
    """Adds the encoder to a network.

    Args:
      x: symbolic [N, S, S, C], scaled; S is a multiple of 32.
      base_filters: width of the first convolution.
      synchronized_norm: whether a distributed step normalizes over all
        replicas.
      dtype: policy of the layers.

    Returns:
      The outputs of the five stages, symbolic, the largest first.
    """
    def apply(layer, x, name):
        # For encoder_unet.encoder_variables.
        layer.encoder_stage = (
            int(name[len("layer")]) if name.startswith("layer") else 0)
        return layer(x)

    def convolution(x, filters, size, strides, name):
        if strides == 2 and size > 1:
            x = keras.layers.ZeroPadding2D(
                size // 2, dtype=dtype, name=f"{PREFIX}{name}.pad")(x)
        return apply(keras.layers.Conv2D(
            filters, size, strides=strides, use_bias=False, dtype=dtype,
            padding="same" if strides == 1 else "valid",
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, mode="fan_out", distribution="untruncated_normal"),
            name=f"{PREFIX}{name}"), x, name)

    def norm(x, name):
        return apply(layers.batch_norm(
            synchronized=synchronized_norm, dtype=dtype,
            gamma_initializer="ones", name=f"{PREFIX}{name}"), x, name)

    def relu(x, name):
        return keras.layers.ReLU(dtype=dtype, name=f"{PREFIX}{name}")(x)

    def block(x, filters, strides, name):
        y = convolution(x, filters, 3, strides, f"{name}.conv1")
        y = relu(norm(y, f"{name}.bn1"), f"{name}.relu1")
        y = convolution(y, filters, 3, 1, f"{name}.conv2")
        y = norm(y, f"{name}.bn2")
        if x.shape != y.shape:
            x = convolution(x, filters, 1, strides, f"{name}.downsample.0")
            x = norm(x, f"{name}.downsample.1")
        y = keras.layers.Add(dtype=dtype, name=f"{PREFIX}{name}.add")([x, y])
        return relu(y, f"{name}.relu2")

    x = convolution(x, base_filters, 7, 2, "conv1")
    x = relu(norm(x, "bn1"), "relu")
    stages = [x]
    # After a ReLU, zeros of the padding cannot exceed a window's maximum.
    x = keras.layers.ZeroPadding2D(1, dtype=dtype, name=f"{PREFIX}pool.pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, dtype=dtype,
                                  name=f"{PREFIX}pool")(x)
    for stage in range(1, 5):
        for index in range(2):
            x = block(x, base_filters * 2**(stage - 1),
                      2 if stage > 1 and index == 0 else 1,
                      f"layer{stage}.{index}")
        stages.append(x)
    return stages
