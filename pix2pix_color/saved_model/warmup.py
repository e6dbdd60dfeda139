"""Requests that TensorFlow Serving plays to a model before it is asked.

A file of TFRecords, each a PredictionLog, in the model's assets.extra: see
"SavedModel Warmup" in TensorFlow Serving's documentation.
"""

import os

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MODEL_NAME = "pix2pix_color"


def write(directory: str, *, condition_shape: tuple[int, int, int]) -> None:
    """Writes one request for each signature that every model has.

    Args:
      directory: the SavedModel, which has its assets.extra.
      condition_shape: height, width and channels of the generator's condition.
    """
    y, x = np.mgrid[:480, :640]
    rgb = np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8)
    photo = tf.io.encode_jpeg(rgb).numpy()
    with tf.io.TFRecordWriter(os.path.join(directory, FILE)) as records:
        for signature, inputs in (
                ("serving_default", {"image_bytes": np.array([photo])}),
                ("colorize", {"rgb": rgb[np.newaxis, ::8, ::8]}),
                ("predict_target", {"condition": np.zeros(
                    (1, *condition_shape), np.float32)})):
            records.write(prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(
                    request=request(signature, inputs))).SerializeToString())


def request(signature: str,
            inputs: dict[str, np.ndarray]) -> predict_pb2.PredictRequest:
    """A request as TensorFlow Serving's gRPC API takes it.

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
