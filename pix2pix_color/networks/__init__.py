"""Generators and discriminators, built from a run's flags."""

from typing import Any, Callable

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.config import Config
from pix2pix_color.networks import discriminators, encoder_unet, layers, unet


def build_generator(
        config: Config, *, precision: str,
        step: Callable[[], tf.Tensor] = layers.no_step,
        sampling: bool = False) -> keras.Model:
    """Builds the generator that a run's flags describe, with random weights.

    Args:
      config: the flags.
      precision: policy of its layers.
      step: returns int64 [], which determines its noise together with the seed.
      sampling: whether there is noise at inference too.

    Returns:
      A model from condition float32 [N, S, S, C] to target float32
      [N, S, S, D], in -1..1; encoder_unet.inputs_of makes its inputs.
    """
    networks = config.networks
    options: dict[str, Any] = dict(
        upsampling=networks.upsampling, dropout=networks.dropout,
        dropout_seed=config.training.seed, step=step, sampling=sampling,
        noise_channels=networks.noise_channels, **_shape(config, precision))
    if networks.generator == "unet":
        return unet.build_unet(
            decoder_activation=networks.decoder_activation, **options)
    return encoder_unet.build_encoder_unet(
        encoder_unet.RESNET18 if networks.generator == "resnet18_unet"
        else networks.efficientnet, hints=networks.hints, **options)


def build_discriminator(config: Config, *, precision: str) -> keras.Model:
    """Builds the discriminator that a run's flags describe, as build_generator.

    Returns:
      A model from [condition, target] to logits; see discriminators.
    """
    networks = config.networks
    return discriminators.build_discriminator(
        networks.discriminator, num_layers=networks.discriminator_layers,
        **_shape(config, precision))


def _shape(config: Config, precision: str) -> dict[str, Any]:
    space = color.COLOR_SPACES[config.networks.color_space]
    return dict(image_size=config.data.image_size,
                condition_channels=space.condition_channels,
                target_channels=space.target_channels,
                base_filters=config.networks.base_filters,
                norm=config.networks.norm,
                synchronized_norm=config.training.sync_batch_norm,
                dtype=precision)
