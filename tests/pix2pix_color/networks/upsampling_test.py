"""Each way of upsampling: what it computes, and its checkerboard."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.networks import encoder_unet, unet, upsampling

EVERY_WAY = pytest.mark.parametrize("way", upsampling.UPSAMPLINGS)


def build(way, *, use_bias=True, dtype="float32"):
    """A model of one upsampling of 6 x 5 pixels, 8 channels to 3."""
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 5, 8))
    return keras.Model(x, upsampling.UPSAMPLINGS[way](
        x, 3, use_bias=use_bias, dtype=dtype, name="up"))


def random_input(channels=8, shape=(2, 6, 5)):
    return tf.constant(
        np.random.default_rng(1).normal(size=(*shape, channels)), tf.float32)


def convolved(x, kernel):
    """3x3 convolution of zero-padded [N, H, W, C], by its definition."""
    height, width = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return sum(padded[:, i:i + height, j:j + width] @ kernel[i, j]
               for i in range(3) for j in range(3))


def doubled(x):
    """Nearest neighbor."""
    return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)


@EVERY_WAY
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_height_and_width_double(way, dtype):
    model = build(way, dtype=dtype)
    output = model(random_input())
    assert output.shape == (2, 12, 10, 3)
    assert output.dtype == ("float32" if dtype == "float32" else "bfloat16")
    layer = model.get_layer("up")
    assert {weight.dtype for weight in layer.weights} == {"float32"}


@EVERY_WAY
def test_biases_are_only_where_they_are_asked_for(way):
    assert build(way).get_layer("up").use_bias
    assert not build(way, use_bias=False).get_layer("up").use_bias


def test_resize_convolves_the_nearest_neighbors():
    model, x = build("resize"), random_input()
    kernel = model.get_layer("up").kernel.numpy()
    assert kernel.std() == pytest.approx(0.02, rel=0.1)
    np.testing.assert_allclose(
        model(x), convolved(doubled(x.numpy()), kernel), atol=1e-6)


def test_pixel_shuffle_begins_as_nearest_neighbor_of_one_convolution():
    model, x = build("pixel_shuffle"), random_input()
    kernel = model.get_layer("up").kernel.numpy()
    assert kernel.shape == (3, 3, 8, 12)
    assert kernel.std() == pytest.approx(0.02, rel=0.2)
    np.testing.assert_allclose(
        model(x), doubled(convolved(x.numpy(), kernel[..., :3])), atol=1e-6)


def test_pixel_shuffle_lays_four_channels_out_as_two_by_two_pixels():
    model, x = build("pixel_shuffle"), random_input()
    layer = model.get_layer("up")
    layer.kernel.assign(np.random.default_rng(2).normal(
        size=layer.kernel.shape))
    wide, output = convolved(x.numpy(), layer.kernel.numpy()), model(x)
    for row in (0, 1):
        for column in (0, 1):
            first = 3 * (2 * row + column)
            np.testing.assert_allclose(
                output[:, row::2, column::2], wide[..., first:first + 3],
                atol=1e-4)


def checkerboard(output):
    """Share of the variance that is a pattern of period 2, 0..1."""
    phases = np.stack([output[:, i::2, j::2].mean(axis=(1, 2))
                       for i in (0, 1) for j in (0, 1)])
    return float((phases.var(axis=0) / output.var(axis=(1, 2))).mean())


@pytest.mark.parametrize("build_generator", [
    unet.build_unet,
    functools.partial(encoder_unet.build_encoder_unet, "resnet18")])
def test_a_fresh_network_draws_a_checkerboard_only_when_transposed(
        build_generator):
    found = {}
    for way in upsampling.UPSAMPLINGS:
        keras.utils.set_random_seed(1)
        model = build_generator(
            image_size=64, condition_channels=1, target_channels=2,
            base_filters=8, upsampling=way)
        condition = random_input(1, (2, 64, 64))
        found[way] = checkerboard(model(condition, training=True).numpy())
    assert found["transposed"] > 0.01  # 0.12 and 0.02
    assert found["resize"] < found["transposed"] / 10
    assert found["pixel_shuffle"] < found["transposed"] / 10


def test_a_fresh_unet_with_pixel_shuffle_draws_blocks_of_equal_pixels():
    keras.utils.set_random_seed(1)
    model = unet.build_unet(
        image_size=32, condition_channels=1, target_channels=2,
        base_filters=4, upsampling="pixel_shuffle")
    output = model(random_input(1, (2, 32, 32)), training=True).numpy()
    assert output.std() > 1e-3
    np.testing.assert_array_equal(output, doubled(output[:, ::2, ::2]))
