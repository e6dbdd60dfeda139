"""EfficientNet-Lite: its arithmetic, its weights, what it sees."""

import os

import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from data_pipelines import augment
from data_pipelines.errors import UserError
from data_pipelines.sources import sample_photos
from pix2pix_color.config import Networks
from pix2pix_color.networks import (efficientnet_lite, efficientnet_weights,
                                    encoder_unet, encoder_weights, layers)

IMAGENET = efficientnet_weights.find_weights("imagenet", flag="")
# ImageNet's numbers of what these photographs show.
CLASSES = {"gcompris_red_panda.jpg": 387, "gcompris_camels.jpg": 354}


def build(image_size=64, base_filters=8, **options):
    return encoder_unet.build_encoder_unet(
        "lite2", image_size=image_size, condition_channels=1,
        target_channels=2, base_filters=base_filters, **options)


def load(generator, path="imagenet"):
    encoder_weights.load_encoder_weights(generator, Networks(
        generator="efficientnet_unet", encoder_weights=path))


def read_packaged():
    return safetensors.numpy.load_file(IMAGENET)


@pytest.fixture(scope="module", params=["lite0", "lite2"])
def twin_and_path(request, tmp_path_factory):
    """The public PyTorch network with random weights, and a file of them."""
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed (extra bench brings it)")
    public = pytest.importorskip(
        "efficientnet_lite_pytorch",
        reason="efficientnet-lite-pytorch is not installed (extra bench)")
    torch.manual_seed(0)
    twin = public.EfficientNet.from_name(
        f"efficientnet-{request.param}", image_size=96).eval()
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.7, 1.3)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.7, 1.3)
    path = str(tmp_path_factory.mktemp("weights") / "twin.safetensors")
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(tensor.numpy()) for name, tensor
         in twin.state_dict().items() if "num_batches" not in name}, path)
    return torch, twin, path


def taps_and_logits(torch, twin, rgb):
    outputs = []
    for block in twin._blocks:
        block.register_forward_hook(
            lambda module, given, made: outputs.append(made))
    with torch.no_grad():
        logits = twin(torch.tensor(rgb.transpose(0, 3, 1, 2)))
    widths = [output.shape[1] for output in outputs]
    last = [place for place, width in enumerate(widths)
            if place + 1 == len(widths) or widths[place + 1] != width]
    return [outputs[last[stage]].numpy().transpose(0, 2, 3, 1)
            for stage in (1, 2, 4, 6)], logits.numpy()


def test_taps_and_logits_are_those_of_the_public_implementation(twin_and_path):
    torch, twin, path = twin_and_path
    rgb = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype("f4")
    expected_taps, expected_logits = taps_and_logits(torch, twin, rgb)
    *taps, logits = efficientnet_weights.load_classifier(
        path, flag="--classifier_weights")(rgb)
    for tap, expected in zip(taps, expected_taps, strict=True):
        np.testing.assert_allclose(tap, expected, atol=1e-3)
        assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(logits, expected_logits, atol=1e-3)


def test_the_encoder_sees_gray_as_the_classifier_sees_equal_channels():
    generator = build(96)
    load(generator)
    encoder = keras.Model(generator.input, generator.get_layer(
        f"{layers.ENCODER_PREFIX}_blocks.20._project_conv").output)
    condition = np.random.default_rng(0).uniform(
        -1, 1, (2, 96, 96, 1)).astype("f4")
    gray = (condition + 1) * 127.5
    classifier = efficientnet_weights.load_classifier(IMAGENET, flag="")
    expected = classifier(efficientnet_lite.scale_rgb(
        np.repeat(gray, 3, axis=-1)))[3]
    np.testing.assert_allclose(encoder(condition), expected, atol=2e-3)
    assert expected.shape == (2, 3, 3, 352)


def test_noise_has_no_weight_in_the_encoder_at_first():
    generator = build(noise_channels=2)
    load(generator)
    kernel = generator.get_layer("encoder._conv_stem").kernel.numpy()
    assert kernel.shape == (3, 3, 3, 32)
    assert kernel[:, :, 0].any() and not kernel[:, :, 1:].any()


@pytest.mark.parametrize("name, expected", CLASSES.items())
def test_the_weights_in_the_package_know_imagenet_s_classes(name, expected):
    photo = tf.io.decode_jpeg(tf.io.read_file(
        os.path.join(sample_photos.DIRECTORY, name)), channels=3)
    square = augment.center_square(photo, image_size=224)[tf.newaxis]
    classifier = efficientnet_weights.load_classifier(IMAGENET, flag="")
    logits = classifier(efficientnet_lite.scale_rgb(
        tf.cast(square, tf.float32)))[-1]
    assert int(tf.argmax(logits[0])) == expected


def damaged(kind):
    tensors = read_packaged()
    if kind == "missing":
        del tensors["_blocks.3._bn1.weight"]
    elif kind == "shape":
        tensors["_blocks.3._project_conv.weight"] = np.zeros([3, 3, 1, 1], "f2")
    elif kind == "nan":
        tensors["_conv_stem.weight"][0, 0, 0, 0] = np.nan
    return safetensors.numpy.save(tensors)


@pytest.mark.parametrize("content, message", [
    (lambda: damaged("missing"), "1 missing in the file: _blocks.3._bn1.wei"),
    (lambda: damaged("shape"), r"1 of another shape: _blocks.3._project_conv"
                               r".weight \(3, 3, 1, 1\) in the file, \("),
    (lambda: damaged("nan"), "is damaged: _conv_stem.weight has a value that "
                             "is not finite"),
    (lambda: damaged("")[:-1000], "cannot be read as a file of named tensors"),
    (lambda: b"", "cannot be read as a file of named tensors"),
    (lambda: safetensors.numpy.save({"conv1.weight": np.zeros([3], "f4")}),
     "missing in the file: ")])
def test_a_file_of_another_kind_is_refused_in_one_line(
        tmp_path, content, message):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content())
    generator = build()
    before = generator.get_weights()
    with pytest.raises(UserError, match=message) as refusal:
        load(generator, str(path))
    assert str(refusal.value).startswith(f"--encoder_weights={path}")
    assert "\n" not in str(refusal.value)
    for weight, old in zip(generator.get_weights(), before):
        np.testing.assert_array_equal(weight, old)


def test_a_classifier_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"fc.weight": np.zeros([3, 3], "f4")},
                                str(path))
    with pytest.raises(UserError, match=(
            f"^--judge_weights={path} is not a classifier of lite0 or lite2: "
            f"_conv_head.weight is missing$")):
        efficientnet_weights.load_classifier(str(path), flag="--judge_weights")


@pytest.mark.parametrize("weights, variant, message", [
    ("nowhere.safetensors", None, "there is no such file"),
    ("imagenet", "lite0", "has ImageNet weights of lite2, not of "
                          "--efficientnet=lite0"),
    (__file__, None, "must end in .safetensors, or be imagenet")])
def test_what_cannot_be_found_is_said(weights, variant, message):
    with pytest.raises(UserError, match=message) as refusal:
        efficientnet_weights.find_weights(weights, flag="--x", variant=variant)
    assert str(refusal.value).startswith(f"--x={weights}")
