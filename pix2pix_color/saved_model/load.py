"""Asks a SavedModel for colors: arrays in, arrays out."""

import dataclasses
import json
import os
import pathlib
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from data_pipelines import color
from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.saved_model import trained
from pix2pix_color.saved_model.write import CARD

# What the generator's outputs take, in all, against the sum of its layers':
# convolutions have copies of their own. A cautious guess, not measured.
_OVERHEAD = 1.5
# Memory that the rest of the machine keeps.
_USABLE = 0.8


@dataclasses.dataclass(frozen=True)
class Field:
    """A photograph's chroma: a* and b* are slope * lightness + intercept.

    Attributes:
      slope: float32 [h, w, 2]; lightness is L*/50 - 1.
      intercept: float32 [h, w, 2].
    """

    slope: np.ndarray
    intercept: np.ndarray

    def __mul__(self, saturation: float) -> "Field":
        return Field(self.slope * saturation, self.intercept * saturation)

    def __add__(self, other: "Field") -> "Field":
        return Field(self.slope + other.slope, self.intercept + other.intercept)


class LoadedModel:
    """A model that colors photographs: a SavedModel, or the trained colorizer.

    Attributes:
      directory: where it was found; `colorizer` is the trained one.
      card: its model_card.json.
      module: what tf.saved_model.load gave.
      image_size: side of the generator's square, pixels.
      has_noise: whether a seed changes its answers.

    Args:
      path: a SavedModel, a directory of its versions, a run's folder, or
        `colorizer`; a pathlib.Path is a folder that trained.write wrote.

    Raises:
      UserError: there is none, it cannot be loaded, or is of an older kind.
    """

    def __init__(self, path: Union[str, pathlib.Path]) -> None:
        hardware.claim_devices()
        if path == trained.NAME:
            self._build_trained(trained.DIRECTORY)
            self.directory = path
        elif isinstance(path, pathlib.Path):
            self._build_trained(path)
            self.directory = str(path)
        else:
            self._load_saved_model(path)
        self.image_size = int(self.card["image_size"])
        self.has_noise = bool(self.card["has_noise"])

    def _build_trained(self, directory: pathlib.Path) -> None:
        generator, config, self.card = trained.load(directory, flag="--model")
        self.module: Any = trained.TrainedModule(
            generator, color_space=color.COLOR_SPACES[
                config.networks.color_space])

    def _load_saved_model(self, path: str) -> None:
        self.directory = find_saved_model(path)
        self.module = load_saved_model(self.directory)
        self.card = read_card(self.directory)
        if not hasattr(self.module, "predict_field") or not self.card:
            raise UserError(
                f"--model={path}: the SavedModel in {self.directory} was "
                f"exported by an earlier version; export the run again")

    def fitting_chroma_size(self, chroma_size: int) -> int:
        """The side of the square to color in: what is asked for, if it fits.

        Args:
          chroma_size: a multiple of the model's size; 0 for that itself.

        Returns:
          The largest multiple, up to it, that memory suffices for.

        Raises:
          UserError: it is no multiple.
        """
        size = chroma_size or self.image_size
        if size % self.image_size:
            raise UserError(
                f"--chroma_size={chroma_size} must be a multiple of this "
                f"model's image size, {self.image_size}, or 0")
        room = _USABLE * hardware.memory_bytes()
        while (size > self.image_size and room < _OVERHEAD
               * self.card["activation_bytes"]
               * (size / self.image_size)**2):
            size -= self.image_size
        return size

    def predict_field(self, rgb: np.ndarray, *, chroma_size: int = 0,
                      seed: Optional[int] = None) -> Field:
        """Predicts a photograph's chroma.

        Args:
          rgb: uint8 [H, W, 3].
          chroma_size: side of the square to color in, a multiple of the
            model's; 0 for that itself.
          seed: what noise follows from; None for none.
        """
        slope, intercept = self.module.predict_field(
            tf.constant(rgb), tf.constant(chroma_size or self.image_size),
            tf.constant(seed or 0, tf.int64), tf.constant(seed is not None))
        return Field(slope.numpy(), intercept.numpy())

    def recolor(self, rgb: np.ndarray, field: Field) -> np.ndarray:
        """Gives a photograph a chroma; its lightness stays.

        Args:
          rgb: uint8 [H, W, 3].
          field: of any size.

        Returns:
          uint8 [H, W, 3].
        """
        return self.module.recolor(
            tf.constant(rgb), tf.constant(field.slope),
            tf.constant(field.intercept)).numpy()

    def colorize(self, rgb: np.ndarray, *, saturation: float = 1.0,
                 chroma_size: int = 0,
                 seed: Optional[int] = None) -> np.ndarray:
        """Colors one photograph.

        Args:
          rgb: uint8 [H, W, 3].
          saturation: factor of a* and b*.
          chroma_size: as in predict_field.
          seed: as in predict_field.

        Returns:
          uint8 [H, W, 3], with the photograph's own lightness.
        """
        return self.recolor(rgb, self.predict_field(
            rgb, chroma_size=chroma_size, seed=seed) * saturation)


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """The photograph without color, uint8 [H, W, 3], as a model sees it."""
    return color.given_gray(tf.constant(rgb)).numpy()


def read_card(directory: str) -> dict[str, Any]:
    """Reads a SavedModel's model_card.json; empty where there is none."""
    try:
        with open(os.path.join(directory, CARD), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def find_saved_model(path: str) -> str:
    """Finds the SavedModel that a person means.

    Args:
      path: a SavedModel, a directory of versions, or a run's folder.

    Returns:
      The SavedModel, the newest version where there are several.

    Raises:
      UserError: there is none.
    """
    for directory in (path, os.path.join(path, "export")):
        if os.path.exists(os.path.join(directory, "saved_model.pb")):
            return directory
        versions = _versions(directory)
        if versions:
            return os.path.join(directory, max(versions, key=int))
    raise UserError(
        f"--model={path} holds no SavedModel; name one, a directory of its "
        f"versions, a run's folder that was exported, or colorizer")


def _versions(directory: str) -> list[str]:
    """Versions of a directory that hold a SavedModel: 7, or 0007."""
    if not os.path.isdir(directory):
        return []
    return [name for name in os.listdir(directory) if name.isdecimal()
            and os.path.exists(os.path.join(directory, name, "saved_model.pb"))]


def load_saved_model(path: str) -> Any:
    """Loads the SavedModel that a person means, as find does.

    Raises:
      UserError: there is none, or it is damaged.
    """
    directory = find_saved_model(path)
    try:
        return tf.saved_model.load(directory)
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"--model={path}: the SavedModel in {directory} "
                        f"cannot be loaded: {reason}") from error
