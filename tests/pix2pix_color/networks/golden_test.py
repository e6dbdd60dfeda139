"""Requirements on every network, in one loop."""

import functools
from typing import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.instance_norm import InstanceNormalization
from pix2pix_color.networks import (discriminators, encoder_unet, layers, unet,
                                    weights_file)

BUILDERS: dict[str, Callable] = {
    "unet": unet.build_unet,
    **{name: functools.partial(encoder_unet.build_encoder_unet, name)
       for name in encoder_unet.ENCODERS},
    **{kind: functools.partial(discriminators.build_discriminator, kind)
       for kind in discriminators.KINDS},
}
# Outputs at 64 px, layers that are float32 under any policy beside the inputs,
# and norms outside of the encoder.
EXPECTED = {
    "unet": ((64, 64, 2), {"output", "target"}, 9),
    "resnet18": ((64, 64, 2), {"output", "target"}, 10),
    "lite0": ((64, 64, 2), {"output", "half_target", "target"}, 5),
    "lite2": ((64, 64, 2), {"output", "half_target", "target"}, 5),
    "patchgan": ((6, 6, 1), {"logits_pad", "logits"}, 3),
    "pixel": ((64, 64, 1), {"logits"}, 1),
    "dcgan": ((1,), {"flatten", "logits"}, 3),
    "dcgan_max_pool": ((1,), {"flatten", "logits"}, 3),
}
ENCODER_NORMS = {"resnet18": 20}
EVERY = pytest.mark.parametrize("name", BUILDERS)
GENERATORS = ("unet", *encoder_unet.ENCODERS)


def build(name, **options):
    keras.utils.set_random_seed(0)
    return BUILDERS[name](**(dict(
        image_size=64, condition_channels=1, target_channels=2,
        base_filters=4) | options))


def random_inputs(model, batch=2):
    rng = np.random.default_rng(3)
    return [tf.constant(rng.uniform(-1.0, 1.0, (batch, *given.shape[1:])),
                        tf.float32) for given in model.inputs]


def call(model, inputs, **options):
    return model(inputs if len(inputs) > 1 else inputs[0], **options).numpy()


@EVERY
def test_outputs_and_weights_are_float32_under_any_policy(
        name, randomize_weights):
    shape, in_float32, _ = EXPECTED[name]
    outputs = []
    for dtype in ("float32", "mixed_bfloat16"):
        model = build(name, dtype=dtype)
        randomize_weights(model)
        assert {weight.dtype for weight in model.weights} == {"float32"}
        outputs.append(call(model, random_inputs(model)))
        assert outputs[-1].dtype == np.float32
        assert outputs[-1].shape == (2, *shape)
    assert {layer.name for layer in model.layers
            if layer.compute_dtype == "float32"} == {
                *in_float32, *(given.name for given in model.inputs)}
    difference = np.abs(outputs[0] - outputs[1])
    assert np.std(outputs[0]) > 1e-3 and 1e-6 < difference.max() < 0.2


@EVERY
def test_inference_repeats_whatever_else_is_in_the_batch(
        name, randomize_weights):
    model = build(name)
    randomize_weights(model)
    inputs = random_inputs(model, 3)
    together = call(model, inputs)
    np.testing.assert_array_equal(call(model, inputs, training=False), together)
    alone = call(model, [given[1:2] for given in inputs])
    np.testing.assert_allclose(alone[0], together[1], rtol=0, atol=1e-5)


@EVERY
def test_weights_survive_a_checkpoint_and_a_file(
        name, tmp_path, randomize_weights):
    model, restored, loaded = (build(name) for _ in range(3))
    randomize_weights(model)
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "saved"))
    tf.train.Checkpoint(model=restored).restore(path).assert_consumed()
    path = tmp_path / "weights.safetensors"
    path.write_bytes(weights_file.generator_to_bytes(
        model, flags="", half=False))
    weights_file.assign_weights(
        loaded, weights_file.read_tensors(str(path), flag=""), origin="")
    for one, other, expected in zip(restored.weights, loaded.weights,
                                    model.weights, strict=True):
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(other, expected)


