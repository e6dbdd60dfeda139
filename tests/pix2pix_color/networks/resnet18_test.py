"""The encoder against a ResNet-18 of PyTorch's own layers.

The twin is written from the paper with torchvision's names for its parts
(torchvision itself is not needed); its weights travel through files.
"""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.config import Networks
from pix2pix_color.networks import encoder_unet, encoder_weights, resnet18

STAGES = ["encoder.relu"] + [f"encoder.layer{stage}.1.relu2"
                             for stage in (1, 2, 3, 4)]


def build(image_size=64, base_filters=8, **options):
    return encoder_unet.build_encoder_unet(
        "resnet18", image_size=image_size, condition_channels=1,
        target_channels=2, base_filters=base_filters, **options)


def load(generator, path):
    encoder_weights.load_encoder_weights(generator, Networks(
        generator="resnet18_unet", encoder_weights=path))


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip(
        "torch", reason="PyTorch is not installed (extra bench brings it)")


def make_twin(torch, width):
    """A ResNet-18 with random weights and statistics; returns all stages."""
    nn = torch.nn
    Module: Any = nn.Module

    class Block(Module):
        def __init__(self, given, made, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(given, made, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(made)
            self.conv2 = nn.Conv2d(made, made, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(made)
            self.downsample = None
            if stride != 1 or given != made:
                self.downsample = nn.Sequential(
                    nn.Conv2d(given, made, 1, stride, bias=False),
                    nn.BatchNorm2d(made))

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            return torch.relu(y + (self.downsample(x) if self.downsample
                                   else x))

    class Twin(Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            given = width
            for stage in range(1, 5):
                made = width * 2**(stage - 1)
                setattr(self, f"layer{stage}", nn.Sequential(
                    Block(given, made, 1 if stage == 1 else 2),
                    Block(made, made, 1)))
                given = made
            self.fc = nn.Linear(given, 1000)

        def forward(self, x):
            stages = [torch.relu(self.bn1(self.conv1(x)))]
            x = self.maxpool(stages[0])
            for stage in range(1, 5):
                x = getattr(self, f"layer{stage}")(x)
                stages.append(x)
            return stages

    torch.manual_seed(0)
    twin = Twin()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
            nn.init.normal_(module.running_mean, 0.0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return twin


@pytest.fixture(scope="module")
def twin_and_path(torch, tmp_path_factory):
    """A twin, and a file of its weights, as encoder_weights says to write it.
    """
    import safetensors.torch

    twin = make_twin(torch, 8)
    path = str(tmp_path_factory.mktemp("weights") / "r18.safetensors")
    safetensors.torch.save_file(twin.state_dict(), path)
    return twin, path


@pytest.mark.parametrize("image_size", [64, 96])
@pytest.mark.parametrize("training", [False, True])
def test_all_stages_and_averages_are_those_of_pytorch(
        torch, twin_and_path, image_size, training):
    import safetensors.torch

    twin, path = twin_and_path
    twin.load_state_dict(safetensors.torch.load_file(path))
    generator = build(image_size)
    load(generator, path)
    encoder = keras.Model(generator.inputs, [
        generator.get_layer(name).output for name in STAGES])
    condition = np.random.default_rng(0).uniform(
        -1.0, 1.0, (2, image_size, image_size, 1)).astype("f4")

    gray = (condition + 1.0) / 2.0
    rgb = np.repeat((gray - 0.449) / 0.226, 3, axis=-1)
    twin.train(training)
    with torch.no_grad():
        expected = twin(torch.tensor(np.moveaxis(rgb, -1, 1).copy()))
    stages = encoder([condition], training=training)
    for divisor, stage, wanted in zip((2, 4, 8, 16, 32), stages, expected,
                                      strict=True):
        assert stage.shape[1] == image_size // divisor
        assert np.std(stage) > 0.1
        np.testing.assert_allclose(
            stage, np.moveaxis(wanted.numpy(), 1, -1), rtol=0, atol=1e-4)
    for name, norm in twin.named_modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            layer = generator.get_layer(f"encoder.{name}")
            np.testing.assert_allclose(
                layer.moving_mean, norm.running_mean, atol=1e-4)
            np.testing.assert_allclose(
                layer.moving_variance, norm.running_var, atol=1e-4)


def test_noise_channels_do_not_disturb_pretrained_features(
        torch, twin_and_path):
    _, path = twin_and_path
    condition = tf.random.stateless_uniform([2, 64, 64, 1], [0, 0], -1.0, 1.0)
    features = []
    for noise_channels in (0, 2):
        generator = build(noise_channels=noise_channels)
        load(generator, path)
        features.append(keras.Model(
            generator.inputs, generator.get_layer(STAGES[-1]).output)(
                [condition], training=True))
    kernel = generator.get_layer("encoder.conv1").kernel.numpy()
    assert kernel.shape == (7, 7, 3, 8)
    assert not np.any(kernel[:, :, 1:]) and np.all(kernel[:, :, 0])
    np.testing.assert_allclose(features[0], features[1], rtol=0, atol=1e-4)


def test_the_encoder_is_torchvision_s_without_two_colors_and_classifier():
    """torchvision's documentation: 11,689,512 parameters, 1.814e9 products."""
    generator = build(224, 64)
    variables = encoder_unet.encoder_variables(generator)
    parameters = sum(int(np.prod(variable.shape)) for variable in variables)
    two_colors = 2 * 7 * 7 * 64
    assert parameters == 11_689_512 - 512 * 1000 - 1000 - two_colors
    products = sum(
        np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:3])
        for layer in generator.layers if layer.name.startswith("encoder.")
        and isinstance(layer, keras.layers.Conv2D))
    assert products == pytest.approx(
        1.814e9 - 512 * 1000 - two_colors * 112**2, rel=1e-3)


def test_random_weights_are_those_of_he_by_outgoing_connections():
    keras.utils.set_random_seed(0)
    generator = build(base_filters=32)
    for name in ("conv1", "layer1.0.conv1", "layer3.0.downsample.0",
                 "layer4.1.conv2"):
        kernel = generator.get_layer(f"encoder.{name}").kernel.numpy()
        height, width, _, filters = kernel.shape
        deviation = (2.0 / (height * width * filters))**0.5
        tolerance = 4.0 * deviation / kernel.size**0.5
        assert kernel.mean() == pytest.approx(0.0, abs=tolerance)
        assert kernel.std() == pytest.approx(deviation, abs=tolerance)
    norm = generator.get_layer("encoder.layer2.1.bn2")
    assert np.all(norm.gamma == 1.0) and not np.any(norm.beta)
    assert (norm.epsilon, norm.momentum) == (1e-5, 0.9)


def test_the_scale_is_imagenet_s_for_gray():
    x = keras.Input((2, 2, 1))
    model = keras.Model(x, resnet18.scale_lightness(x, dtype="float32"))
    given = np.array([-1.0, -0.102, 0.35, 1.0], "f4").reshape(1, 2, 2, 1)
    np.testing.assert_allclose(
        model(given).numpy().ravel(),
        [-0.449 / 0.226, 0.0, 1.0, 0.551 / 0.226], atol=1e-5)
