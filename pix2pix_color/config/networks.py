"""Options of the generator and the discriminator."""

import dataclasses

from pix2pix_color.config.option import option

# Generators whose encoder is a classifier's and can start with its weights.
ENCODERS = ("resnet18_unet", "efficientnet_unet")


@dataclasses.dataclass(frozen=True)
class Networks:
    """Architecture and initial weights of the networks."""

    color_space: str = option(
        "lab", "What the generator predicts. lab: a*b* from L*. rgb: R, G and "
        "B from gray.", choices=("lab", "rgb"))
    generator: str = option(
        "unet", "Generator. unet: pix2pix's U-Net. resnet18_unet: a U-Net with "
        "a ResNet-18 as its encoder. efficientnet_unet: with an "
        "EfficientNet-Lite.", choices=("unet", *ENCODERS))
    efficientnet: str = option(
        "lite2", "EfficientNet-Lite variant in efficientnet_unet.",
        choices=("lite0", "lite2"))
    encoder_weights: str = option(
        "", "Initial weights of the encoder: a .safetensors file of an "
        "EfficientNet-Lite, or of a ResNet-18 from torchvision or timm; or "
        "imagenet. ImageNet weights of EfficientNet-Lite2 are in the package, "
        "those of ResNet-18 are downloaded once. Empty: random.", holds="path")
    initial_weights: str = option(
        "", "Initial weights of the whole generator: colorizer (the trained "
        "one in the package), a run's folder, or a .safetensors file from "
        "`export --format=safetensors`. Empty: random.", holds="path")
    upsampling: str = option(
        "auto", "How the decoder doubles height and width: transposed "
        "convolution; resize (nearest neighbor, then convolution); "
        "pixel_shuffle (convolution, then pixel shuffle); or nearest (nearest "
        "neighbor alone). auto: transposed for unet, pixel_shuffle for "
        "resnet18_unet, nearest for efficientnet_unet.",
        choices=("auto", "transposed", "resize", "pixel_shuffle", "nearest"))
    decoder_activation: str = option(
        "relu", "Activation in the decoder of unet.",
        choices=("relu", "leaky_relu"))
    discriminator: str = option(
        "patchgan", "What the discriminator rates as real or generated. "
        "patchgan: patches. pixel: single pixels. dcgan: the whole image. "
        "dcgan_max_pool: the whole image, halved by max pooling.",
        choices=("patchgan", "pixel", "dcgan", "dcgan_max_pool"))
    discriminator_layers: int = option(
        3, "Stride-2 convolutions in patchgan. 1 to 5 give patches of 16, 34, "
        "70, 142 and 286 px.", minimum=1)
    base_filters: int = option(
        64, "Filters of the first convolution of both networks. In "
        "efficientnet_unet: filters of the decoder at a quarter of "
        "--image_size.", minimum=1)
    norm: str = option(
        "batch", "Normalization in both networks, except in the encoders: "
        "resnet18_unet's always has batch norm, efficientnet_unet's none.",
        choices=("batch", "instance", "none"))
    dropout: float = option(
        0.5, "Dropout rate of the innermost decoder layers: up to three in "
        "unet, two in the others.", minimum=0.0, maximum=0.95)
    hints: bool = option(
        False, "Train a head of efficientnet_unet for the likely colors of a "
        "place, and show the decoder random color hints in half of the "
        "photographs. Colorizing with hints does not need it.")
    noise_channels: int = option(
        0, "Channels of Gaussian noise appended to the generator's input in "
        "training. At inference they are zero.", minimum=0)
