"""Dropout and noise channels, whose noise depends on seed and step alone."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.networks import layers


def make_dropout(rate=0.5, *, seed=3, step=5, **options):
    step = tf.constant(step, tf.int64)
    return layers.Dropout(rate, seed=seed, step=lambda: step, name="dropout",
                          **(dict(dtype="float32") | options))


def noise(dropout, shape=(2, 8, 8, 4), **options):
    """Returns the output for ones."""
    return dropout(tf.ones(shape, dropout.compute_dtype), **options).numpy()


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_rate_is_dropped_and_the_rest_is_scaled(rate):
    output = noise(make_dropout(rate), (4, 32, 32, 16), training=True)
    dropped = output == 0
    deviation = (rate * (1 - rate) / output.size)**0.5
    assert dropped.mean() == pytest.approx(rate, abs=4 * deviation)
    np.testing.assert_allclose(output[~dropped], 1 / (1 - rate), rtol=1e-6)
    assert output.mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("options", [{}, {"training": False}])
def test_only_sampling_drops_at_inference_as_training_does(options):
    in_training = noise(make_dropout(), training=True)
    np.testing.assert_array_equal(
        noise(make_dropout(sampling=True), **options), in_training)
    np.testing.assert_array_equal(noise(make_dropout(), **options), 1)


def test_what_is_kept_keeps_its_place_and_sign():
    inputs = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("f4")
    output = make_dropout()(inputs, training=True).numpy()
    kept = output != 0
    np.testing.assert_allclose(output[kept], 2 * inputs[kept], rtol=1e-6)


def test_no_two_pictures_pixels_or_channels_lose_the_same():
    output = noise(make_dropout(), (2, 32, 32, 32), training=True)
    for axis in (0, 1, 2, 3):
        one, other = np.take(output, 0, axis), np.take(output, 1, axis)
        assert np.mean(one != other) == pytest.approx(0.5, abs=0.1)


def test_seed_and_step_determine_the_noise():
    first = noise(make_dropout(seed=3, step=5), training=True)
    np.testing.assert_array_equal(
        first, noise(make_dropout(seed=3, step=5), training=True))
    for other in (make_dropout(seed=4, step=5), make_dropout(seed=3, step=6),
                  make_dropout(seed=5, step=3)):
        share = np.mean(first != noise(other, training=True))
        assert share == pytest.approx(0.5, abs=0.15)


def test_a_compiled_step_draws_new_noise_each_time():
    step = tf.Variable(0, dtype=tf.int64)
    dropout = layers.Dropout(0.5, seed=3, step=step.value, dtype="float32",
                             name="dropout")
    compiled = tf.function(lambda: dropout(tf.ones([2, 8, 8, 4]),
                                           training=True))
    for number in range(3):
        np.testing.assert_array_equal(
            compiled(), noise(make_dropout(step=number), training=True))
        step.assign_add(1)


def make_noise_channels(*, seed=3, step=5, **options):
    step = tf.constant(step, tf.int64)
    return layers.NoiseChannels(
        2, seed=seed, step=lambda: step, name="noise",
        **(dict(dtype="float32") | options))


def drawn(layer, shape=(4, 32, 32, 1), training=True):
    """Returns the channels that are appended to zeros."""
    output = layer(tf.zeros(shape, layer.compute_dtype), training=training)
    assert not np.any(output[..., :shape[-1]])
    return output[..., shape[-1]:].numpy()


def test_noise_channels_are_independent_and_normal():
    both = drawn(make_noise_channels())
    assert both.shape == (4, 32, 32, 2)
    assert both.mean() == pytest.approx(0.0, abs=4 / both.size**0.5)
    assert both.std() == pytest.approx(1.0, abs=4 / (2 * both.size)**0.5)
    assert np.mean(np.abs(both) > 2) == pytest.approx(0.0455, abs=0.01)
    for axis in (0, 1, 2, 3):
        one, other = (np.take(both, index, axis).ravel() for index in (0, 1))
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / one.size**0.5


def test_noise_channels_follow_from_seed_and_step():
    first = drawn(make_noise_channels())
    np.testing.assert_array_equal(first, drawn(make_noise_channels()))
    for other in (make_noise_channels(seed=4), make_noise_channels(step=6)):
        correlation = np.corrcoef(first.ravel(), drawn(other).ravel())[0, 1]
        assert abs(correlation) < 0.05


def test_noise_channels_are_zero_at_inference_unless_sampling():
    assert not np.any(drawn(make_noise_channels(), training=False))
    np.testing.assert_array_equal(
        drawn(make_noise_channels(sampling=True), training=False),
        drawn(make_noise_channels()))


def test_noise_channels_leave_the_inputs_and_their_precision_as_they_are():
    layer = make_noise_channels(dtype="mixed_bfloat16")
    inputs = tf.cast(tf.random.stateless_normal([2, 4, 4, 3], [0, 0]),
                     tf.bfloat16)
    output = layer(inputs, training=True)
    assert output.dtype == tf.bfloat16 and layer.variables == []
    np.testing.assert_array_equal(output[..., :3], inputs)


def test_half_precision_drops_the_same():
    dropout = make_dropout()
    full = noise(dropout, training=True)
    assert dropout.variables == []  # nothing to save
    half = make_dropout(dtype="mixed_bfloat16")(
        tf.ones([2, 8, 8, 4]), training=True)
    assert half.dtype == tf.bfloat16
    np.testing.assert_array_equal(tf.cast(half, tf.float32), full)


def test_the_noise_of_two_devices_is_that_of_one(on_two_devices):
    rows = json.loads(on_two_devices("""
import json
from pix2pix_color.networks import layers
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
step = lambda: tf.constant(5, tf.int64)
with strategy.scope():
    dropout = layers.Dropout(0.5, seed=3, step=step, dtype="float32",
                             name="dropout")
    channels = layers.NoiseChannels(2, seed=3, step=step, dtype="float32",
                                    name="noise")

@tf.function
def run():
    return strategy.run(lambda: channels(
        dropout(tf.ones([3, 8, 8, 4]), training=True), training=True))

rows = strategy.experimental_local_results(run())
print(json.dumps([row.numpy().tolist() for row in rows]))
"""))
    assert len(rows) == 2
    both = np.concatenate(rows)
    np.testing.assert_array_equal(
        both[..., :4], noise(make_dropout(), (6, 8, 8, 4), training=True))
    np.testing.assert_array_equal(
        both[..., 4:], drawn(make_noise_channels(), (6, 8, 8, 1)))


@pytest.mark.parametrize("shape", [(2, 5, 7, 2), (1, 1, 3, 3), (1, 2, 1, 1)])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_bilinear_doubling_is_tensorflow_s_resizing(shape, jit_compile):
    x = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    double = tf.function(layers.BilinearDoubling(dtype="float32"),
                         jit_compile=jit_compile)
    _, height, width, _ = shape
    expected = tf.image.resize(x, [2 * height, 2 * width])
    np.testing.assert_allclose(double(x), expected, atol=1e-6)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = tf.reduce_sum(tf.square(double(x)))
        theirs = tf.reduce_sum(tf.square(tf.image.resize(
            x, [2 * height, 2 * width])))
    np.testing.assert_allclose(tape.gradient(ours, x),
                               tape.gradient(theirs, x), rtol=1e-4, atol=1e-5)


def test_bilinear_doubling_knows_its_shape():
    symbolic = layers.BilinearDoubling(dtype="float32")(
        keras.Input((None, 8, 2)))
    assert symbolic.shape == (None, None, 16, 2)
