"""Writes SavedModels in numbered version folders, as TensorFlow Serving does.

Beside the model, in assets.extra/, are its card and the requests that
TensorFlow Serving sends to a new version before it is used ("SavedModel Warmup"
in TensorFlow Serving's documentation).
"""

import contextlib
import json
import os
import secrets
import shutil
import time
from typing import Any, Optional

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from data_pipelines import color, decode, files
from pix2pix_color.saved_model.find import CARD
from pix2pix_color.saved_model.module import Colorizer
from pix2pix_color.saved_model.prediction import Seed

# For whoever sends image bytes.
_INPUT = ("Image bytes and rgb are taken as sRGB; embedded color profiles are "
          "ignored. EXIF's orientation is applied (JPEG, PNG, WebP). Formats: "
          + decode.FORMATS + ".")
WARMUP = os.path.join("assets.extra", "tf_serving_warmup_requests")
MODEL_NAME = "pix2pix_color"
# An unfinished version this old was left by a killed process, seconds.
_ABANDONED_AFTER = 3600


def write_saved_model(generator: keras.Model, export_dir: str, *,
                      color_space: color.ColorSpace = color.LAB,
                      seed: Optional[Seed] = None,
                      max_pixels: int = decode.MAX_PIXELS,
                      card: Optional[dict[str, Any]] = None) -> str:
    """Writes the next version of a model.

    The folder gets its number only when it is complete: servers that watch
    export_dir never see an unfinished one.

    Args:
      generator: a trained generator.
      export_dir: the model's folder, which holds its numbered versions.
      color_space: the generator's.
      seed: the step that the generator was built with; None without noise.
      max_pixels: height times width of the largest image that is decoded.
      card: entries of model_card.json, in addition to what the model tells.

    Returns:
      The version's path.
    """
    os.makedirs(export_dir, exist_ok=True)
    _remove_abandoned(export_dir)
    partial = os.path.join(
        export_dir, f".{secrets.token_hex(4)}{files.UNFINISHED}")
    module = Colorizer(generator, color_space=color_space, seed=seed,
                       max_pixels=max_pixels)
    try:
        tf.saved_model.save(module, partial,
                            signatures=module.named_signatures)
        os.makedirs(os.path.join(partial, "assets.extra"))
        _write_card(module, generator, partial, {
            "color_space": color_space.name, "max_pixels": max_pixels,
            **(card or {})})
        _write_warmup(partial, generator.inputs[0].shape[1:])
        for directory, _, names in os.walk(partial):
            for name in (*names, ""):
                files.sync(os.path.join(directory, name))
        path = _rename_to_next_version(partial, export_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files.sync(export_dir)
    return path


def _remove_abandoned(export_dir: str) -> None:
    """Removes unfinished versions, except those still being written."""
    for name in os.listdir(export_dir):
        path = os.path.join(export_dir, name)
        if name.endswith(files.UNFINISHED):
            with contextlib.suppress(OSError):  # another process removed it
                if time.time() - os.path.getmtime(path) > _ABANDONED_AFTER:
                    shutil.rmtree(path, ignore_errors=True)


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
        "input": _INPUT,
        "has_noise": module.has_noise,
        "takes_hints": "colorize_with_hints" in module.named_signatures,
        "offers_likely_colors": "likely_colors" in module.named_signatures,
        "signatures": sorted(module.named_signatures),
        "parameters": generator.count_params(),
        "activation_bytes": activation_bytes(generator),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        **card}, indent=2, ensure_ascii=False)
    # A flag may hold a file name that is not valid text.
    files.write_atomically(os.path.join(directory, CARD),
                           (text + "\n").encode(errors="backslashreplace"))


def activation_bytes(generator: keras.Model) -> int:
    """Returns the size of all layers' outputs for one photograph, in bytes."""
    return sum(int(np.prod(layer.output.shape[1:])) * 4
               for layer in generator.layers)


def _write_warmup(directory: str,
                  condition_shape: tuple[int, int, int]) -> None:
    """Writes one request for each signature that every model has."""
    y, x = np.mgrid[:480, :640]
    rgb = np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8)
    photo = tf.io.encode_jpeg(rgb).numpy()
    with tf.io.TFRecordWriter(os.path.join(directory, WARMUP)) as records:
        for signature, inputs in (
                ("serving_default", {"image_bytes": np.array([photo])}),
                ("colorize", {"rgb": rgb[np.newaxis, ::8, ::8]}),
                ("predict_target", {"condition": np.zeros(
                    (1, *condition_shape), np.float32)})):
            records.write(prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(
                    request=make_request(signature, inputs))
            ).SerializeToString())


def make_request(signature: str,
                 inputs: dict[str, np.ndarray]) -> predict_pb2.PredictRequest:
    """Makes a request for TensorFlow Serving's gRPC API.

    Args:
      signature: the signature's name.
      inputs: the signature's inputs; strings as arrays of bytes objects.
    """
    message = predict_pb2.PredictRequest()
    message.model_spec.name = MODEL_NAME
    message.model_spec.signature_name = signature
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message
