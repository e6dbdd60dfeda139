"""The trained colorizer, which comes with the package.

Its generator's weights, encoder included, and its card are in
pix2pix_color/colorizer/. It is built in the process, from its file of weights,
and answers like a SavedModel that was loaded.
"""

import functools
import hashlib
import json
import pathlib
from typing import Any

import keras
import tensorflow as tf

from data_pipelines import color, recolor
from pix2pix_color import cli
from pix2pix_color.config import Config, ConfigError
from pix2pix_color.networks import weights_file
from pix2pix_color.serving.prediction import FIELD_INPUTS, Prediction, Seed
from pix2pix_color.training import train_state

# What --model, --run and --initial_weights call it.
NAME = "colorizer"
DIRECTORY = pathlib.Path(__file__).parents[1] / "colorizer"
WEIGHTS = DIRECTORY / "colorizer.safetensors"
CARD = DIRECTORY / "model_card.json"


def load(flag: str = "--model") -> tuple[keras.Model, Config, dict[str, Any]]:
    """Builds the trained colorizer's generator.

    Args:
      flag: who asks for it, for messages.

    Returns:
      The generator in float32, the flags that it was trained with, its card.

    Raises:
      ConfigError: its files are missing, damaged, or do not belong together.
    """
    try:
        card = json.loads(CARD.read_text(encoding="utf-8"))
        digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{flag}={NAME}: the trained colorizer in "
                          f"{DIRECTORY} cannot be read: {error}") from error
    if digest != card.get("sha256"):
        raise ConfigError(
            f"{flag}={NAME}: {WEIGHTS} has SHA-256 {digest}, and its card says "
            f"{card.get('sha256')}; install the package again")
    path = str(WEIGHTS)
    config = cli.config_from_text(
        weights_file.read_flags(path, flag=flag), origin=path)
    generator = train_state.build_generator(config, precision="float32")
    weights_file.load(generator, path, flag=flag)
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
