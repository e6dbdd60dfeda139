"""The generators and discriminators, built from a run's flags."""

from typing import Any, Callable

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.config import Config
from pix2pix_color.networks import dcgan, encoder_unet, layers, patchgan, unet

GENERATORS: dict[str, Callable[..., keras.Model]] = {
    "unet": unet.build_unet,
    "resnet18_unet": encoder_unet.build_resnet18_unet,
    "efficientnet_unet": encoder_unet.build_efficientnet_unet,
}
DISCRIMINATORS: dict[str, Callable[..., keras.Model]] = {
    "patchgan": patchgan.build_patchgan,
    "pixel": patchgan.build_pixelgan,
    "dcgan": dcgan.build_dcgan,
}


def build_generator(
        config: Config, *, precision: str,
        step: Callable[[], tf.Tensor] = layers.no_step,
        sampling: bool = False) -> keras.Model:
    """Builds the generator that a run's flags describe, with random weights.

    Args:
      config: the flags.
      precision: policy of its layers.
      step: returns int64 [], what its noise follows from beside the seed.
      sampling: whether there is noise at inference too.
    """
    networks = config.networks
    options: dict[str, Any] = {}
    if networks.upsampling != "auto":  # otherwise the generator's own
        options["upsampling"] = networks.upsampling
    if networks.generator == "efficientnet_unet":
        options["variant"] = networks.efficientnet
    return GENERATORS[networks.generator](
        dropout=networks.dropout, dropout_seed=config.training.seed,
        noise_channels=networks.noise_channels, step=step, sampling=sampling,
        **options, **_shape(config, precision))


def build_discriminator(config: Config, *, precision: str) -> keras.Model:
    networks = config.networks
    options: dict[str, Any] = {}
    if networks.discriminator == "patchgan":
        options["num_layers"] = networks.discriminator_layers
    return DISCRIMINATORS[networks.discriminator](
        **options, **_shape(config, precision))


def _shape(config: Config, precision: str) -> dict[str, Any]:
    space = color.COLOR_SPACES[config.networks.color_space]
    return dict(image_size=config.data.image_size,
                condition_channels=space.condition_channels,
                target_channels=space.target_channels,
                base_filters=config.networks.base_filters,
                norm=config.networks.norm,
                synchronized_norm=config.training.sync_batch_norm,
                dtype=precision)
