"""Finds and loads models that color photographs: arrays in, arrays out."""

import pathlib
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from data_pipelines import color, files
from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.saved_model import find, trained
from pix2pix_color.saved_model.bands import BAND_PIXELS, recolor_in_bands
from pix2pix_color.saved_model.find import (find_saved_model, read_card,
                                            require_fitting)
from pix2pix_color.saved_model.hints import add_hints_of_arrays
from pix2pix_color.saved_model.recolor import ChromaField

# Memory that coloring takes, as a multiple of the layers' outputs: convolutions
# make copies. A cautious guess, not measured.
_OVERHEAD = 1.5
# Share of the machine's memory that may be taken.
_USABLE = 0.8


class LoadedModel:
    """A model that colors photographs: a SavedModel, or the trained colorizer.

    Attributes:
      directory: where it was found; `colorizer` for the trained one.
      card: its model_card.json.
      module: what tf.saved_model.load returned, or trained.TrainedModule.
      image_size: side of the generator's square, pixels.
      has_noise: whether a seed changes its answers.
      takes_hints: whether it can be given color hints.
      offers_likely_colors: whether likely_colors can be called.

    Args:
      path: a SavedModel, a folder of versions, a run's folder, or `colorizer`;
        a pathlib.Path is a folder that trained.write_trained wrote.

    Raises:
      UserError: there is no model, or it cannot be loaded.
    """

    def __init__(self, path: Union[str, pathlib.Path]) -> None:
        hardware.claim_devices()
        if path == find.NAME or isinstance(path, pathlib.Path):
            generator, config, self.card = trained.load_trained(
                find.DIRECTORY if path == find.NAME
                else pathlib.Path(path), flag="--model")
            self.directory = str(path)
            self.module: Any = trained.TrainedModule(
                generator, color_space=color.COLOR_SPACES[
                    config.networks.color_space])
        else:
            self.directory = find_saved_model(path)
            self.module = load_saved_model(self.directory)
            self.card = read_card(self.directory)
        self.image_size = int(self.card["image_size"])
        self.has_noise = bool(self.card["has_noise"])
        self.takes_hints = bool(self.card.get("takes_hints"))
        self.offers_likely_colors = bool(self.card.get("offers_likely_colors"))

    def fitting_chroma_size(self, chroma_size: int) -> int:
        """Returns the largest side up to chroma_size that fits into memory.

        Args:
          chroma_size: side of the square to color in, a multiple of the
            model's; 0 for the model's.

        Returns:
          A multiple of the model's size.

        Raises:
          UserError: chroma_size is not a multiple of the model's.
        """
        require_fitting(chroma_size, self.image_size)
        size = chroma_size or self.image_size
        room = _USABLE * hardware.memory_bytes()
        while (size > self.image_size and room < _OVERHEAD
               * self.card["activation_bytes"]
               * (size / self.image_size)**2):
            size -= self.image_size
        return size

    def predict_field(self, rgb: np.ndarray, *, chroma_size: int = 0,
                      seed: Optional[int] = None,
                      hints: Optional[np.ndarray] = None) -> ChromaField:
        """Predicts a photograph's chroma.

        Args:
          rgb: uint8 [H, W, 3].
          chroma_size: side of the square to color in, a multiple of the
            model's; 0 for the model's.
          seed: of the noise; None for the answer without noise.
          hints: float32 [K, 4], y, x, a*, b* (hints.py), for a model that
            takes them. They cannot be used with a seed.

        Returns:
          A field of arrays.
        """
        inputs = (tf.constant(rgb), tf.constant(chroma_size or self.image_size),
                  tf.constant(seed or 0, tf.int64))
        slope, intercept = self.module.predict_field(
            *inputs, tf.constant(seed is not None))
        field = ChromaField(slope.numpy(), intercept.numpy())
        return field if hints is None else self.follow_hints(
            field, hints, rgb)

    def follow_hints(self, field: ChromaField, hints: np.ndarray,
                     rgb: np.ndarray) -> ChromaField:
        """Makes a prediction follow hints, without the network.

        Args:
          field: the prediction.
          hints: float32 [K, 4], as for predict_field.
          rgb: uint8 [H, W, 3], the photograph.

        Returns:
          A field of the same size.
        """
        if not len(hints):
            return field
        slope, intercept = add_hints_of_arrays(
            *field, tf.constant(hints, tf.float32), rgb)
        return ChromaField(slope.numpy(), intercept.numpy())

    def likely_colors(self, rgb: np.ndarray, points: np.ndarray
                      ) -> tuple[np.ndarray, np.ndarray]:
        """Predicts the likely colors of some places, if it offers them.

        Args:
          rgb: uint8 [H, W, 3].
          points: [K, 2], y and x in 0..1.

        Returns:
          a* and b*, float32 [K, 8, 2], and probabilities, float32 [K, 8].
        """
        ab, probabilities = self.module.predict_likely_colors(
            tf.constant(rgb), tf.constant(points, tf.float32))
        return ab.numpy(), probabilities.numpy()

    def features(self, rgb: np.ndarray) -> np.ndarray:
        """Describes places by the encoder's features, if it takes hints.

        Args:
          rgb: uint8 [H, W, 3].

        Returns:
          float32 [h, w, F], of length 1, for a sixteenth of the size at which
          the generator sees the photograph.
        """
        return self.module.predict_features(tf.constant(rgb)).numpy()

    def recolor(self, rgb: np.ndarray, field: ChromaField) -> np.ndarray:
        """Gives a photograph the chroma of a field; its lightness stays.

        Args:
          rgb: uint8 [H, W, 3].
          field: of any size.

        Returns:
          uint8 [H, W, 3].
        """
        if rgb.shape[0] * rgb.shape[1] > BAND_PIXELS:
            return recolor_in_bands(rgb, field)
        return self.module.recolor(
            tf.constant(rgb), *map(tf.constant, field)).numpy()

    def colorize(self, rgb: np.ndarray, *, saturation: float = 1.0,
                 chroma_size: int = 0, seed: Optional[int] = None,
                 hints: Optional[np.ndarray] = None) -> np.ndarray:
        """Colors one photograph.

        Args:
          rgb: uint8 [H, W, 3].
          saturation: factor of a* and b*.
          chroma_size: as in predict_field.
          seed: as in predict_field.
          hints: as in predict_field; saturation multiplies their colors, too.

        Returns:
          uint8 [H, W, 3] with the photograph's own lightness.
        """
        return self.recolor(rgb, self.predict_field(
            rgb, chroma_size=chroma_size, seed=seed,
            hints=hints).scaled(saturation))


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """Returns the photograph without its color, uint8 [H, W, 3]."""
    return color.given_gray(tf.constant(rgb)).numpy()


def load_saved_model(path: str) -> Any:
    """Loads the SavedModel that find_saved_model finds.

    Raises:
      UserError: there is none, or it is damaged.
    """
    directory = find_saved_model(path)
    try:
        with files.plain_path(directory) as plain:
            return tf.saved_model.load(plain)
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"--model={path}: the SavedModel in {directory} "
                        f"cannot be loaded: {reason}") from error
