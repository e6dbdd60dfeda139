"""Decoders on the encoders, and the encoders' variables."""

import keras
import numpy as np
import pytest

from pix2pix_color.networks import encoder_unet, hint_layers, layers


def build(encoder="resnet18", image_size=64, base_filters=4, **options):
    return encoder_unet.build_encoder_unet(
        encoder, image_size=image_size, condition_channels=1,
        target_channels=2, base_filters=base_filters, **options)


# Of each level: size's divisor, width, and what it is joined with.
@pytest.mark.parametrize("encoder, levels, parameters", [
    ("resnet18", {4: (16, 256, 256), 3: (8, 128, 128), 2: (4, 64, 64),
                  1: (2, 64, 64), 0: (1, 32, 1)}, 19_230_626),
    ("lite2", {3: (16, 192, 120), 2: (8, 128, 48), 1: (4, 64, 24)}, 6_175_660)])
def test_the_decoder_s_layers_are_those_of_its_table(
        encoder, levels, parameters):
    model, below = build(encoder, 256, 64), 256
    for level, (divisor, width, joined) in levels.items():
        size = 256 // divisor
        doubled = width if encoder == "resnet18" else below
        for ending, channels in (("_join", doubled + joined),
                                 ("_refine_relu", width)):
            assert model.get_layer(f"decoder{level}{ending}").output.shape == (
                None, size, size, channels), (level, ending)
        below = width
    side = 256 // encoder_unet.color_scale(model)
    assert model.get_layer("output").output.shape == (None, side, side, 2)
    assert model.count_params() == parameters


@pytest.mark.parametrize("encoder", ["resnet18", "lite0"])
@pytest.mark.parametrize("image_size", [64, 96, 224])
def test_the_target_has_the_condition_s_size(encoder, image_size):
    model = build(encoder, image_size, 2)
    assert model.output.shape == (None, image_size, image_size, 2)
    assert encoder_unet.color_scale(model) == (2 if encoder == "lite0" else 1)


def test_dropout_is_on_the_two_innermost_levels():
    for encoder, names in (
            ("resnet18", ["decoder4_dropout", "decoder3_dropout"]),
            ("lite0", ["decoder3_dropout", "decoder2_dropout"])):
        assert [layer.name for layer in build(encoder).layers
                if isinstance(layer, layers.Dropout)] == names


@pytest.mark.parametrize("encoder, first, num_stages, num_variables", [
    # Kernels, scales and offsets; kernels and biases.
    ("resnet18", "encoder.conv1", 5, 20 + 2 * 20),
    ("lite0", "encoder._conv_stem", 8, 2 * (1 + 16 * 3 - 1)),
    ("lite2", "encoder._conv_stem", 8, 2 * (1 + 21 * 3 - 1))])
def test_encoder_variables_are_counted_by_stages(
        encoder, first, num_stages, num_variables):
    generator = build(encoder)
    by_stages = [
        [variable.path for variable in encoder_unet.encoder_variables(
            generator, num_stages=stages)] for stages in range(10)]
    assert by_stages[0] == []
    assert {path.rpartition("/")[0] for path in by_stages[1]
            if "bn" not in path} == {first}
    counts = [len(paths) for paths in by_stages]
    assert counts == sorted(counts)
    assert counts[num_stages - 1] < counts[num_stages] == counts[-1]
    assert counts[-1] == num_variables
    for before, after in zip(by_stages, by_stages[1:]):
        assert set(before) <= set(after)
    assert set(by_stages[-1]) == {
        variable.path for variable in generator.trainable_variables
        if variable.path.startswith("encoder.")}


def test_a_stage_begins_where_its_table_says():
    for encoder, last_of_each in (
            ("lite2", ["_conv_stem", *(f"_blocks.{block}._project_conv" for
                                       block in (0, 3, 6, 10, 14, 19, 20))]),
            ("lite0", ["_conv_stem", *(f"_blocks.{block}._project_conv" for
                                       block in (0, 2, 4, 7, 10, 14, 15))]),
            ("resnet18", ["bn1", *(f"layer{stage}.1.bn2"
                                   for stage in (1, 2, 3, 4))])):
        generator = build(encoder)
        for stages, name in enumerate(last_of_each, start=1):
            last = encoder_unet.encoder_variables(
                generator, num_stages=stages)[-1]
            assert last.path.startswith(f"encoder.{name}/"), last.path


def test_a_generator_without_an_encoder_has_no_variables_of_one():
    x = keras.Input((2, 2, 1))
    plain = keras.Model(x, keras.layers.Conv2D(1, 1)(x))
    assert encoder_unet.encoder_variables(plain) == []
    assert np.all([weight.trainable for weight in plain.weights])


@pytest.fixture(scope="module")
def hinted():
    """A generator that takes hints, with hint kernels as if trained."""
    generator = build("lite0", hints=True)
    rng = np.random.default_rng(0)
    for layer in generator.layers:
        if isinstance(layer, hint_layers.AddHints):
            layer.set_weights([rng.normal(size=layer.weights[0].shape)])
    return generator


def given(generator, hints=None):
    noise = np.random.default_rng(1).uniform(-1, 1, (1, 64, 64, 1))
    return generator(encoder_unet.inputs_of(
        generator, noise.astype(np.float32), hints)).numpy()


def test_hints_change_the_colors_and_no_hints_change_nothing(hinted):
    plain = build("lite0")
    plain.set_weights([
        weight for layer in hinted.layers
        if not isinstance(layer, (hint_layers.AddHints,
                                  hint_layers.ColorBinsHead))
        for weight in layer.get_weights()])
    without = given(hinted)
    np.testing.assert_array_equal(without, given(plain))
    hints = np.zeros((1, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(without, given(hinted, hints))
    hints[0, 20:22, 4:6] = [0.5, -0.5, 1]
    changed = np.abs(given(hinted, hints) - without)[0].max(axis=-1)
    assert changed[41, 9] > 1e-3


def test_a_coarse_hint_is_the_mean_color_of_the_hinted_pixels():
    layer = hint_layers.AddHints(3, factor=4, dtype="float32")
    x, hints = np.zeros((1, 2, 2, 3), np.float32), np.zeros((1, 8, 8, 3))
    hints[0, 0, :2] = [[0.2, -0.4, 1], [0.6, 0.0, 1]]
    layer.build(x.shape, hints.shape)
    identity = np.zeros((3, 3, 3, 3), np.float32)
    identity[1, 1] = np.eye(3)
    layer.set_weights([identity])
    expected = np.zeros_like(x)
    expected[0, 0, 0] = [8 * 0.4, 8 * -0.2, 1]  # to have unit scale
    np.testing.assert_allclose(layer(x, hints.astype(np.float32)), expected,
                               atol=1e-6)


def test_the_encoder_does_not_see_hints(hinted):
    encoded = [layer.output for layer in hinted.layers
               if layer.name.startswith(layers.ENCODER_PREFIX)]
    part = keras.Model(hinted.inputs[0], encoded)
    assert len(part.outputs) > 50
