"""Layers of the discriminators, and what a logit sees."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.networks import discriminators


def build(kind="patchgan", image_size=64, base_filters=2, **options):
    return discriminators.build_discriminator(
        kind, image_size=image_size, condition_channels=1, target_channels=2,
        base_filters=base_filters, **options)


def convolutions(model):
    return [layer for layer in model.layers
            if isinstance(layer, keras.layers.Conv2D)]


# The tables in the module, and their weights by hand.
@pytest.mark.parametrize("kind, outputs, parameters", [
    ("patchgan",
     [(128, 128, 64), (64, 64, 128), (32, 32, 256), (31, 31, 512), (30, 30, 1)],
     16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 1
     + 4 * (128 + 256 + 512)),
    ("pixel", [(256, 256, 64), (256, 256, 128), (256, 256, 1)],
     3 * 64 + 64 * 128 + 128 + 64 + 1 + 4 * 128),
    ("dcgan",
     [(128, 128, 64), (64, 64, 128), (32, 32, 256), (16, 16, 512), (8, 8, 512),
      (4, 4, 512)],
     16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 2 * 512 * 512)
     + 4 * 4 * 512 + 64 + 1 + 4 * (128 + 256 + 3 * 512)),
    ("dcgan_max_pool",
     [(256, 256, 64), (128, 128, 128), (64, 64, 256), (32, 32, 512),
      (16, 16, 512), (8, 8, 512)],
     9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 2 * 512 * 512)
     + 4 * 4 * 512 + 64 + 1 + 4 * (128 + 256 + 3 * 512))])
def test_layers_are_those_of_the_tables(kind, outputs, parameters):
    model = build(kind, 256, 64)
    assert [tuple(layer.output.shape[1:])
            for layer in convolutions(model)] == outputs
    assert model.count_params() == parameters


@pytest.mark.parametrize("num_layers, widths", [
    (1, [64, 128, 1]), (2, [64, 128, 256, 1]),
    (5, [64, 128, 256, 512, 512, 512, 1])])
def test_more_layers_widen_to_eight_times_at_most(num_layers, widths):
    model = build(image_size=96, base_filters=64, num_layers=num_layers)
    assert [layer.filters for layer in convolutions(model)] == widths
    side = 96 // 2**num_layers - 2
    assert model.output.shape == (None, side, side, 1)


@pytest.mark.parametrize("kind", discriminators.KINDS)
def test_a_leaky_relu_follows_every_layer_but_the_logits(kind):
    model = build(kind)
    relus = [layer for layer in model.layers
             if isinstance(layer, keras.layers.LeakyReLU)]
    expected = [layer.output for layer in model.layers
                if layer.name in ("patch0", "pixel0", "whole0")
                or layer.name.endswith("_norm")]
    assert len(relus) == len(expected) >= 2
    for relu, given in zip(relus, expected):
        assert relu.input is given and relu.negative_slope == 0.2


def gradients_of_a_logit(model, place):
    """Tells where a logit has gradients by condition and target."""
    rng, index = np.random.default_rng(4), (0, *place, 0)
    inputs = [tf.constant(rng.uniform(-1.0, 1.0, (1, *given.shape[1:])),
                          tf.float32) for given in model.inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logit = model(inputs)[index]
    return [np.any(gradient[0] != 0, axis=-1)
            for gradient in tape.gradient(logit, inputs)]


@pytest.mark.parametrize("num_layers, image_size, field, places", [
    (1, 64, 16, [(15, 8)]), (2, 64, 34, [(5, 7)]),
    (3, 256, 70, [(15, 15), (12, 17)]), (4, 192, 142, [(5, 4)]),
    (5, 320, 286, [(3, 3)])])
@pytest.mark.parametrize("norm", ["none", "batch"])  # at inference
def test_a_logit_sees_exactly_its_patch(
        num_layers, image_size, field, places, norm, randomize_weights):
    model = build(image_size=image_size, num_layers=num_layers, norm=norm)
    randomize_weights(model)
    assert discriminators.receptive_field(model) == field
    spacing = 2**num_layers
    for place in places:
        # The first patch starts outside of the picture.
        top, left = (spacing * index - (3 * spacing - 1) for index in place)
        assert min(top, left) >= 0 and max(top, left) + field <= image_size
        window = np.zeros((image_size, image_size), bool)
        window[top:top + field, left:left + field] = True
        for seen in gradients_of_a_logit(model, place):
            np.testing.assert_array_equal(seen, window)


def test_a_pixel_s_logit_sees_that_pixel_alone(randomize_weights):
    model = build("pixel", 32, 4)
    randomize_weights(model)
    assert discriminators.receptive_field(model) == 1
    for seen in gradients_of_a_logit(model, (5, 7)):
        assert seen[5, 7] and seen.sum() == 1


@pytest.mark.parametrize("image_size, flattened", [
    (32, 4), (64, 4), (96, 6), (100, 7), (224, 7)])
def test_the_dcgan_sees_the_whole_image(
        image_size, flattened, randomize_weights):
    assert discriminators.receptive_field(
        build("dcgan_max_pool", image_size)) == image_size
    model = build("dcgan", image_size)
    randomize_weights(model)
    last = convolutions(model)[-1]
    assert last.output.shape[1:3] == (flattened, flattened)
    assert discriminators.receptive_field(model) == image_size
    for seen in gradients_of_a_logit(model, ()):
        assert seen.all()


def test_logits_are_not_probabilities(randomize_weights):
    model = build()
    randomize_weights(model)
    last = model.get_layer("logits")
    last.kernel.assign(10.0 * last.kernel)
    rng = np.random.default_rng(4)
    logits = model([rng.uniform(-1.0, 1.0, (2, *given.shape[1:]))
                    for given in model.inputs])
    assert np.min(logits) < -1.0 and np.max(logits) > 1.0


@pytest.mark.parametrize("kind", ["patchgan", "dcgan"])
def test_initial_weights_are_normal_around_zero_and_one(kind):
    keras.utils.set_random_seed(0)
    model = build(kind, base_filters=16)
    for layer in [*convolutions(model), model.get_layer("logits")]:
        kernel = layer.kernel.numpy()
        tolerance = 4.0 * 0.02 / np.sqrt(kernel.size)
        assert kernel.mean() == pytest.approx(0.0, abs=tolerance)
        assert kernel.std() == pytest.approx(0.02, abs=tolerance)
    scales = np.concatenate([layer.gamma.numpy() for layer in model.layers
                             if hasattr(layer, "gamma")])
    assert scales.mean() == pytest.approx(1.0, abs=0.006)
    assert scales.std() == pytest.approx(0.02, abs=0.004)
