"""The TensorFlow Lite file, against the network that it was made from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.networks import unet
from pix2pix_color.serving import tflite


@pytest.mark.slow
def test_the_file_agrees_with_the_network(tmp_path):
    keras.utils.set_random_seed(0)
    generator = unet.build_unet(image_size=32, condition_channels=1,
                                target_channels=2, base_filters=4)
    last = generator.get_layer("output")
    last.set_weights([1000 * weight for weight in last.get_weights()])
    path = tflite.write(generator, str(tmp_path / "new"))
    interpreter = tf.lite.Interpreter(path)
    condition = np.random.default_rng(0).uniform(
        -1, 1, (1, 32, 32, 1)).astype(np.float32)
    interpreter.allocate_tensors()
    given, = interpreter.get_input_details()
    made, = interpreter.get_output_details()
    interpreter.set_tensor(given["index"], condition)
    interpreter.invoke()
    target = interpreter.get_tensor(made["index"])
    expected = generator(condition, training=False)
    assert np.abs(expected).max() > 0.3
    np.testing.assert_allclose(target, expected, atol=1e-4)
