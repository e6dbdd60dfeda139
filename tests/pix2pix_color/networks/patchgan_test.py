"""The discriminators' layers, patches and types.

The PatchGAN's arithmetic is parity_test's.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.instance_norm import InstanceNormalization
from pix2pix_color.networks import dcgan, layers, patchgan

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


def gradients_of_a_logit(model, place, image_size):
    """Where one logit's gradient by condition and by target is not zero."""
    inputs, index = random_inputs(1, image_size), (0, *place, 0)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logit = model(inputs)[index]
    return [np.any(gradient[0] != 0, axis=-1)
            for gradient in tape.gradient(logit, inputs)]


@pytest.mark.parametrize("num_layers, image_size, field, places", [
    (1, 64, 16, [(15, 8)]), (2, 64, 34, [(5, 7)]),
    (3, 256, 70, [(15, 15), (12, 17)]), (4, 192, 142, [(5, 4)]),
    (5, 320, 286, [(3, 3)])])
def test_a_logit_sees_exactly_its_patch(
        num_layers, image_size, field, places, randomize_weights):
    model = build(image_size, 2, num_layers=num_layers, norm="none")
    randomize_weights(model)
    assert patchgan.receptive_field(model) == field
    spacing = 2**num_layers
    for place in places:
        # The first patch begins outside of the picture.
        top, left = (spacing * index - (3 * spacing - 1) for index in place)
        assert min(top, left) >= 0 and max(top, left) + field <= image_size
        window = np.zeros((image_size, image_size), bool)
        window[top:top + field, left:left + field] = True
        for seen in gradients_of_a_logit(model, place, image_size):
            np.testing.assert_array_equal(seen, window)


def test_a_norm_of_inference_sees_no_more_than_the_patch(randomize_weights):
    model = build(256, 2)
    randomize_weights(model)
    for seen in gradients_of_a_logit(model, (15, 15), 256):
        assert seen.sum() == 70**2


@pytest.mark.parametrize("num_layers, widths", [
    (1, [64, 128, 1]), (2, [64, 128, 256, 1]),
    (5, [64, 128, 256, 512, 512, 512, 1])])
def test_more_layers_widen_to_eight_times_at_most(num_layers, widths):
    model = build(96, 64, num_layers=num_layers)
    assert [layer.filters for layer in convolutions(model)] == widths
    side = 96 // 2**num_layers - 2
    assert model.output.shape == (None, side, side, 1)


@pytest.mark.parametrize("norm, kind, num_with_bias", [
    ("batch", keras.layers.BatchNormalization, 2),
    ("instance", InstanceNormalization, 2), ("none", (), 5)])
def test_the_norm_is_the_one_that_was_asked_for(norm, kind, num_with_bias):
    model = build(norm=norm)
    made = [layer for layer in model.layers if "norm" in layer.name]
    assert len(made) == (3 if kind else 0)
    assert all(isinstance(layer, kind) for layer in made)
    assert sum(layer.use_bias for layer in convolutions(model)) == num_with_bias


@pytest.mark.parametrize("make, image_size", [
    (patchgan.build_pixelgan, 32), (dcgan.build_dcgan, 32),
    (dcgan.build_dcgan, 96)])
@pytest.mark.parametrize("norm, num_norms", [
    ("batch", None), ("instance", None), ("none", 0)])
def test_other_discriminators_have_a_norm_but_on_the_first_and_last_layer(
        make, image_size, norm, num_norms):
    model = make(image_size=image_size, condition_channels=1,
                 target_channels=2, base_filters=2, norm=norm)
    made = [layer for layer in model.layers if "norm" in layer.name]
    expected = len(convolutions(model)) - 1 - (make is patchgan.build_pixelgan)
    assert len(made) == (expected if num_norms is None else num_norms)
    assert all(isinstance(layer, InstanceNormalization) == (norm == "instance")
               and layer.output.shape[1] > 1 for layer in made)
    first, *others = [layer for layer in convolutions(model)
                      if layer.name != "logits"]
    assert first.use_bias
    assert all(layer.use_bias == (norm == "none") for layer in others)


EVERY_KIND = pytest.mark.parametrize("make", [
    patchgan.build_patchgan, patchgan.build_pixelgan, dcgan.build_dcgan])


