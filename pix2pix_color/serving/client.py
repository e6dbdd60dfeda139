"""Asks a SavedModel for colors, one file at a time."""

from typing import Any, Callable

import tensorflow as tf

from pix2pix_color import hardware
from pix2pix_color.files import write_atomically
from pix2pix_color.serving import saved_model

Colorize = Callable[..., dict[str, tf.Tensor]]


class NoImageError(ValueError):
    """The bytes are no image that the model can read."""


def load(model: str) -> Any:
    """Loads a model's `serving_default` signature.

    Args:
      model: a SavedModel, a directory of its versions, or a run's folder.

    Raises:
      ConfigError: there is none, or it cannot be loaded.
    """
    hardware.claim_devices()
    return saved_model.load(model).signatures["serving_default"]


def colorize_file(colorize: Colorize, path: str, output: str) -> None:
    """Colors one photograph and writes it as PNG.

    Args:
      colorize: what load returned.
      path: the photograph.
      output: the file to write, whole or not at all.

    Raises:
      NoImageError: path holds no image that can be read.
      OSError: path cannot be read or output not be written.
    """
    with open(path, "rb") as file:
        image_bytes = file.read()
    try:
        answer = colorize(image_bytes=tf.constant([image_bytes]))
    except tf.errors.InvalidArgumentError as error:
        raise NoImageError(path) from error
    write_atomically(output, answer["colorized_bytes"][0].numpy())
