"""Writes the bare generator as a TensorFlow Lite or ONNX file.

The calling program computes the condition (L*) and turns the target back into
pixels; data_pipelines/color.py has the arithmetic.
"""

import os

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import \
    convert_variables_to_constants_v2

from data_pipelines import extras
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from pix2pix_color.fast_keras import convolution
from pix2pix_color.networks import encoder_unet

# Version of ONNX's operators, the one that tf2onnx is tested with most.
_OPSET = 17


def write_bare_generator(generator: keras.Model, output_dir: str, *,
                         kind: str) -> str:
    """Converts a generator and writes it.

    Args:
      generator: condition float32 [N, S, S, C] -> target float32
        [N, S, S, D], without noise.
      output_dir: folder of the new generator.tflite or generator.onnx.
      kind: a key of KINDS.

    Returns:
      The file's path. Its input is the condition of one photograph,
      [1, S, S, C]; its output is the target.

    Raises:
      UserError: the converter is not installed.
    """
    side, _, channels = generator.inputs[0].shape[1:]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(
        [1, side, side, channels], tf.float32, name="condition")])
    def predict_target(condition):
        return {"target": generator(encoder_unet.inputs_of(
            generator, condition), training=False)}

    # Plain convolutions: the converters know these, and their programs run
    # them well.
    convolution.set_way(generator, convolution.KERAS)
    content = KINDS[kind](predict_target)
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, f"generator.{kind}")
    write_atomically(path, content)
    return path


def _to_tflite(predict_target) -> bytes:
    # Otherwise the converter makes variables that are never initialized.
    frozen = convert_variables_to_constants_v2(
        predict_target.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()


def _to_onnx(predict_target) -> bytes:
    try:
        import tf2onnx
    except ImportError:
        raise UserError(
            "--format=onnx needs tf2onnx: "
            + extras.how_to_install("onnx")) from None
    model, _ = tf2onnx.convert.from_function(
        predict_target, predict_target.input_signature, opset=_OPSET)
    return model.SerializeToString()


KINDS = {"tflite": _to_tflite, "onnx": _to_onnx}
