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


@pytest.mark.parametrize("height, width", SIDES[:6])
@pytest.mark.parametrize("patches, shifts", [(0, 0), (0, 99), (99, 99)])
def test_all_ways_to_the_kernel_s_gradient_agree(
        height, width, patches, shifts):
    rng = np.random.default_rng(0)
    large, small, kernel = (
        tf.constant(rng.normal(size=shape), tf.float32) for shape in (
            (2, 2 * height, 2 * width, 6), (2, height, width, 7), (4, 4, 6, 7)))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        product = tf.nn.conv2d(large, kernel, 2, "SAME") * small
    np.testing.assert_allclose(
        convolution.kernel_gradient(
            large, small, kernel, max_side_of_patches=patches,
            max_side_of_shifts=shifts),
        tape.gradient(product, kernel), atol=2e-3)


@pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
def test_no_gradient_is_defined_for_inference(kind):
    x = keras.Input((4, 4, 3))
    network = keras.Model(x, kind(2, 4, strides=2, padding="same")(x))

    def op_types():
        graph = tf.function(network, autograph=False).get_concrete_function(
            tf.TensorSpec([1, 4, 4, 3])).graph
        return {op.type for op in graph.get_operations()}

    inputs = tf.random.stateless_normal([1, 4, 4, 3], [0, 1])
    expected = network(inputs)
    # tf.custom_gradient leaves an IdentityN.
    assert {"IdentityN", "MatMul"} <= op_types()
    convolution.set_way(network, convolution.INFERENCE)
    assert "IdentityN" not in op_types() and "MatMul" in op_types()
    np.testing.assert_array_equal(network(inputs), expected)
    convolution.set_way(network, convolution.KERAS)
    assert "MatMul" not in op_types()
    np.testing.assert_allclose(network(inputs), expected, atol=1e-6)


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
