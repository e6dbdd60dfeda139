"""Finds the model that a flag names and reads its card, without TensorFlow."""

import hashlib
import json
import os
import pathlib
from typing import Any

from data_pipelines.errors import UserError

# The trained colorizer's name in --model, --run and --initial_weights.
NAME = "colorizer"
DIRECTORY = pathlib.Path(__file__).parents[1] / "colorizer"
WEIGHTS, TRAINED_CARD = "colorizer.safetensors", "model_card.json"
# Entries that its card must have.
_NEEDED = ("sha256", "image_size", "has_noise", "color_space",
           "activation_bytes")
# In a SavedModel's folder.
CARD = os.path.join("assets.extra", "model_card.json")


def find_card(model: str) -> dict[str, Any]:
    """Reads the card of the model that --model names.

    Args:
      model: as find_saved_model takes it, or `colorizer`.

    Raises:
      UserError: there is no such model, or its card cannot be read.
    """
    if model == NAME:
        return read_trained(flag="--model")[1]
    return read_card(find_saved_model(model))


def require_fitting(chroma_size: int, image_size: int) -> None:
    """Checks that a model can color in squares of a size.

    Args:
      chroma_size: side of the square, pixels; 0 for the model's.
      image_size: the model's.

    Raises:
      UserError: chroma_size is not a multiple of the model's.
    """
    if chroma_size % image_size:
        raise UserError(
            f"--chroma_size={chroma_size} must be a multiple of this model's "
            f"image size, {image_size}, or 0")


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
    weights = directory / WEIGHTS
    try:
        card = json.loads(
            (directory / TRAINED_CARD).read_text(encoding="utf-8"))
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise UserError(f"{flag}={NAME}: the trained colorizer in "
                        f"{directory} cannot be read: {error}") from error
    missing = [name for name in _NEEDED
               if not isinstance(card, dict) or name not in card]
    if missing:
        raise UserError(f"{flag}={NAME}: the model card "
                        f"{directory / TRAINED_CARD} lacks "
                        f"{', '.join(missing)}")
    if digest != card["sha256"]:
        raise UserError(
            f"{flag}={NAME}: {weights} has SHA-256 {digest}, but its card says "
            f"{card['sha256']}; install the package again")
    return str(weights), card


def read_card(directory: str) -> dict[str, Any]:
    """Reads a SavedModel's model_card.json.

    Raises:
      UserError: it is missing or damaged.
    """
    try:
        with open(os.path.join(directory, CARD), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f"--model={directory}: this SavedModel's card cannot "
                        f"be read ({error}); use a SavedModel that `export` "
                        f"wrote") from error


def find_saved_model(path: str) -> str:
    """Finds a SavedModel.

    Args:
      path: a SavedModel, a folder of versions, or a run's folder.

    Returns:
      The SavedModel's folder, the newest version if there are several.

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
        f"--model={path} holds no SavedModel; name a SavedModel, a folder of "
        f"versions, a run that was exported, or colorizer")


def _versions(directory: str) -> list[str]:
    """Lists the numbered folders that hold a SavedModel, such as 7 or 0007."""
    if not os.path.isdir(directory):
        return []
    return [name for name in os.listdir(directory) if name.isdecimal()
            and os.path.exists(os.path.join(directory, name, "saved_model.pb"))]
