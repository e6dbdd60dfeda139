"""Layers and sizes of the U-Net; parity_test checks its arithmetic."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.instance_norm import InstanceNormalization
from pix2pix_color.networks import layers, unet

# The paper's table at 256 px, 64 base filters: layer -> its output [H, W, C].
PAPER_OUTPUTS = {
    "encoder0": (128, 128, 64),
    "encoder1": (64, 64, 128),
    "encoder2": (32, 32, 256),
    "encoder3": (16, 16, 512),
    "encoder4": (8, 8, 512),
    "encoder5": (4, 4, 512),
    "encoder6": (2, 2, 512),
    "encoder7": (1, 1, 512),
    "decoder6": (2, 2, 512),
    "decoder5": (4, 4, 512),
    "decoder4": (8, 8, 512),
    "decoder3": (16, 16, 512),
    "decoder2": (32, 32, 256),
    "decoder1": (64, 64, 128),
    "decoder0": (128, 128, 64),
    "output": (256, 256, 2),
}
# Channels in and out of each of its layers; a decoder's input counts the skip.
PAPER_ENCODER = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 512),
                 (512, 512), (512, 512), (512, 512)]
PAPER_DECODER = [(512, 512), (1024, 512), (1024, 512), (1024, 512),
                 (1024, 256), (512, 128), (256, 64), (128, 2)]


def build(image_size=32, base_filters=2, **options):
    return unet.build_unet(
        image_size=image_size, condition_channels=1, target_channels=2,
        base_filters=base_filters, **options)


def layers_of(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def convolutions(model):
    return layers_of(model, keras.layers.Conv2D, keras.layers.Conv2DTranspose)


def names(some_layers):
    return {layer.name for layer in some_layers}


def test_the_paper_s_layers_skips_and_54_4_million_parameters():
    model = build(256, 64)
    assert {layer.name: tuple(layer.output.shape[1:])
            for layer in convolutions(model)} == PAPER_OUTPUTS
    for level in range(7):
        height, width, channels = PAPER_OUTPUTS[f"encoder{level}"]
        joined = model.get_layer(f"decoder{level}_join").output
        assert tuple(joined.shape[1:]) == (height, width, 2 * channels)
    kernels = sum(4 * 4 * given * made
                  for given, made in PAPER_ENCODER + PAPER_DECODER)
    biases = 64 + 512 + 2  # the first, the innermost and the last layer
    normed = [made for _, made in PAPER_ENCODER[1:-1] + PAPER_DECODER[:-1]]
    norms = 4 * sum(normed)  # scale, offset, moving mean and variance
    assert model.count_params() == kernels + biases + norms == 54_420_290


@pytest.mark.parametrize("image_size, depth, dropped_sizes", [
    (32, 5, [2]), (64, 6, [2, 4]), (128, 7, [2, 4, 8]), (256, 8, [2, 4, 8]),
    (512, 9, [2, 4, 8])])
def test_the_depth_follows_the_size_down_to_one_pixel(
        image_size, depth, dropped_sizes):
    model = build(image_size, 1)
    assert names(convolutions(model)) == (
        {f"encoder{level}" for level in range(depth)}
        | {f"decoder{level}" for level in range(depth - 1)} | {"output"})
    innermost = model.get_layer(f"encoder{depth - 1}")
    assert tuple(innermost.output.shape) == (None, 1, 1, 8)
    assert tuple(model.output.shape) == (None, image_size, image_size, 2)
    with_bias = {layer.name for layer in convolutions(model) if layer.use_bias}
    assert with_bias == {"encoder0", f"encoder{depth - 1}", "output"}
    dropouts = layers_of(model, layers.Dropout)
    assert sorted(tuple(layer.output.shape[1:]) for layer in dropouts) == [
        (size, size, 8) for size in dropped_sizes]
    for layer in dropouts:
        norm = model.get_layer(layer.name.replace("_dropout", "_norm"))
        assert layer.input is norm.output and layer.rate == 0.5


def test_initial_kernels_are_normal_with_deviation_0_02():
    keras.utils.set_random_seed(0)
    model = build(64, 8)
    for layer in convolutions(model):
        kernel = layer.kernel.numpy()
        tolerance = 4.0 * 0.02 / np.sqrt(kernel.size)  # of the mean, 4 sigma
        assert kernel.mean() == pytest.approx(0.0, abs=tolerance)
        assert kernel.std() == pytest.approx(0.02, abs=tolerance)
        # Beyond twice the deviation: 4.6 % of a normal distribution, none of
        # a truncated one.
        share = np.mean(np.abs(kernel) > 0.04)
        assert share == pytest.approx(0.0455, abs=4 * 0.21 / kernel.size**0.5)
        if layer.use_bias:
            assert not np.any(layer.bias)
    kernel, other = (model.get_layer(name).kernel.numpy()
                     for name in ("encoder4", "encoder5"))  # of one shape
    assert np.abs(kernel - other).max() > 0.01


@pytest.mark.parametrize("norm, kind", [
    ("batch", keras.layers.BatchNormalization),
    ("instance", InstanceNormalization)])
def test_initial_norms_scale_by_one_with_deviation_0_02(norm, kind):
    keras.utils.set_random_seed(0)
    norms = layers_of(build(64, 16, norm=norm), kind)
    scales = np.concatenate([layer.gamma.numpy() for layer in norms])
    assert scales.mean() == pytest.approx(1.0, abs=0.004)
    assert scales.std() == pytest.approx(0.02, abs=0.003)
    assert not any(np.any(layer.beta) for layer in norms)


@pytest.mark.parametrize("synchronized, num_replicas, kind", [
    (False, 1, "FusedBatchNormalization"), (True, 1, "FusedBatchNormalization"),
    (False, 2, "FusedBatchNormalization"), (True, 2, "BatchNormalization")])
def test_norms_are_synchronized_where_there_is_something_to_synchronize(
        monkeypatch, synchronized, num_replicas, kind):
    strategy = types.SimpleNamespace(num_replicas_in_sync=num_replicas)
    with monkeypatch.context() as context:
        context.setattr(tf.distribute, "get_strategy", lambda: strategy)
        made = layers.batch_norm(synchronized=synchronized, dtype="float32",
                                 name="norm")
    assert type(made).__name__ == kind
    assert made.synchronized == (kind == "BatchNormalization")


def test_with_instance_norm_training_equals_inference_of_each_picture():
    model = build(norm="instance", dropout=0.0)
    conditions = tf.random.stateless_uniform([3, 32, 32, 1], [0, 0], -1.0, 1.0)
    together = model(conditions, training=True)
    assert np.std(together) > 1e-3
    np.testing.assert_allclose(model(conditions), together, atol=1e-6)
    np.testing.assert_allclose(
        model(conditions[1:2], training=True)[0], together[1], atol=1e-5)


@pytest.mark.parametrize("way, kind, ending", [
    ("auto", keras.layers.Conv2DTranspose, ""),
    ("transposed", keras.layers.Conv2DTranspose, ""),
    ("resize", keras.layers.UpSampling2D, "_resize"),
    ("pixel_shuffle", layers.PixelShuffle, "_shuffle")])
def test_each_upsampling_reaches_every_layer_of_the_decoder(way, kind, ending):
    model = build(32, 1, upsampling=way)
    assert names(layers_of(model, kind)) == {
        f"{name}{ending}" for name in
        ("decoder0", "decoder1", "decoder2", "decoder3", "output")}
    assert model.get_layer("output").compute_dtype == "float32"
