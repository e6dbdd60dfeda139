"""The U-Net on a ResNet-18: sizes, types, options; resnet18_test has more."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.instance_norm import InstanceNormalization
from pix2pix_color.networks import encoder_unet, layers


def build(image_size=64, base_filters=4, **options):
    return encoder_unet.build_resnet18_unet(
        image_size=image_size, condition_channels=1, target_channels=2,
        base_filters=base_filters, **options)


def random_condition(batch=2, image_size=64):
    rng = np.random.default_rng(3)
    return tf.constant(
        rng.uniform(-1.0, 1.0, (batch, image_size, image_size, 1)), tf.float32)


def layers_of(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def test_the_decoder_s_outputs_and_joins_are_those_of_its_table():
    model = build(256, 64)
    widths = {4: 256, 3: 128, 2: 64, 1: 64, 0: 32}
    skips = {4: 256, 3: 128, 2: 64, 1: 64, 0: 1}
    for level, width in widths.items():
        size = 256 // 2**level
        for name, channels in ((f"decoder{level}_relu", width),
                               (f"decoder{level}_join", width + skips[level]),
                               (f"decoder{level}_refine_relu", width)):
            assert model.get_layer(name).output.shape == (
                None, size, size, channels), name
    assert model.count_params() == 19_230_626


@pytest.mark.parametrize("image_size", [64, 96, 224])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_target_is_float32_of_the_condition_s_size(image_size, dtype):
    model = build(image_size, 2, dtype=dtype)
    target = model(random_condition(1, image_size), training=True)
    assert target.shape == (1, image_size, image_size, 2)
    assert target.dtype == tf.float32
    assert 1e-4 < np.std(target) and np.max(np.abs(target)) <= 1.0
    assert {layer.name for layer in model.layers
            if layer.compute_dtype == "float32"} >= {"output", "target"}
    assert {weight.dtype for weight in model.weights} == {"float32"}


@pytest.mark.parametrize("image_size", [32, 100, 0])
def test_other_sizes_are_refused(image_size):
    with pytest.raises(ValueError, match=f"image_size={image_size} must be a "
                                         f"multiple of 32, at least 64"):
        build(image_size)


@pytest.mark.parametrize("norm, kind", [
    ("batch", keras.layers.BatchNormalization),
    ("instance", InstanceNormalization), ("none", ())])
def test_the_norm_is_the_decoder_s_alone(norm, kind):
    model = build(norm=norm)
    decoder = [layer for layer in model.layers
               if layer.name.startswith("decoder")]
    norms = [layer for layer in decoder if layer.name.endswith("_norm")]
    assert len(norms) == (10 if kind else 0)
    assert all(isinstance(layer, kind) for layer in norms)
    assert all(layer.use_bias == (norm == "none") for layer in decoder
               if isinstance(layer, keras.layers.Conv2D))
    assert len(layers_of(model, keras.layers.BatchNormalization)) == (
        20 + (10 if norm == "batch" else 0))


def test_every_norm_is_synchronized_where_that_is_asked_for(monkeypatch):
    asked, plain = [], layers.batch_norm

    def noted(**options):
        asked.append(options["synchronized"])
        return plain(**options)

    monkeypatch.setattr(layers, "batch_norm", noted)  # the encoder's
    monkeypatch.setitem(layers.NORMS, "batch", noted)
    for synchronized in (True, False):
        build(base_filters=1, synchronized_norm=synchronized)
    assert asked == [True] * 30 + [False] * 30


def test_dropout_is_on_the_two_innermost_levels():
    dropouts = layers_of(build(dropout=0.25), layers.Dropout)
    assert {layer.name: layer.rate for layer in dropouts} == {
        "decoder4_dropout": 0.25, "decoder3_dropout": 0.25}
    noises = {layer(tf.ones([1, 8, 8, 8]), training=True).numpy().tobytes()
              for seed in range(3) for layer in layers_of(
                  build(dropout_seed=seed), layers.Dropout)}
    assert len(noises) == 6
    assert not layers_of(build(dropout=0.0), layers.Dropout)


@pytest.mark.parametrize("options", [
    dict(dropout=0.5), dict(dropout=0.0, noise_channels=2)])
@pytest.mark.parametrize("sampling", [False, True])
def test_noise_follows_the_step_in_training_and_in_sampling(
        options, sampling, randomize_weights):
    step = tf.Variable(0, dtype=tf.int64)
    model = build(step=step.value, sampling=sampling, **options)
    randomize_weights(model)
    condition = random_condition(1)
    for training in (True, False):
        first, again = (model(condition, training=training) for _ in range(2))
        np.testing.assert_allclose(first, again, rtol=0, atol=1e-5)
        step.assign_add(1)
        difference = np.abs(first - model(condition, training=training)).max()
        assert (difference > 0.01) == (training or sampling), difference


def test_condition_and_target_have_the_color_space_s_channels():
    model = encoder_unet.build_resnet18_unet(
        image_size=64, condition_channels=3, target_channels=3, base_filters=1)
    assert model(tf.zeros([2, 64, 64, 3])).shape == (2, 64, 64, 3)
