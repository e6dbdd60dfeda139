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
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from pix2pix_color import config_flags
from pix2pix_color.config import Config
from pix2pix_color.networks import build_generator, weights_file
from pix2pix_color.saved_model.module import trace_recolor
from pix2pix_color.saved_model.prediction import Prediction

# Its name in --model, --run and --initial_weights.
NAME = "colorizer"
DIRECTORY = pathlib.Path(__file__).parents[1] / "colorizer"
_WEIGHTS, _CARD = "colorizer.safetensors", "model_card.json"
# Entries that a card must have.
_NEEDED = ("sha256", "image_size", "has_noise", "color_space",
           "activation_bytes")


def write_trained(directory: pathlib.Path, weights: bytes,
                  card: Mapping[str, Any]) -> None:
    """Writes a colorizer's two files; hash and size are added to the card."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**card, "bytes": len(weights),
                       "sha256": hashlib.sha256(weights).hexdigest()},
                      indent=2, ensure_ascii=False) + "\n"
    write_atomically(str(directory / _WEIGHTS), weights)
    write_atomically(str(directory / _CARD), text.encode())


def read_trained(directory: pathlib.Path = DIRECTORY, *,
                 flag: str) -> tuple[str, dict[str, Any]]:
    """Finds a colorizer's weights and reads its card.

    Args:
      directory: the folder of the two files.
      flag: the flag that names it, for messages.

    Returns:
      The path of the weights, and the card.

    Raises:
      UserError: a file is missing or damaged, or they do not match.
    """
    weights = directory / _WEIGHTS
    try:
        card = json.loads((directory / _CARD).read_text(encoding="utf-8"))
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise UserError(f"{flag}={NAME}: the trained colorizer in "
                        f"{directory} cannot be read: {error}") from error
    missing = [name for name in _NEEDED
               if not isinstance(card, dict) or name not in card]
    if missing:
        raise UserError(f"{flag}={NAME}: the model card {directory / _CARD} "
                        f"lacks {', '.join(missing)}")
    if digest != card["sha256"]:
        raise UserError(
            f"{flag}={NAME}: {weights} has SHA-256 {digest}, but its card says "
            f"{card['sha256']}; install the package again")
    return str(weights), card


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

    def predict_hinted_field(self, rgb: tf.Tensor, chroma_size: tf.Tensor,
                             seed: tf.Tensor, hints: tf.Tensor) -> Any:
        """Predicts chroma with hints, as Prediction.field."""
        return self._prediction.field(
            any_size=int(chroma_size) != self._prediction.image_size,
            hinted=True)(rgb, chroma_size, seed, hints)

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
