"""The trained colorizer, which comes with the package.

pix2pix_color/colorizer/ holds its card and its generator's weights, encoder
included. The generator is built in this process and answers like a loaded
SavedModel.
"""

import functools
import hashlib
import json
import pathlib
from typing import Any, Mapping

import keras
import tensorflow as tf

from data_pipelines import color
from data_pipelines.files import write_atomically
from pix2pix_color import config_flags
from pix2pix_color.config import Config
from pix2pix_color.networks import build_generator, weights_file
from pix2pix_color.saved_model.find import (DIRECTORY, TRAINED_CARD, WEIGHTS,
                                            read_trained)
from pix2pix_color.saved_model.module import trace_recolor
from pix2pix_color.saved_model.prediction import Prediction


def write_trained(directory: pathlib.Path, weights: bytes,
                  card: Mapping[str, Any]) -> None:
    """Writes a colorizer's two files; hash and size are added to the card."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**card, "bytes": len(weights),
                       "sha256": hashlib.sha256(weights).hexdigest()},
                      indent=2, ensure_ascii=False) + "\n"
    write_atomically(str(directory / WEIGHTS), weights)
    write_atomically(str(directory / TRAINED_CARD), text.encode())


def load_trained(directory: pathlib.Path = DIRECTORY, *,
                 flag: str) -> tuple[keras.Model, Config, dict[str, Any]]:
    """Builds a colorizer's generator.

    Args:
      directory: as for read_trained.
      flag: as for read_trained.

    Returns:
      The generator in float32, the flags that it was trained with, its card.

    Raises:
      UserError: as read_trained.
    """
    path, card = read_trained(directory, flag=flag)
    config = config_flags.config_from_text(
        weights_file.read_flags(path, flag=flag), origin=path)
    generator = build_generator(config, precision="float32")
    weights_file.assign_weights(
        generator, weights_file.read_tensors(path, flag=flag),
        origin=f"{flag}={path}")
    return generator, config, card


class TrainedModule:
    """The trained colorizer, used like the result of tf.saved_model.load.

    Functions are traced on first use.

    Attributes:
      signatures: `predict_target`, as in a SavedModel.

    Args:
      generator: the generator.
      color_space: the generator's.
    """

    def __init__(self, generator: keras.Model, *,
                 color_space: color.ColorSpace) -> None:
        self._prediction = Prediction(generator, color_space=color_space)
        self.signatures = {"predict_target": lambda condition: {
            "target": self._prediction.target(
                condition, tf.zeros([], tf.int64))}}

    def predict_field(self, rgb: tf.Tensor, chroma_size: tf.Tensor,
                      seed: tf.Tensor, sampling: tf.Tensor) -> Any:
        """Predicts chroma, as Prediction.field_of_any_size."""
        return self._prediction.field(
            any_size=int(chroma_size) != self._prediction.image_size,
            sampling=bool(sampling))(rgb, chroma_size, seed)

    def predict_likely_colors(self, rgb: tf.Tensor, points: tf.Tensor) -> Any:
        """Predicts likely colors, as Prediction.likely_colors."""
        return self._prediction.likely_colors(rgb, points)

    def predict_features(self, rgb: tf.Tensor) -> tf.Tensor:
        """Describes places, as Prediction.features."""
        return self._prediction.features(rgb)

    @functools.cached_property
    def recolor(self) -> Any:
        """Joins rgb with chroma, given as slope and intercept."""
        return trace_recolor()
