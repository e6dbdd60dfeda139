"""Files of a ResNet-18's weights: what fits, what does not, the public one."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest
import safetensors.numpy

from data_pipelines.errors import UserError
from pix2pix_color.config import Networks
from pix2pix_color.networks import encoder_unet, encoder_weights


@functools.cache
def torchvision_shapes(width):
    """Name -> shape of torchvision's tensors, from its ResNet-18's printout."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["conv1.weight"] = (width, 3, 7, 7)
    norm("bn1", width)
    for stage, (given, made) in enumerate(
            [(1, 1), (1, 2), (2, 4), (4, 8)], start=1):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            first = given * width if block == 0 else made * width
            shapes[f"{name}.conv1.weight"] = (made * width, first, 3, 3)
            norm(f"{name}.bn1", made * width)
            shapes[f"{name}.conv2.weight"] = (
                made * width, made * width, 3, 3)
            norm(f"{name}.bn2", made * width)
            if given != made and block == 0:
                shapes[f"{name}.downsample.0.weight"] = (
                    made * width, first, 1, 1)
                norm(f"{name}.downsample.1", made * width)
    shapes["fc.weight"] = (1000, 8 * width)
    shapes["fc.bias"] = (1000,)
    return shapes


def tensors(width=2):
    rng = np.random.default_rng(0)
    return {name: rng.uniform(0.5, 1.0, shape).astype("f4")
            for name, shape in torchvision_shapes(width).items()}


@pytest.fixture
def generator():
    return encoder_unet.build_encoder_unet(
        "resnet18", image_size=64, condition_channels=1, target_channels=2,
        base_filters=2)


def save(folder, named):
    path = str(folder / "weights.safetensors")
    safetensors.numpy.save_file(named, path)
    return path


def load(generator, weights):
    encoder_weights.load_encoder_weights(generator, Networks(
        generator="resnet18_unet", encoder_weights=str(weights)))


def test_torchvision_s_122_tensors_fit_and_all_weights_are_set(
        tmp_path, generator):
    named = tensors()
    assert len(named) == 122
    before = generator.get_weights()
    load(generator, save(tmp_path, named))
    for weight, old in zip(generator.weights, before, strict=True):
        assert np.any(weight.numpy() != old) == weight.path.startswith(
            "encoder.")
    kernel = generator.get_layer("encoder.conv1").kernel.numpy()
    np.testing.assert_allclose(  # the response of the three colors to gray
        kernel[3, 4, 0], named["conv1.weight"][:, :, 3, 4].sum(axis=1),
        rtol=1e-6)
    np.testing.assert_array_equal(
        generator.get_layer("encoder.layer2.0.downsample.0").kernel[0, 0],
        named["layer2.0.downsample.0.weight"][:, :, 0, 0].T)


def test_what_does_not_fit_is_listed_on_both_sides(tmp_path, generator):
    named = tensors()
    del named["layer1.0.conv1.weight"], named["bn1.running_var"]
    for index in range(6):
        named[f"layer5.{index}.conv1.weight"] = np.zeros((1,), "f4")
    named["layer4.0.conv2.weight"] = np.zeros((16, 16, 1, 1), "f4")
    path = save(tmp_path, named)
    before = generator.get_weights()
    with pytest.raises(UserError) as refusal:
        load(generator, path)
    assert str(refusal.value) == (
        f"--encoder_weights={path} is not the ResNet-18 of this "
        f"--base_filters; 2 missing in the file: bn1.running_var, "
        f"layer1.0.conv1.weight; 6 unknown to the network: "
        f"layer5.0.conv1.weight, layer5.1.conv1.weight, layer5.2.conv1.weight, "
        f"layer5.3.conv1.weight and 2 more; 1 of another shape: "
        f"layer4.0.conv2.weight (16, 16, 1, 1) in the file, (16, 16, 3, 3) in "
        f"the network")
    for weight, old in zip(generator.get_weights(), before):
        np.testing.assert_array_equal(weight, old)


def test_another_width_is_refused_by_its_shapes(tmp_path, generator):
    with pytest.raises(UserError, match=(
            r"base_filters; 100 of another shape: conv1.weight \(4, 3, 7, 7\) "
            r"in the file, \(2, 3, 7, 7\) in the network, .* and 96 more$")):
        load(generator, save(tmp_path, tensors(4)))


@pytest.mark.parametrize("name, content, message", [
    ("no.safetensors", None, "no.safetensors: there is no such file"),
    ("a.safetensors", b"not tensors at all", "cannot be read as a file of nam"),
    ("a.safetensors", b"", "cannot be read as a file of named tensors"),
    ("a.pth", b"x", "must end in .safetensors, or be imagenet")])
def test_a_file_that_cannot_be_read_is_refused(
        tmp_path, generator, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as refusal:
        load(generator, path)
    assert str(refusal.value).startswith(f"--encoder_weights={path}")
    assert "\n" not in str(refusal.value)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves tmp_path/www; yields its address and a list of requested paths."""
    (tmp_path / "www").mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "www"))

        def log_message(self, format, *args):
            asked.append(self.path)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}", asked
        serving.shutdown()
        thread.join()


def publish(monkeypatch, address, content):
    """Makes a file of this content the public one; returns its address."""
    url = f"{address}/weights.safetensors"
    monkeypatch.setattr(encoder_weights, "IMAGENET_URL", url)
    monkeypatch.setattr(encoder_weights, "IMAGENET_SHA256",
                        hashlib.sha256(content).hexdigest())
    return url


IMAGENET = Networks(generator="resnet18_unet", encoder_weights="imagenet")


def test_the_public_file_is_downloaded_once_and_used(
        tmp_path, monkeypatch, server, generator):
    address, asked = server
    save(tmp_path / "www", tensors())
    content = (tmp_path / "www" / "weights.safetensors").read_bytes()
    publish(monkeypatch, address, content)
    for _ in range(2):
        load(generator, "imagenet")
        assert len(asked) == 1
    kept, = (tmp_path / "cache" / "pix2pix_color").iterdir()
    assert kept.read_bytes() == content
    np.testing.assert_array_equal(
        generator.get_layer("encoder.bn1").gamma, tensors()["bn1.weight"])
    kept.write_bytes(content[:-1])  # cut off
    load(generator, "imagenet")
    assert kept.read_bytes() == content and len(asked) == 2


@pytest.mark.parametrize("published, address, reason", [
    (b"something else", None, "file hash does not match"),
    (None, None, "File not found"),
    (None, "http://127.0.0.1:9", "Connection refused")])
def test_without_the_file_one_line_says_what_to_do(
        tmp_path, monkeypatch, server, published, address, reason):
    if published:
        (tmp_path / "www" / "weights.safetensors").write_bytes(published)
    url = publish(monkeypatch, address or server[0], b"what it should be")
    for _ in range(2):  # what was downloaded is not used either
        with pytest.raises(UserError) as refusal:
            encoder_weights.find_encoder_weights(IMAGENET)
        message = str(refusal.value)
        assert message.startswith(
            "--encoder_weights=imagenet cannot be downloaded")
        assert reason in message and "\n" not in message
        assert message.endswith(
            f"download {url} elsewhere and pass --encoder_weights=PATH")


def test_the_public_file_is_pinned_by_commit_and_hash():
    assert encoder_weights.IMAGENET_URL.startswith(
        "https://huggingface.co/timm/resnet18.tv_in1k/")
    assert "/main/" not in encoder_weights.IMAGENET_URL
    assert len(bytes.fromhex(encoder_weights.IMAGENET_SHA256)) == 32