@EVERY_KIND
def test_a_leaky_relu_follows_every_layer_but_the_logits(make):
    model = make(image_size=64, condition_channels=1, target_channels=2,
                 base_filters=2)
    relus = [layer for layer in model.layers
             if isinstance(layer, keras.layers.LeakyReLU)]
    given = [layer.input for layer in relus]
    assert [layer.negative_slope for layer in relus] == [0.2] * len(relus)
    expected = [layer.output for layer in model.layers
                if layer.name in ("patch0", "pixel0", "whole0")
                or layer.name.endswith("_norm")]
    assert len(given) == len(expected) >= 2
    assert all(one is other for one, other in zip(given, expected))


@EVERY_KIND
def test_every_norm_is_synchronized_where_that_is_asked_for(
        make, monkeypatch):
    asked = []

    def noted(**options):
        asked.append(options["synchronized"])
        return layers.batch_norm(**options)

    monkeypatch.setitem(layers.NORMS, "batch", noted)
    for synchronized in (True, False):
        make(image_size=64, condition_channels=1, target_channels=2,
             base_filters=2, synchronized_norm=synchronized)
    assert asked == [True] * (len(asked) // 2) + [False] * (len(asked) // 2)
    assert asked


def test_a_pixel_s_logit_sees_that_pixel_alone(randomize_weights):
    model = patchgan.build_pixelgan(
        image_size=32, condition_channels=1, target_channels=2,
        base_filters=4, norm="none")
    randomize_weights(model)
    assert patchgan.receptive_field(model) == 1
    assert model.output.shape == (None, 32, 32, 1)
    for seen in gradients_of_a_logit(model, (5, 7), 32):
        assert seen[5, 7] and seen.sum() == 1


def test_the_pixelgan_has_the_paper_s_widths():
    model = patchgan.build_pixelgan(
        image_size=256, condition_channels=1, target_channels=2)
    assert [(layer.filters, layer.kernel_size, layer.strides)
            for layer in convolutions(model)] == [
                (64, (1, 1), (1, 1)), (128, (1, 1), (1, 1)),
                (1, (1, 1), (1, 1))]


@pytest.mark.parametrize("image_size, flattened", [
    (32, 4), (64, 4), (96, 6), (100, 7), (224, 7), (256, 4)])
def test_the_dcgan_judges_the_whole_image_with_one_logit(
        image_size, flattened, randomize_weights):
    model = dcgan.build_dcgan(
        image_size=image_size, condition_channels=1, target_channels=2,
        base_filters=2, norm="none",  # in bfloat16 gradients may cancel out
        dtype="float32" if image_size == 64 else "mixed_bfloat16")
    randomize_weights(model)
    last = [layer for layer in convolutions(model)][-1]
    assert last.output.shape[1:3] == (flattened, flattened)
    assert patchgan.receptive_field(model) == image_size
    logits = model(random_inputs(2, image_size))
    assert logits.shape == (2, 1) and logits.dtype == tf.float32
    if image_size == 64:
        for seen in gradients_of_a_logit(model, (), image_size):
            assert seen.all()


def test_the_dcgan_s_layers_are_those_of_its_table():
    model = dcgan.build_dcgan(
        image_size=256, condition_channels=1, target_channels=2)
    assert [tuple(layer.output.shape[1:]) for layer in convolutions(model)] == [
        (128, 128, 64), (64, 64, 128), (32, 32, 256), (16, 16, 512),
        (8, 8, 512), (4, 4, 512)]
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512
                    + 2 * 512 * 512) + 4 * 4 * 512
    norms = 4 * (128 + 256 + 3 * 512)
    assert model.count_params() == kernels + norms + 64 + 1 == 11_160_129


def test_the_dcgan_s_dense_layer_begins_as_its_convolutions_do():
    keras.utils.set_random_seed(0)
    model = dcgan.build_dcgan(
        image_size=64, condition_channels=1, target_channels=2,
        base_filters=16)
    kernel = model.get_layer("logits").kernel.numpy()
    assert kernel.shape == (4 * 4 * 128, 1)
    assert kernel.std() == pytest.approx(0.02, rel=0.1)


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
