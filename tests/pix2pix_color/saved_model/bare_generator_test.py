"""Files of the bare generator, against the network that they were made from."""


import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from pix2pix_color.networks import unet
from pix2pix_color.saved_model.bare_generator import write_bare_generator


@pytest.fixture
def generator():
    keras.utils.set_random_seed(0)
    network = unet.build_unet(image_size=32, condition_channels=1,
                              target_channels=2, base_filters=4)
    last = network.get_layer("output")
    last.set_weights([1000 * weight for weight in last.get_weights()])
    return network


def run_tflite(path, condition):
    interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
    given, = interpreter.get_input_details()
    made, = interpreter.get_output_details()
    interpreter.set_tensor(given["index"], condition)
    interpreter.invoke()
    return interpreter.get_tensor(made["index"])


def run_onnx(path, condition):
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"])
    target, = session.run(["target"], {"condition": condition})
    return target


@pytest.mark.parametrize("kind, run", [("tflite", run_tflite),
                                       ("onnx", run_onnx)])
def test_a_file_agrees_with_the_network(generator, tmp_path, kind, run):
    path = write_bare_generator(generator, str(tmp_path / "new"), kind=kind)
    assert path == str(tmp_path / "new" / f"generator.{kind}")
    condition = np.random.default_rng(0).uniform(
        -1, 1, (1, 32, 32, 1)).astype(np.float32)
    expected = generator(condition, training=False)
    assert np.abs(expected).max() > 0.3
    np.testing.assert_allclose(run(path, condition), expected, atol=1e-4)
