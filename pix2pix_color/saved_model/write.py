"""SavedModels on disk: version directories, as TensorFlow Serving has them."""

import json
import os
import shutil
from typing import Any, Optional

import keras
import numpy as np
import tensorflow as tf

from data_pipelines import color, decode, files
from pix2pix_color.saved_model import warmup
from pix2pix_color.saved_model.module import Colorizer
from pix2pix_color.saved_model.prediction import Seed

CARD = os.path.join("assets.extra", "model_card.json")


def write(generator: keras.Model, export_dir: str, *,
          color_space: color.ColorSpace = color.LAB,
          seed: Optional[Seed] = None,
          max_pixels: int = decode.MAX_PIXELS,
          card: Optional[dict[str, Any]] = None) -> str:
    """Writes the next version of a model.

    The directory appears under its number only when it is complete; servers
    that watch export_dir never see half of it.

    Args:
      generator: a trained generator.
      export_dir: the model's directory; versions are numbered below it.
      color_space: what the generator was trained in.
      seed: the step that the generator was built with, where it has noise.
      max_pixels: height times width of the largest image that is decoded.
      card: what model_card.json is to say besides.

    Returns:
      The version's path.
    """
    os.makedirs(export_dir, exist_ok=True)
    partial = os.path.join(export_dir, f".{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    module = Colorizer(generator, color_space=color_space, seed=seed,
                       max_pixels=max_pixels)
    try:
        tf.saved_model.save(module, partial,
                            signatures=module.named_signatures)
        os.makedirs(os.path.join(partial, "assets.extra"))
        _write_card(module, generator, partial, {
            "color_space": color_space.name, "max_pixels": max_pixels,
            **(card or {})})
        warmup.write(partial, condition_shape=generator.input_shape[1:])
        for directory, _, names in os.walk(partial):
            for name in (*names, ""):
                files.sync(os.path.join(directory, name))
        path = _rename_to_next_version(partial, export_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files.sync(export_dir)
    return path


def _rename_to_next_version(partial: str, export_dir: str) -> str:
    while True:
        taken = [int(name) for name in os.listdir(export_dir)
                 if name.isdecimal()]
        path = os.path.join(export_dir, str(max(taken, default=0) + 1))
        try:
            os.rename(partial, path)
        except OSError:
            if not os.path.exists(path):  # else another process took it
                raise
        else:
            return path


def _write_card(module: Colorizer, generator: keras.Model, directory: str,
                card: dict[str, Any]) -> None:
    text = json.dumps({
        "image_size": module.image_size,
        "has_noise": module.has_noise,
        "signatures": sorted(module.named_signatures),
        "parameters": generator.count_params(),
        "activation_bytes": activation_bytes(generator),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        **card}, indent=2, ensure_ascii=False)
    # A flag may hold the name of a file whose bytes are no text.
    files.write_atomically(os.path.join(directory, CARD),
                           (text + "\n").encode(errors="backslashreplace"))


def activation_bytes(generator: keras.Model) -> int:
    """Returns the bytes that all layers' outputs take, for one photograph."""
    return sum(int(np.prod(layer.output.shape[1:])) * 4
               for layer in generator.layers)
