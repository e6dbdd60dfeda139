"""ResNet-18 (He et al. 2016, arXiv:1512.03385, table 1) as an encoder.

Layers are named as torchvision names its own, behind "encoder.", and compute
the same with the same weights. At S px, 64 base filters, one channel
(11 M parameters):

    stage  layers                                        output
    0      conv1 7x7 stride 2, bn1, ReLU                 S/2  x S/2  x 64
    1      max pooling 3x3 stride 2, layer1: 2 blocks    S/4  x S/4  x 64
    2      layer2: 2 blocks, the first with stride 2     S/8  x S/8  x 128
    3      layer3: the same                              S/16 x S/16 x 256
    4      layer4: the same                              S/32 x S/32 x 512

A block is conv1 3x3, bn1, ReLU, conv2 3x3, bn2, to which what came in is added
before a last ReLU; where size or width change, through downsample, a 1x1
convolution with stride 2 and a norm. No convolution has a bias. Initial
weights are torchvision's too: He et al. 2015 (arXiv:1502.01852, section 2.2)
by the outgoing connections, norms scale by one.

Keras pads a stride of 2 at the right and the bottom alone, PyTorch on all
sides: so every padding that matters is a layer here.
"""

from typing import Any

import keras

from pix2pix_color.networks import layers

PREFIX = layers.ENCODER_PREFIX
# What (gray - mean) / deviation takes an RGB picture in 0..1 to on ImageNet,
# averaged over its channels: weights from there expect it.
IMAGENET_MEAN = 0.449
IMAGENET_DEVIATION = 0.226


def imagenet_scaled(condition: Any, *, dtype: str) -> Any:
    """Takes a condition in -1..1 for gray in 0..1, normalized as ImageNet's.

    L*/100 is not the gray value of sRGB but, between 0 and 1, never more than
    0.04 away from it.
    """
    return keras.layers.Rescaling(
        0.5 / IMAGENET_DEVIATION, (0.5 - IMAGENET_MEAN) / IMAGENET_DEVIATION,
        dtype=dtype, name=f"{PREFIX}scale")(condition)


def encode(x: Any, *, base_filters: int = 64, synchronized_norm: bool = False,
           dtype: str = "float32") -> list[Any]:
    """Adds the encoder to a network.

    Args:
      x: symbolic [N, S, S, C], normalized as ImageNet's pictures are; S is a
        multiple of 32.
      base_filters: width of the first convolution.
      synchronized_norm: whether a distributed step normalizes over all of its
        replicas.
      dtype: policy of the layers.

    Returns:
      The outputs of the five stages, symbolic, the largest first.
    """
    def convolution(x, filters, size, strides, name):
        if strides == 2 and size > 1:
            x = keras.layers.ZeroPadding2D(
                size // 2, dtype=dtype, name=f"{PREFIX}{name}.pad")(x)
        return keras.layers.Conv2D(
            filters, size, strides=strides, use_bias=False, dtype=dtype,
            padding="same" if strides == 1 else "valid",
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, mode="fan_out", distribution="untruncated_normal"),
            name=f"{PREFIX}{name}")(x)

    def norm(x, name):
        return layers.batch_norm(
            synchronized=synchronized_norm, dtype=dtype,
            gamma_initializer="ones", name=f"{PREFIX}{name}")(x)

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
    # After a ReLU no padding of zeros can be a window's maximum wrongly.
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


def stage_of(name: str, generator: keras.Model) -> int:
    """Returns the stage, 0 to 4, of a layer of this name without its prefix."""
    del generator  # all have the same stages
    return int(name[len("layer")]) if name.startswith("layer") else 0
