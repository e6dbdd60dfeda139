"""Shapes, flags and work of the training steps that benchmarks measure."""

from typing import Any, Callable

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.networks import layers
from pix2pix_color.training.schedules import Schedule
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import make_train_step


def parse_shape(shape: str, *, flag: str) -> tuple[int, int, int]:
    """Parses IMAGE_SIZExBASE_FILTERSxBATCH_SIZE.

    Raises:
      UserError: the shape has another form.
    """
    try:
        image_size, filters, batch_size = map(int, shape.split("x"))
    except ValueError:
        raise UserError(f"{flag}={shape} must be IMAGE_SIZExBASE_FILTERSx"
                        f"BATCH_SIZE, such as 256x64x16") from None
    return image_size, filters, batch_size


# Benchmarks measure pix2pix as published, not fit's defaults.
PIX2PIX: dict[str, Any] = dict(
    gan_weight=1.0, l1_weight=100.0, psnr_weight=0.0, colorfulness_weight=0.0,
    lr_schedule="constant", ema_decay=0.0)


def config_of(image_size: int, filters: int, batch_size: int,
              precision: str = "auto", *, generator: str = "unet",
              **data: Any) -> Config:
    """Returns the flags of the run to measure.

    Args:
      image_size: side of the square, pixels.
      filters: --base_filters.
      batch_size: pictures an update.
      precision: --precision.
      generator: unet is pix2pix; efficientnet_unet is the trained colorizer's
        network with its encoder frozen, trained with L1 alone.
      **data: further options of Data.
    """
    training = dict(PIX2PIX)
    if generator != "unet":
        training |= dict(gan_weight=0.0, l1_weight=20.0, encoder_rate=0.0)
    return Config(
        data=Data(image_size=image_size, batch_size=batch_size, **data),
        networks=Networks(base_filters=filters, generator=generator,
                          dropout=0.5 if generator == "unet" else 0.0),
        training=Training(precision=precision, **training))


def make_repeated_step(image_size: int, filters: int, batch_size: int,
                       precision: str,
                       generator: str = "unet") -> Callable[[], float]:
    """Returns a function that makes an update on one fixed batch of noise."""
    config = config_of(image_size, filters, batch_size, precision,
                       generator=generator)
    state = TrainState.create(config, precision=precision)
    step = make_train_step(state, Schedule(
        config, num_train_examples=batch_size).objective(0))
    noise = tf.random.stateless_uniform(
        [batch_size, image_size, image_size, 3], [0, 0], -1.0, 1.0)
    condition, target = noise[..., :1], noise[..., 1:]
    return lambda: float(step(condition, target).generator)


def gflop_an_image(config: Config) -> float:
    """Returns the work of one update per picture, 1e9 operations.

    Multiplications and additions count one each. A backward pass is twice a
    forward pass.

    | network | passes | forward passes |
    |---|---|---|
    | generator | forward and backward | 3 |
    | frozen encoder | forward | 1 |
    | discriminator | forward and backward, real and fake | 6 |
    | discriminator | forward and backward to its input only | 2 |
    """
    state = TrainState.create(config, precision="float32", pretrained=False)
    generator, discriminator = (
        sum(map(_gflop, network.layers))
        for network in (state.generator, state.discriminator))
    if config.training.gan_weight:
        return 3 * generator + 8 * discriminator
    encoder = sum(_gflop(layer) for layer in state.generator.layers
                  if layer.name.startswith(layers.ENCODER_PREFIX))
    return 3 * generator - 2 * encoder


def _gflop(layer: Any) -> float:
    """Returns the work of a layer's forward pass on one picture."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0.0
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return 2 * np.prod(kernel.shape) * np.prod(
            layer.output.shape[1:3]) / 1e9
    # A transposed convolution visits the positions of its input.
    places = (layer.input if "transpose" in type(layer).__name__.lower()
              else layer.output).shape[1:3]
    return 2 * np.prod(kernel.shape) * np.prod(places) / 1e9
