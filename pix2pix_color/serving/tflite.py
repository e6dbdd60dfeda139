"""The bare generator for small devices: TensorFlow Lite.

What comes before and after it, L* and the way back to pixels, is the calling
program's: see data_pipelines/color.py for the arithmetic.
"""

import os

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import \
    convert_variables_to_constants_v2

from pix2pix_color.files import write_atomically

FILE = "generator.tflite"


def write(generator: keras.Model, output_dir: str) -> str:
    """Converts a generator.

    Args:
      generator: condition float32 [N, S, S, C] -> target float32
        [N, S, S, D], without noise.
      output_dir: where generator.tflite is written.

    Returns:
      Its path. Its one input is the condition of one photograph, its one
      output the target.
    """
    side, _, channels = generator.input_shape[1:]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(
        [1, side, side, channels], tf.float32, name="condition")])
    def predict_target(condition):
        return {"target": generator(condition, training=False)}

    # Left alone, the converter makes variables that nothing initializes.
    frozen = convert_variables_to_constants_v2(
        predict_target.get_concrete_function())
    content = tf.lite.TFLiteConverter.from_concrete_functions(
        [frozen]).convert()
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, FILE)
    write_atomically(path, content)
    return path