@pytest.mark.slow
@EVERY
def test_a_savedmodel_computes_the_same(name, tmp_path, randomize_weights):
    model = build(name)
    randomize_weights(model)
    inputs = random_inputs(model)
    model.export(str(tmp_path), verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(
        served.serve(inputs if len(inputs) > 1 else inputs[0]),
        call(model, inputs), atol=1e-5)


@EVERY
@pytest.mark.parametrize("norm, kind", [
    ("batch", keras.layers.BatchNormalization),
    ("instance", InstanceNormalization), ("none", ())])
def test_a_norm_takes_the_place_of_a_bias(name, norm, kind):
    model = build(name, norm=norm)
    own = [layer for layer in model.layers
           if not layer.name.startswith(layers.ENCODER_PREFIX)]
    norms = {layer.name.removesuffix("_norm"): layer for layer in own
             if layer.name.endswith("_norm")}
    assert len(norms) == (EXPECTED[name][2] if kind else 0)
    assert all(isinstance(layer, kind) and layer.output.shape[1] > 1
               and layer.epsilon == 1e-5 for layer in norms.values())
    weighted = [layer for layer in own if hasattr(layer, "kernel")]
    assert all(layer.use_bias == (layer.name not in norms)
               for layer in weighted)
    assert set(norms) < {layer.name for layer in weighted}
    num_batch_norms = sum(isinstance(layer, keras.layers.BatchNormalization)
                          for layer in model.layers)
    assert num_batch_norms == ENCODER_NORMS.get(name, 0) + (
        len(norms) if norm == "batch" else 0)


@EVERY
def test_every_norm_is_synchronized_on_request(name, monkeypatch):
    asked, plain = [], layers.batch_norm

    def noted(**options):
        asked.append(options["synchronized"])
        return plain(**options)

    monkeypatch.setattr(layers, "batch_norm", noted)  # the encoder's
    monkeypatch.setitem(layers.NORMS, "batch", noted)
    for synchronized in (True, False):
        build(name, synchronized_norm=synchronized)
    count = EXPECTED[name][2] + ENCODER_NORMS.get(name, 0)
    assert asked == [True] * count + [False] * count


@EVERY
def test_the_target_has_the_color_space_s_channels(name):
    model = build(name, target_channels=3)
    target = model.output if name in GENERATORS else model.inputs[1]
    assert target.shape == (None, 64, 64, 3)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_target_lies_in_minus_one_to_one(name, randomize_weights):
    model = build(name)
    randomize_weights(model)
    output = model.get_layer("output")
    output.kernel.assign(100.0 * output.kernel)  # far into tanh's flat ends
    target = call(model, random_inputs(model))
    assert 0.99 < np.max(target) <= 1.0 and -1.0 <= np.min(target) < -0.99


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("options", [
    dict(dropout=0.5), dict(dropout=0.0, noise_channels=2)])
@pytest.mark.parametrize("sampling", [False, True])
def test_noise_follows_step_and_seed_in_training_and_in_sampling(
        name, options, sampling, randomize_weights):
    step = tf.Variable(0, dtype=tf.int64)
    model, other = (build(name, step=step.value, sampling=sampling,
                          dropout_seed=seed, **options) for seed in (3, 4))
    for network in (model, other):
        randomize_weights(network)
    inputs = random_inputs(model, 1)
    for training in (False, True):  # which changes moving averages
        first, again = (call(model, inputs, training=training)
                        for _ in range(2))
        np.testing.assert_allclose(first, again, rtol=0, atol=1e-5)
        of_other_seed = call(other, inputs, training=training)
        step.assign_add(1)
        for changed in (of_other_seed, call(model, inputs, training=training)):
            difference = np.abs(first - changed).max()
            assert (difference > 1e-3) == (training or sampling), difference


@pytest.mark.parametrize("name", GENERATORS)
def test_dropout_has_its_rate_and_every_layer_its_own_noise(name):
    def dropouts(**options):
        return [layer for layer in build(name, **options).layers
                if isinstance(layer, layers.Dropout)]

    assert [layer.rate for layer in dropouts(dropout=0.25)] == [0.25] * 2
    noises = {layer(tf.ones([1, 8, 8, 8]), training=True).numpy().tobytes()
              for seed in range(3) for layer in dropouts(dropout_seed=seed)}
    assert len(noises) == 6
    assert not dropouts(dropout=0.0)


@pytest.mark.parametrize("name, size, message", [
    *(("unet", size, "a power of two from 32 to 512")
      for size in (250, 16, 1024)),
    *(("resnet18", size, "a multiple of 32, at least 64")
      for size in (32, 100, 0))])
def test_other_sizes_are_refused(name, size, message):
    with pytest.raises(ValueError, match=f"image_size={size} must be "
                                         f"{message}"):
        build(name, image_size=size)
