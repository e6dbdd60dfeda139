"""Convolutions by matrix multiplication against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.fast_keras import convolution
from pix2pix_color.fast_keras.convolution import (Convolution,
                                                  LogitsConvolution,
                                                  TransposedConvolution)

# Sides of the small map on both sides of every limit between two forms, and
# maps that are not square.
SIDES = [(1, 1), (2, 4), (4, 4), (8, 6), (16, 16), (18, 17), (32, 32),
         (34, 33)]


@pytest.fixture(autouse=True, params=[(16, 32), (8, 8)], ids=["any", "amx"])
def limits(request, monkeypatch):
    """Those of both kinds of CPU, whichever this one is."""
    for name, limit in zip(("PATCHES", "SHIFTS"), request.param):
        monkeypatch.setattr(
            convolution, f"_MAX_SIDE_OF_{name}", limit)


def outputs_and_gradients(kind, shape, *, filters, dtype, **options):
    """A layer's output, and gradients by its input, kernel and bias.

    Input and variables are numbers that bfloat16 has.
    """
    keras.utils.set_random_seed(1)
    layer = kind(filters, 4, bias_initializer="normal", dtype=dtype, **options)
    inputs = rounded(tf.random.stateless_normal([2, *shape], [0, 1]))

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.cast(layer(inputs), tf.float32)
            loss = tf.reduce_mean(outputs**3)
        return [outputs, *tape.gradient(
            loss, [inputs, *layer.trainable_variables])]

    layer.build([None, *shape])
    layer.set_weights([rounded(weights) for weights in layer.get_weights()])
    return [tensor.numpy() for tensor in run()]


def rounded(values):
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float32)


def largest_errors(ones, others):
    """Largest differences, as shares of each of the others' largest value."""
    assert len(ones) == len(others) == 4
    for one, other in zip(ones, others):
        assert one.shape == other.shape
        assert np.abs(other).max() > 0
        yield np.abs(one - other).max() / np.abs(other).max()


def require_equal(ours, theirs):
    assert max(largest_errors(ours, theirs)) < 2e-6


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("height, width", SIDES)
def test_a_convolution_is_that_of_keras(height, width, dtype):
    def of(kind, dtype):
        return outputs_and_gradients(
            kind, (2 * height, 2 * width, 6), filters=7, dtype=dtype,
            strides=2, padding="same")

    ours = of(Convolution, dtype)
    exact = of(keras.layers.Conv2D, "float32")
    if dtype == "float32":
        require_equal(ours, exact)
        return
    # CPUs without bfloat16 add it up coarsely, Keras's convolutions as well.
    theirs = of(keras.layers.Conv2D, dtype)
    for our_error, their_error in zip(largest_errors(ours, exact),
                                      largest_errors(theirs, exact)):
        assert our_error < max(2e-2, 1.1 * their_error)


def test_only_what_is_traced_within_is_without_gradients():
    layer = Convolution(2, 4, strides=2, padding="same")
    inputs = tf.random.stateless_normal([1, 4, 4, 3], [0, 1])

    def custom_gradients():
        graph = tf.function(layer, autograph=False).get_concrete_function(
            tf.TensorSpec([1, 4, 4, 3])).graph
        return [op for op in graph.get_operations() if op.type == "IdentityN"]

    expected = layer(inputs)
    with convolution.without_gradients():
        assert not custom_gradients()
        np.testing.assert_array_equal(layer(inputs), expected)
    assert custom_gradients()


@pytest.mark.parametrize("filters", [2, 6])
@pytest.mark.parametrize("height, width", SIDES)
def test_a_transposed_convolution_is_that_of_keras(height, width, filters):
    def of(kind):
        return outputs_and_gradients(
            kind, (height, width, 5), filters=filters, dtype="float32",
            strides=2, padding="same")

    require_equal(of(TransposedConvolution), of(keras.layers.Conv2DTranspose))


@pytest.mark.parametrize("height, width", [(4, 4), (5, 7), (33, 33)])
def test_logits_are_those_of_keras(height, width):
    def of(kind):
        return outputs_and_gradients(
            kind, (height, width, 5), filters=1, dtype="float32")

    require_equal(of(LogitsConvolution), of(keras.layers.Conv2D))
