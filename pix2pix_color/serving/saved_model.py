"""SavedModels on disk: version directories, as TensorFlow Serving has them."""

import os
import shutil
from typing import Any

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.config import ConfigError
from pix2pix_color.serving.colorizer import Colorizer


def write(generator: keras.Model, export_dir: str, *,
          color_space: color.ColorSpace) -> str:
    """Writes the next version of a model.

    The directory appears under its number only when it is complete; servers
    that watch export_dir never see half of it.

    Args:
      generator: a trained generator.
      export_dir: the model's directory; versions are numbered below it.
      color_space: what the generator was trained in.

    Returns:
      The version's path.
    """
    os.makedirs(export_dir, exist_ok=True)
    taken = [int(name) for name in os.listdir(export_dir) if name.isdecimal()]
    path = os.path.join(export_dir, str(max(taken, default=0) + 1))
    partial = f"{path}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    module = Colorizer(generator, color_space=color_space)
    tf.saved_model.save(module, partial, signatures=module.named_signatures)
    os.rename(partial, path)
    return path


def find(path: str) -> str:
    """Finds the SavedModel that a person means.

    Args:
      path: a SavedModel, a directory of versions, or a run's folder.

    Returns:
      The SavedModel, the newest version where there are several.

    Raises:
      ConfigError: there is none.
    """
    for directory in (path, os.path.join(path, "export")):
        if os.path.exists(os.path.join(directory, "saved_model.pb")):
            return directory
        versions = _versions(directory)
        if versions:
            return os.path.join(directory, str(max(versions)))
    raise ConfigError(
        f"--model={path} holds no SavedModel; name one, a directory of its "
        f"versions, or a run's folder that was exported")


def _versions(directory: str) -> list[int]:
    """Versions of a directory that hold a SavedModel."""
    if not os.path.isdir(directory):
        return []
    return [int(name) for name in os.listdir(directory) if name.isdecimal()
            and os.path.exists(os.path.join(directory, name, "saved_model.pb"))]


def load(path: str) -> Any:
    """Loads the SavedModel that a person means, as find does.

    Raises:
      ConfigError: there is none, or it is damaged.
    """
    directory = find(path)
    try:
        return tf.saved_model.load(directory)
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"--model={path}: the SavedModel in {directory} "
                          f"cannot be loaded: {reason}") from error
