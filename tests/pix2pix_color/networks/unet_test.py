"""The U-Net's layers, sizes and behavior; its arithmetic is parity_test's."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras.instance_norm import InstanceNormalization
from pix2pix_color.networks import layers, unet

EVERY_SIZE = pytest.mark.parametrize("image_size", [32, 64, 128, 256, 512])

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


def random_condition(batch, image_size=32):
    rng = np.random.default_rng(3)
    return tf.constant(
        rng.uniform(-1.0, 1.0, (batch, image_size, image_size, 1)), tf.float32)


def layers_of(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def convolutions(model):
    return layers_of(model, keras.layers.Conv2D, keras.layers.Conv2DTranspose)


def names(some_layers):
    return {layer.name for layer in some_layers}


@pytest.fixture(scope="module")
def paper_unet():
    return build(256, 64)


def test_the_paper_s_layers_have_the_documented_widths_and_sizes(paper_unet):
    outputs = {layer.name: tuple(layer.output.shape[1:])
               for layer in convolutions(paper_unet)}
    assert outputs == PAPER_OUTPUTS


def test_the_paper_s_network_has_54_4_million_parameters(paper_unet):
    kernels = sum(4 * 4 * given * made
                  for given, made in PAPER_ENCODER + PAPER_DECODER)
    biases = 64 + 512 + 2  # the first, the innermost and the last layer
    normed = [made for _, made in PAPER_ENCODER[1:-1] + PAPER_DECODER[:-1]]
    norms = 4 * sum(normed)  # scale, offset, moving mean and variance
    assert paper_unet.count_params() == kernels + biases + norms == 54_420_290


def test_a_skip_joins_encoder_and_decoder_at_each_level(paper_unet):
    for level in range(7):
        height, width, channels = PAPER_OUTPUTS[f"encoder{level}"]
        joined = paper_unet.get_layer(f"decoder{level}_join").output
        assert tuple(joined.shape[1:]) == (height, width, 2 * channels)


@EVERY_SIZE
def test_the_depth_follows_the_size_down_to_one_pixel(image_size):
    model = build(image_size, 1)
    depth = {32: 5, 64: 6, 128: 7, 256: 8, 512: 9}[image_size]
    assert names(convolutions(model)) == (
        {f"encoder{level}" for level in range(depth)}
        | {f"decoder{level}" for level in range(depth - 1)} | {"output"})
    innermost = model.get_layer(f"encoder{depth - 1}")
    assert tuple(innermost.output.shape) == (None, 1, 1, 8)
    assert tuple(model.output.shape) == (None, image_size, image_size, 2)


@EVERY_SIZE
def test_all_but_first_innermost_and_last_have_norm_and_no_bias(image_size):
    model = build(image_size, 1)
    depth = image_size.bit_length() - 1
    without_norm = {"encoder0", f"encoder{depth - 1}", "output"}
    with_bias = {layer.name for layer in convolutions(model) if layer.use_bias}
    assert with_bias == without_norm
    normed = {name.removesuffix("_norm") for name in
              names(layers_of(model, keras.layers.BatchNormalization))}
    assert normed == names(convolutions(model)) - without_norm


@pytest.mark.parametrize("image_size, dropped_sizes", [
    (32, [2]), (64, [2, 4]), (128, [2, 4, 8]), (256, [2, 4, 8]),
    (512, [2, 4, 8])])
def test_dropout_is_on_the_innermost_layers_of_full_width(
        image_size, dropped_sizes):
    dropouts = layers_of(build(image_size, 1), layers.Dropout)
    assert [layer.rate for layer in dropouts] == [0.5] * len(dropped_sizes)
    assert sorted(tuple(layer.output.shape[1:]) for layer in dropouts) == [
        (size, size, 8) for size in dropped_sizes]


def test_dropout_follows_the_norm_of_its_layer():
    model = build(128, 1)
    for level in (5, 4, 3):
        norm = model.get_layer(f"decoder{level}_norm")
        assert model.get_layer(f"decoder{level}_dropout").input is norm.output


def test_dropout_has_the_given_rate():
    dropouts = layers_of(build(128, 1, dropout=0.25), layers.Dropout)
    assert [layer.rate for layer in dropouts] == [0.25, 0.25, 0.25]


def test_a_dropout_of_zero_leaves_it_out():
    assert not layers_of(build(128, 1, dropout=0.0), layers.Dropout)


@pytest.mark.parametrize("condition_channels, target_channels",
                         [(1, 2), (1, 3), (3, 3)])
def test_channels_are_those_of_the_color_space(
        condition_channels, target_channels):
    model = unet.build_unet(
        image_size=32, condition_channels=condition_channels,
        target_channels=target_channels, base_filters=1)
    target = model(tf.zeros([3, 32, 32, condition_channels]))
    assert tuple(target.shape) == (3, 32, 32, target_channels)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_target_is_float32_in_minus_one_to_one(dtype, randomize_weights):
    model = build(dtype=dtype)
    randomize_weights(model)
    output = model.get_layer("output")
    output.kernel.assign(10.0 * output.kernel)  # far into tanh's flat ends
    target = model(random_condition(2))
    assert target.dtype == tf.float32
    assert 0.99 < np.max(target) <= 1.0
    assert -1.0 <= np.min(target) < -0.99


def test_mixed_bfloat16_computes_in_it_and_keeps_float32_weights(
        randomize_weights):
    mixed, full = build(dtype="mixed_bfloat16"), build()
    for model in (mixed, full):
        randomize_weights(model)
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    in_float32 = {layer.name for layer in mixed.layers
                  if layer.compute_dtype == "float32"}
    assert in_float32 == {"condition", "output", "target"}
    condition = random_condition(2)
    difference = np.abs(mixed(condition) - full(condition))
    assert 1e-6 < difference.max() < 0.1


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


def test_two_layers_of_one_shape_begin_with_different_weights():
    model = build(64, 1)
    kernel, other = (model.get_layer(name).kernel.numpy()
                     for name in ("encoder4", "encoder5"))
    assert np.abs(kernel - other).max() > 0.01


def test_initial_norms_scale_by_one_with_deviation_0_02():
    keras.utils.set_random_seed(0)
    norms = layers_of(build(64, 16), keras.layers.BatchNormalization)
    scales = np.concatenate([layer.gamma.numpy() for layer in norms])
    assert scales.mean() == pytest.approx(1.0, abs=0.004)
    assert scales.std() == pytest.approx(0.02, abs=0.003)
    assert not any(np.any(layer.beta) for layer in norms)


@pytest.mark.parametrize("image_size", [250, 16, 1024])
def test_other_sizes_are_refused(image_size):
    with pytest.raises(
            ValueError, match=f"image_size={image_size} must be a power of "
                              f"two from 32 to 512"):
        build(image_size)


def test_inference_gives_the_same_every_time(randomize_weights):
    model = build(64)
    randomize_weights(model)
    condition = random_condition(2, 64)
    first = model(condition).numpy()
    np.testing.assert_array_equal(model(condition), first)
    np.testing.assert_array_equal(model(condition, training=False), first)


def test_inference_does_not_depend_on_the_rest_of_the_batch(
        randomize_weights):
    model = build(64)
    randomize_weights(model)
    conditions = random_condition(3, 64)
    together = model(conditions)
    assert np.std(together) > 0.1
    for index in range(3):
        alone = model(conditions[index:index + 1])[0]
        np.testing.assert_allclose(alone, together[index], rtol=0, atol=1e-5)


def test_dropout_makes_every_step_differ_and_none_twice(randomize_weights):
    step = tf.Variable(0, dtype=tf.int64)
    model = build(64, step=step.value)
    randomize_weights(model)
    condition = random_condition(2, 64)
    first, again = (model(condition, training=True) for _ in range(2))
    np.testing.assert_allclose(first, again, rtol=0, atol=1e-5)
    step.assign_add(1)
    second = model(condition, training=True)
    assert np.abs(first - second).max() > 0.05


def test_dropout_follows_the_seed(randomize_weights):
    first, again, other = (build(64, dropout_seed=seed) for seed in (3, 3, 4))
    condition = random_condition(2, 64)
    for model in (first, again, other):
        randomize_weights(model)
    target = first(condition, training=True)
    np.testing.assert_allclose(
        target, again(condition, training=True), rtol=0, atol=1e-5)
    assert np.abs(target - other(condition, training=True)).max() > 0.05


def test_no_two_layers_of_dropout_share_their_noise():
    ones = tf.ones([4, 8, 8, 8])
    noises = [layer(ones, training=True).numpy() for seed in range(3)
              for layer in layers_of(build(128, 1, dropout_seed=seed),
                                     layers.Dropout)]
    assert len({noise.tobytes() for noise in noises}) == len(noises) == 9


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


def test_every_norm_of_the_network_is_asked_for_in_the_same_way(monkeypatch):
    asked = []

    def noted(**options):
        asked.append(options["synchronized"])
        return layers.batch_norm(**options)

    monkeypatch.setitem(layers.NORMS, "batch", noted)
    build(64, 1, synchronized_norm=True)
    assert asked == [True] * 9


@pytest.mark.parametrize("image_size", [32, 64])
def test_instance_norm_takes_the_place_of_batch_norm(image_size):
    model = build(image_size, 1, norm="instance")
    batch = build(image_size, 1)
    norms = layers_of(model, InstanceNormalization)
    assert names(norms) == names(
        layers_of(batch, keras.layers.BatchNormalization))
    assert not layers_of(model, keras.layers.BatchNormalization)
    # Down to 2 x 2 on both ways, never the single pixel.
    assert min(norm.output.shape[1] for norm in norms) == 2
    assert model.get_layer("decoder1_norm").epsilon == 1e-5
    assert ({layer.name for layer in convolutions(model) if layer.use_bias}
            == {layer.name for layer in convolutions(batch) if layer.use_bias})


def test_scales_of_instance_norm_begin_around_one_with_deviation_0_02():
    keras.utils.set_random_seed(0)
    norms = layers_of(build(64, 16, norm="instance"), InstanceNormalization)
    scales = np.concatenate([layer.gamma.numpy() for layer in norms])
    assert scales.mean() == pytest.approx(1.0, abs=0.004)
    assert scales.std() == pytest.approx(0.02, abs=0.003)
    assert not any(np.any(layer.beta) for layer in norms)


def test_with_instance_norm_training_does_not_depend_on_the_batch():
    """Nor does inference differ from it: there are no averages."""
    model = build(32, 2, norm="instance", dropout=0.0)
    conditions = random_condition(3)
    together = model(conditions, training=True)
    assert np.std(together) > 1e-3
    np.testing.assert_allclose(model(conditions), together, atol=1e-6)
    np.testing.assert_allclose(
        model(conditions[1:2], training=True)[0], together[1], atol=1e-5)


def test_without_norm_every_layer_has_a_bias():
    model = build(32, 1, norm="none")
    assert not layers_of(model, keras.layers.BatchNormalization,
                         InstanceNormalization)
    assert all(layer.use_bias for layer in convolutions(model))


def test_each_upsampling_reaches_every_layer_of_the_decoder():
    decoder = {"decoder0", "decoder1", "decoder2", "decoder3", "output"}
    ways = {
        "transposed": (keras.layers.Conv2DTranspose, ""),
        "resize": (keras.layers.UpSampling2D, "_resize"),
        "pixel_shuffle": (layers.PixelShuffle, "_shuffle")}
    for way, (kind, ending) in ways.items():
        model = build(32, 1, upsampling=way)
        assert names(layers_of(model, kind)) == {
            f"{name}{ending}" for name in decoder}
        assert model.get_layer("output").compute_dtype == "float32"


def test_noise_channels_matter_in_training_and_follow_the_step(
        randomize_weights):
    step = tf.Variable(0, dtype=tf.int64)
    model = build(32, 4, noise_channels=3, dropout=0.0, norm="instance",
                  step=step.value)
    randomize_weights(model)
    assert model.get_layer("encoder0").kernel.shape == (4, 4, 4, 4)
    condition = random_condition(2)
    first, again = (model(condition, training=True) for _ in range(2))
    np.testing.assert_allclose(first, again, atol=1e-5)
    step.assign_add(1)
    assert np.abs(first - model(condition, training=True)).max() > 0.05
    # Afterwards they are zero: what the other channels of the kernel give.
    plain = build(32, 4, dropout=0.0, norm="instance")
    weights = model.get_weights()
    weights[0] = weights[0][:, :, :1]
    plain.set_weights(weights)
    np.testing.assert_allclose(model(condition), plain(condition), atol=1e-5)


def test_sampling_keeps_all_noise_on_at_inference(randomize_weights):
    step = tf.Variable(0, dtype=tf.int64)
    for options in (dict(dropout=0.5), dict(dropout=0.0, noise_channels=1)):
        model = build(32, 4, sampling=True, step=step.value, **options)
        randomize_weights(model)
        condition = random_condition(1)
        first = model(condition)
        step.assign_add(1)
        assert np.abs(first - model(condition)).max() > 0.02
        step.assign_sub(1)
        np.testing.assert_allclose(first, model(condition), atol=1e-5)


def test_without_dropout_training_passes_are_equal(randomize_weights):
    model = build(64, dropout=0.0)
    randomize_weights(model)
    condition = random_condition(2, 64)
    first, second = (model(condition, training=True) for _ in range(2))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-5)
    assert np.abs(first - model(condition)).max() > 0.05
