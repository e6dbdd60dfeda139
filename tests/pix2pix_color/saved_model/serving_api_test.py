"""Requests as TensorFlow Serving's clients make them, answered by the model.

TensorFlow Serving is not a Python package; its work between the network and the
signature is imitated here as its documentation describes it.
"""

import base64
import concurrent.futures
import io
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from experiments.benchmarks import answering
from pix2pix_color.saved_model.write import make_request
from tests.pix2pix_color.vivid_model import smooth_photo


@pytest.fixture(scope="module")
def signatures(export_dir):
    return tf.saved_model.load(str(export_dir / "1")).signatures


def photograph(height, width, file_format="JPEG"):
    buffer = io.BytesIO()
    smooth_photo(height, width).save(buffer, file_format)
    return buffer.getvalue()


class Predictor(prediction_service_pb2_grpc.PredictionServiceServicer):
    """TensorFlow Serving's Predict, on signatures in this process."""

    def __init__(self, signatures):
        self._signatures = signatures

    def Predict(self, request, context):
        signature = self._signatures[
            request.model_spec.signature_name or "serving_default"]
        try:
            answer = signature(**{
                name: tf.constant(tf.make_ndarray(tensor))
                for name, tensor in request.inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse()
        for name, tensor in answer.items():
            response.outputs[name].CopyFrom(
                tf.make_tensor_proto(tensor.numpy()))
        return response


@pytest.fixture(scope="module")
def predict(signatures):
    """A gRPC stub's Predict, over a real connection."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Predictor(signatures), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(
            channel).Predict
    server.stop(None)


def test_grpc_gives_bytes_for_bytes_and_pixels_for_pixels(predict):
    photos = np.array([photograph(40, 60), photograph(33, 21, "PNG")])
    for signature, inputs in (
            ("serving_default", {"image_bytes": photos}),
            ("sample", {"image_bytes": photos, "seed": np.array([3, 4])})):
        answer = predict(make_request(signature, inputs))
        colored = tf.make_ndarray(answer.outputs["colorized_bytes"])
        assert [Image.open(io.BytesIO(png)).size for png in colored] == [
            (60, 40), (21, 33)]
    rgb = np.full((2, 20, 30, 3), 90, np.uint8)
    answer = predict(make_request("colorize", {"rgb": rgb}))
    colored = tf.make_ndarray(answer.outputs["rgb"])
    assert colored.shape == rgb.shape and colored.dtype == np.uint8


def test_grpc_refuses_a_malformed_image_by_its_index(predict):
    with pytest.raises(grpc.RpcError) as refused:
        predict(make_request("serving_default", {"image_bytes": np.array(
            [photograph(40, 60), b"nothing"])}))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "image_bytes[1]: not an image" in refused.value.details()


@pytest.mark.parametrize("named", [True, False], ids=["named", "bare"])
def test_rest_takes_base64_for_names_that_end_in_bytes(signatures, named):
    """The row format: of a single input, each instance is its value."""
    encoded = {"b64": base64.b64encode(photograph(40, 60)).decode()}
    body = json.dumps({"instances": [
        {"image_bytes": encoded} if named else encoded] * 2})

    signature = signatures["serving_default"]
    (name, spec), = signature.structured_input_signature[1].items()
    assert name.endswith("_bytes") and spec.shape.as_list() == [None]
    values = [instance[name] if name in instance else instance
              for instance in json.loads(body)["instances"]]
    answer = signature(**{name: tf.constant(
        [base64.b64decode(value["b64"]) for value in values])})
    (output, tensor), = answer.items()
    # So that the answer, in turn, is {"predictions": [{"b64": ...}, ...]}.
    assert output.endswith("_bytes") and tensor.shape == [2]
    picture = Image.open(io.BytesIO(tensor.numpy()[0]))
    assert picture.format == "PNG" and picture.size == (60, 40)


@pytest.mark.slow
def test_threads_get_right_answers_and_memory_stays(export_dir):
    result = answering.measure_load(str(export_dir / "1"), 200)
    assert result["requests"] == 1600 and result["wrong"] == 0
    assert result["refused"] == 160
    assert result["mib"] < result["mib_after_half"] + 50
    assert 0 < result["p50_ms"] <= result["p99_ms"]


@pytest.mark.slow
def test_many_photographs_take_no_more_memory_than_a_few(export_dir):
    result = answering.measure_many(str(export_dir / "1"), 200)
    assert result["lightness_error"] < 0.5
    assert result["peak_mib"] < result["peak_mib_after_a_tenth"] + 60
