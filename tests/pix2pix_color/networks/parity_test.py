"""The networks' arithmetic against PyTorch, the framework of the original.

Twins of U-Net and PatchGAN are built here with torch.nn from the paper's
description, not from the Keras models: only the weights are carried over, by
the layers' names. Same weights, same input: same outputs, gradients and moving
statistics.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.networks import discriminators, unet

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed (extra bench brings it)")
nn = torch.nn
Module: Any = nn.Module

BATCH = 2
MOMENTUM = 0.1  # PyTorch's: the share of the new value


class UnetTwin(Module):
    """Encoder C64-C128-C256-C512-..., decoder ...-D256-D128-D64, skips."""

    def __init__(self, *, image_size, base_filters, make_norm,
                 decoder_slope):
        super().__init__()
        self.decoder_slope = decoder_slope
        depth = int(np.log2(image_size))
        widths = [base_filters * w for w in [1, 2, 4, 8, 8, 8, 8, 8][:depth]]
        self.depth = depth
        self.parts = nn.ModuleDict()
        for level, (given, made) in enumerate(zip([1, *widths], widths)):
            normed = level not in (0, depth - 1)
            self.parts[f"encoder{level}"] = nn.Conv2d(
                given, made, 4, 2, 1, bias=not normed)
            if normed:
                self.parts[f"encoder{level}_norm"] = make_norm(made)
        given = widths[-1]
        for level in range(depth - 2, -1, -1):
            self.parts[f"decoder{level}"] = nn.ConvTranspose2d(
                given, widths[level], 4, 2, 1, bias=False)
            self.parts[f"decoder{level}_norm"] = make_norm(widths[level])
            given = 2 * widths[level]  # the skip from the encoder
        self.parts["output"] = nn.ConvTranspose2d(given, 2, 4, 2, 1)

    def forward(self, x):
        leaky_relu = nn.functional.leaky_relu
        encoded: list[Any] = []
        for level in range(self.depth):
            x = leaky_relu(encoded[-1], 0.2) if level else x
            x = self.parts[f"encoder{level}"](x)
            if f"encoder{level}_norm" in self.parts:
                x = self.parts[f"encoder{level}_norm"](x)
            encoded.append(x)
        for level in range(self.depth - 2, -1, -1):
            x = self.parts[f"decoder{level}"](
                leaky_relu(x, self.decoder_slope))
            x = self.parts[f"decoder{level}_norm"](x)
            x = torch.cat([x, encoded[level]], dim=1)
        return torch.tanh(self.parts["output"](
            leaky_relu(x, self.decoder_slope)))


class PatchganTwin(Module):
    """C64-C128-C256-..., stride 2; one more and one channel at stride 1."""

    def __init__(self, *, base_filters, num_layers):
        super().__init__()
        widths = [base_filters * w for w in [1, 2, 4, 8, 8, 8][:num_layers + 1]]
        self.parts = nn.ModuleDict(
            {"patch0": nn.Conv2d(3, widths[0], 4, 2, 1)})
        for level in range(1, num_layers + 1):
            self.parts[f"patch{level}"] = nn.Conv2d(
                widths[level - 1], widths[level], 4,
                1 if level == num_layers else 2, 1, bias=False)
            self.parts[f"patch{level}_norm"] = _batch_norm(widths[level])
        self.parts["logits"] = nn.Conv2d(widths[-1], 1, 4, 1, 1)
        self.num_layers = num_layers

    def forward(self, condition, target):
        x = torch.cat([condition, target], dim=1)
        for level in range(self.num_layers + 1):
            x = self.parts[f"patch{level}"](x)
            if level > 0:
                x = self.parts[f"patch{level}_norm"](x)
            x = nn.functional.leaky_relu(x, 0.2)
        return self.parts["logits"](x)


class MaxPoolDcganTwin(Module):
    """Convolution, norm, LeakyReLU, max pooling; down to 7 px; Linear."""

    def __init__(self, *, image_size, base_filters):
        super().__init__()
        self.parts, self.depth, given = nn.ModuleDict(), 0, 3
        while image_size > 7:
            made = base_filters * min(2**self.depth, 8)
            self.parts[f"whole{self.depth}"] = nn.Conv2d(
                given, made, 3, 1, 1, bias=self.depth == 0)
            if self.depth:
                self.parts[f"whole{self.depth}_norm"] = _batch_norm(made)
            given, image_size = made, image_size // 2
            self.depth += 1
        self.parts["logits"] = nn.Linear(image_size**2 * given, 1)

    def forward(self, condition, target):
        x = torch.cat([condition, target], dim=1)
        for level in range(self.depth):
            x = self.parts[f"whole{level}"](x)
            if level:
                x = self.parts[f"whole{level}_norm"](x)
            x = nn.functional.max_pool2d(nn.functional.leaky_relu(x, 0.2), 2)
        return self.parts["logits"](x.permute(0, 2, 3, 1).flatten(1))


def _instance_norm(channels):
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=True)


def _batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=MOMENTUM)


def to_torch(nhwc):
    return torch.tensor(np.moveaxis(np.asarray(nhwc), -1, 1).copy())


def to_nhwc(nchw):
    return np.moveaxis(nchw.detach().numpy(), 1, -1)


def kernel_to_torch(kernel):
    """Conv2D: HWIO -> OIHW; Conv2DTranspose: [h, w, out, in] -> IOHW.

    The same reversal of axes for both; neither needs a spatial flip. Dense:
    [in, out] -> [out, in].
    """
    if len(kernel.shape) == 2:
        return torch.tensor(kernel.numpy().T.copy())
    return torch.tensor(np.transpose(kernel.numpy(), (3, 2, 0, 1)).copy())


def copy_weights(model, twin):
    """Gives the twin all weights of the Keras model, and checks it is all."""
    weighted = {layer.name: layer for layer in model.layers if layer.weights}
    assert set(weighted) == set(twin.parts)
    with torch.no_grad():
        for name, part in twin.parts.items():
            layer = weighted[name]
            if isinstance(part, nn.BatchNorm2d):
                copied = {"weight": layer.gamma, "bias": layer.beta,
                          "running_mean": layer.moving_mean,
                          "running_var": layer.moving_variance}
                copied = {key: torch.tensor(value.numpy())
                          for key, value in copied.items()}
                copied["num_batches_tracked"] = torch.tensor(0)
            elif isinstance(part, nn.InstanceNorm2d):
                copied = {"weight": torch.tensor(layer.gamma.numpy()),
                          "bias": torch.tensor(layer.beta.numpy())}
            else:
                copied = {"weight": kernel_to_torch(layer.kernel)}
                if layer.bias is not None:
                    copied["bias"] = torch.tensor(layer.bias.numpy())
            part.load_state_dict(copied, strict=True)


def build_unet_and_twin(*, image_size, base_filters, norm="batch",
                        decoder_activation="relu"):
    model = unet.build_unet(
        image_size=image_size, condition_channels=1, target_channels=2,
        base_filters=base_filters, norm=norm, dropout=0.0,
        decoder_activation=decoder_activation)
    return model, UnetTwin(
        image_size=image_size, base_filters=base_filters,
        decoder_slope=0.0 if decoder_activation == "relu" else 0.2,
        make_norm=_batch_norm if norm == "batch" else _instance_norm)


def build_patchgan_and_twin(*, image_size, base_filters, num_layers=3):
    model = discriminators.build_discriminator(
        "patchgan", image_size=image_size, condition_channels=1,
        target_channels=2, base_filters=base_filters, num_layers=num_layers)
    return model, PatchganTwin(base_filters=base_filters,
                               num_layers=num_layers)


def build_dcgan_and_twin(*, image_size, base_filters):
    model = discriminators.build_discriminator(
        "dcgan_max_pool", image_size=image_size, condition_channels=1,
        target_channels=2, base_filters=base_filters)
    return model, MaxPoolDcganTwin(image_size=image_size,
                                   base_filters=base_filters)


class Comparison(NamedTuple):
    """The results of one pass through both networks, as NHWC arrays."""

    model: keras.Model
    twin: Any  # nn.Module
    training: bool
    moving_before: dict[str, tuple[np.ndarray, np.ndarray]]
    output: np.ndarray
    twin_output: np.ndarray
    gradients: list[np.ndarray]  # of the output's mean, by each input
    twin_gradients: list[np.ndarray]

    def norms(self):
        """Yields every norm's Keras layer and torch module."""
        for name in self.moving_before:
            yield self.model.get_layer(name), self.twin.parts[name]


