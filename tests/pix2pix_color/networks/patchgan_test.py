"""The PatchGAN's layers, patches and types; its arithmetic is parity_test's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.networks import patchgan

# The paper's table at 256 px, 64 base filters: layer -> its output [H, W, C].
PAPER_OUTPUTS = {
    "patch0": (128, 128, 64),
    "patch1": (64, 64, 128),
    "patch2": (32, 32, 256),
    "patch3": (31, 31, 512),
    "logits": (30, 30, 1),
}


def build(image_size=32, base_filters=2, **options):
    return patchgan.build_patchgan(
        image_size=image_size, condition_channels=1, target_channels=2,
        base_filters=base_filters, **options)


def random_inputs(batch, image_size):
    """Returns [condition, target]."""
    rng = np.random.default_rng(4)
    return [tf.constant(
        rng.uniform(-1.0, 1.0, (batch, image_size, image_size, channels)),
        tf.float32) for channels in (1, 2)]


@pytest.fixture(scope="module")
def paper_patchgan():
    return build(256, 64)


def convolutions(model):
    return [layer for layer in model.layers
            if isinstance(layer, keras.layers.Conv2D)]


def norms(model):
    return [layer for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)]


def test_the_paper_s_layers_have_the_documented_widths_and_sizes(
        paper_patchgan):
    outputs = {layer.name: tuple(layer.output.shape[1:])
               for layer in convolutions(paper_patchgan)}
    assert outputs == PAPER_OUTPUTS


def test_the_paper_s_network_has_2_8_million_parameters(paper_patchgan):
    kernels = 4 * 4 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    biases = 64 + 1
    norm_weights = 4 * (128 + 256 + 512)
    assert (paper_patchgan.count_params() == kernels + biases + norm_weights
            == 2_767_425)


@pytest.mark.parametrize("image_size, patches",
                         [(256, 30), (128, 14), (64, 6), (32, 2)])
def test_each_size_has_its_number_of_patches(image_size, patches):
    logits = build(image_size, 1)(random_inputs(2, image_size))
    assert tuple(logits.shape) == (2, patches, patches, 1)


def test_all_but_first_and_last_have_norm_and_no_bias():
    model = build()
    assert [(layer.name, layer.use_bias) for layer in convolutions(model)] == [
        ("patch0", True), ("patch1", False), ("patch2", False),
        ("patch3", False), ("logits", True)]
    assert [layer.name for layer in norms(model)] == [
        "patch1_norm", "patch2_norm", "patch3_norm"]


@pytest.mark.parametrize("row, column", [(15, 15), (12, 17)])
def test_a_logit_sees_exactly_70_by_70_pixels(row, column, randomize_weights):
    model = build(256, 4)
    randomize_weights(model)
    inputs = random_inputs(1, 256)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logit = model(inputs)[0, row, column, 0]
    window = np.zeros((256, 256), bool)
    # Patches are 8 px apart; the first begins 23 px outside of the picture.
    top, left = 8 * row - 23, 8 * column - 23
    window[top:top + 70, left:left + 70] = True
    for gradient in tape.gradient(logit, inputs):  # by condition and target
        seen = np.any(gradient[0] != 0, axis=-1)
        np.testing.assert_array_equal(seen, window)


@pytest.mark.parametrize("changed", [0, 1], ids=["condition", "target"])
def test_logits_depend_on_condition_and_on_target(changed, randomize_weights):
    model = build()
    randomize_weights(model)
    inputs = random_inputs(2, 32)
    before = model(inputs)
    inputs[changed] = -inputs[changed]
    assert np.abs(model(inputs) - before).mean() > 0.05


def test_logits_are_not_probabilities(randomize_weights):
    model = build(64)
    randomize_weights(model)
    last = model.get_layer("logits")
    last.kernel.assign(10.0 * last.kernel)
    logits = model(random_inputs(2, 64))
    assert np.min(logits) < -1.0
    assert np.max(logits) > 1.0


def test_mixed_bfloat16_leaves_weights_and_logits_in_float32(
        randomize_weights):
    mixed, full = build(dtype="mixed_bfloat16"), build()
    for model in (mixed, full):
        randomize_weights(model)
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    in_float32 = {layer.name for layer in mixed.layers
                  if layer.compute_dtype == "float32"}
    assert in_float32 == {"condition", "target", "logits_pad", "logits"}
    inputs = random_inputs(2, 32)
    logits = mixed(inputs)
    assert logits.dtype == tf.float32
    difference = np.abs(logits - full(inputs))
    assert 1e-6 < difference.max() < 0.1


def test_initial_weights_are_normal_around_zero_and_one():
    keras.utils.set_random_seed(0)
    model = build(64, 16)
    for layer in convolutions(model):
        kernel = layer.kernel.numpy()
        tolerance = 4.0 * 0.02 / np.sqrt(kernel.size)
        assert kernel.mean() == pytest.approx(0.0, abs=tolerance)
        assert kernel.std() == pytest.approx(0.02, abs=tolerance)
    scales = np.concatenate([layer.gamma.numpy() for layer in norms(model)])
    assert scales.mean() == pytest.approx(1.0, abs=0.006)
    assert scales.std() == pytest.approx(0.02, abs=0.004)


def test_inference_does_not_depend_on_the_rest_of_the_batch(
        randomize_weights):
    model = build(64)
    randomize_weights(model)
    condition, target = random_inputs(3, 64)
    together = model([condition, target])
    assert np.std(together) > 0.1
    for index in range(3):
        alone = model([condition[index:index + 1], target[index:index + 1]])
        np.testing.assert_allclose(
            alone[0], together[index], rtol=0, atol=1e-5)
