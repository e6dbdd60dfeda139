"""The bare generator for small devices: TensorFlow Lite.

What comes before and after it, L* and the way back to pixels, is the calling
program's: see data_pipelines/color.py for the arithmetic.
"""

import os
import tempfile

import keras
import tensorflow as tf

from pix2pix_color.files import write_atomically

FILE = "generator.tflite"


def write(generator: keras.Model, output_dir: str) -> str:
    """Converts a generator.

    Args:
      generator: condition float32 [N, S, S, C] -> target float32
        [N, S, S, D], without noise.
      output_dir: where generator.tflite is written.

    Returns:
      Its path. It takes one photograph at a time, by the signature
      `predict_target` of every model.
    """
    side, _, channels = generator.input_shape[1:]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(
        [1, side, side, channels], tf.float32, name="condition")])
    def predict_target(condition):
        return {"target": generator(condition, training=False)}

    module = tf.Module()
    module.generator, module.predict_target = generator, predict_target
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures={
            "predict_target": predict_target.get_concrete_function()})
        content = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=["predict_target"]).convert()
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, FILE)
    write_atomically(path, content)
    return path
