"""The trained colorizer, which comes with the package.

Its generator's weights, encoder included, and its card are in
pix2pix_color/colorizer/. It is built in the process, from its file of weights,
and answers like a SavedModel that was loaded.
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
from pix2pix_color.saved_model import recolor
from pix2pix_color.saved_model.prediction import FIELD_INPUTS, Prediction, Seed

# What --model, --run and --initial_weights call it.
NAME = "colorizer"
DIRECTORY = pathlib.Path(__file__).parents[1] / "colorizer"
_WEIGHTS, _CARD = "colorizer.safetensors", "model_card.json"
# What must be known of a colorizer before it is built.
_NEEDED = ("sha256", "image_size", "has_noise", "color_space",
           "activation_bytes")


def write(directory: pathlib.Path, weights: bytes,
          card: Mapping[str, Any]) -> None:
    """Writes a colorizer's two files; its card gets their hash and size."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**card, "bytes": len(weights),
                       "sha256": hashlib.sha256(weights).hexdigest()},
                      indent=2, ensure_ascii=False) + "\n"
    write_atomically(str(directory / _WEIGHTS), weights)
    write_atomically(str(directory / _CARD), text.encode())


def read(directory: pathlib.Path = DIRECTORY, *,
         flag: str) -> tuple[str, dict[str, Any]]:
    """Finds a colorizer's weights and reads its card.

    Args:
      directory: where its two files are.
      flag: who asks for it, for messages.

    Returns:
      The path of its weights, and its card.

    Raises:
      UserError: the files are missing, damaged, or do not belong together.
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
        raise UserError(f"{flag}={NAME}: {directory / _CARD} is no model "
                        f"card: it lacks {', '.join(missing)}")
    if digest != card["sha256"]:
        raise UserError(
            f"{flag}={NAME}: {weights} has SHA-256 {digest}, and its card says "
            f"{card['sha256']}; install the package again")
    return str(weights), card


def load(directory: pathlib.Path = DIRECTORY, *,
         flag: str) -> tuple[keras.Model, Config, dict[str, Any]]:
    """Builds a colorizer's generator, as read finds it.

    Returns:
      The generator in float32, the flags that it was trained with, its card.

    Raises:
      UserError: as read.
    """
    path, card = read(directory, flag=flag)
    config = config_flags.config_from_text(
        weights_file.read_flags(path, flag=flag), origin=path)
    generator = build_generator(config, precision="float32")
    weights_file.assign_weights(
        generator, weights_file.read_tensors(path, flag=flag),
        origin=f"{flag}={path}")
    return generator, config, card


class TrainedModule:
    """What tf.saved_model.load would give of the trained colorizer.

    Functions are traced when they are first called.

    Attributes:
      signatures: `predict_target`, as a SavedModel has it.

    Args:
      generator: the generator.
      color_space: what it was trained in.
    """

    def __init__(self, generator: keras.Model, *,
                 color_space: color.ColorSpace) -> None:
        self._prediction = Prediction(generator, color_space=color_space,
                                      seed=Seed())
        self.signatures = {"predict_target": lambda condition: {
            "target": self._prediction.target(
                condition, tf.zeros([], tf.int64))}}

    def predict_field(self, rgb: tf.Tensor, chroma_size: tf.Tensor,
                      seed: tf.Tensor, sampling: tf.Tensor) -> Any:
        """Predicts chroma, as prediction.Prediction.field_of_any_size."""
        is_own = int(chroma_size) == self._prediction.image_size
        if bool(sampling):
            field = (self._prediction.noisy_field if is_own else
                     self._prediction.noisy_field_of_size)
        else:
            field = (self._prediction.field if is_own else
                     self._prediction.field_of_size)
        return field(rgb, chroma_size, seed)

    def recolor(self, rgb: tf.Tensor, slope: tf.Tensor,
                intercept: tf.Tensor) -> tf.Tensor:
        """Joins a photograph with chroma, as recolor.recolor."""
        return self._recolor(rgb, slope, intercept)

    @functools.cached_property
    def _recolor(self) -> Any:
        field_spec = tf.TensorSpec([None, None, 2], tf.float32)
        return tf.function(
            lambda rgb, slope, intercept: recolor.recolor(
                rgb, recolor.ChromaField(slope, intercept)),
            autograph=False).get_concrete_function(
                FIELD_INPUTS[0], field_spec, field_spec)