@pytest.fixture(scope="module", params=[
    ("unet", 32, 8, {}), ("unet", 64, 8, {}), ("unet", 128, 4, {}),
    ("unet", 256, 4, {}), ("unet", 32, 8, dict(norm="instance")),
    ("unet", 64, 8, dict(decoder_activation="leaky_relu")),
    ("dcgan", 64, 8, {}),
    ("patchgan", 32, 8, {}), ("patchgan", 256, 8, {}),
    ("patchgan", 256, 4, dict(num_layers=5))])
def model_and_twin(request, randomize_weights):
    name, image_size, base_filters, options = request.param
    build = {"unet": build_unet_and_twin, "dcgan": build_dcgan_and_twin,
             "patchgan": build_patchgan_and_twin}[name]
    model, twin = build(image_size=image_size, base_filters=base_filters,
                        **options)
    randomize_weights(model)
    return model, twin


@pytest.fixture(scope="module", params=[True, False],
                ids=["training", "inference"])
def compared(request, model_and_twin):
    model, twin = model_and_twin
    copy_weights(model, twin)
    moving_before = {
        layer.name: (layer.moving_mean.numpy(), layer.moving_variance.numpy())
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)}

    rng = np.random.default_rng(1)
    inputs = [tf.constant(rng.uniform(-1.0, 1.0, (BATCH, *tensor.shape[1:])),
                          tf.float32) for tensor in model.inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = model(inputs if len(inputs) > 1 else inputs[0],
                       training=request.param)
        mean = tf.reduce_mean(output)
    gradients = tape.gradient(mean, inputs)

    twin.train(request.param)
    twin_inputs = [to_torch(tensor).requires_grad_() for tensor in inputs]
    twin_output = twin(*twin_inputs)
    twin_output.mean().backward()
    return Comparison(
        model=model, twin=twin, training=request.param,
        moving_before=moving_before,
        output=output.numpy(), twin_output=to_nhwc(twin_output),
        gradients=[gradient.numpy() for gradient in gradients],
        twin_gradients=[to_nhwc(tensor.grad) for tensor in twin_inputs])


def test_outputs_agree(compared):
    # Zeros, or a tanh in its flat ends, would agree with anything.
    assert np.abs(compared.output).mean() > 0.1
    assert compared.output.std() < 0.9
    np.testing.assert_allclose(
        compared.output, compared.twin_output, rtol=0, atol=1e-4)


def test_gradients_by_the_inputs_agree(compared):
    for gradient, twin_gradient in zip(
            compared.gradients, compared.twin_gradients, strict=True):
        largest = np.abs(twin_gradient).max()
        assert largest > 1e-6
        np.testing.assert_allclose(
            gradient, twin_gradient, rtol=0, atol=1e-4 * largest)


def test_moving_statistics_agree(compared):
    """Both keep the unbiased variance of a batch."""
    for layer, part in compared.norms():
        for before, after, expected in zip(
                compared.moving_before[layer.name],
                (layer.moving_mean.numpy(), layer.moving_variance.numpy()),
                (part.running_mean, part.running_var)):
            assert np.any(after != before) == compared.training
            np.testing.assert_allclose(
                after, expected.numpy(), rtol=0, atol=1e-4)
