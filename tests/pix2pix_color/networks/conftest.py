"""Fixtures that the tests of networks share."""

from collections.abc import Callable

import keras
import numpy as np
import pytest


@pytest.fixture(scope="session")
def randomize_weights() -> Callable[[keras.Model], None]:
    """A function that draws all of a model's weights anew, always the same.

    The initialization's 0.02 leaves the outputs near zero and the moving
    statistics at 0 and 1, where much that is wrong goes unseen. These draws
    keep every layer's outputs near unit scale.
    """
    def randomize(model):
        rng = np.random.default_rng(0)
        for layer in model.layers:
            if isinstance(layer, (keras.layers.Conv2D,
                                  keras.layers.Conv2DTranspose)):
                # Of a strided transposed convolution's 4x4 taps each output
                # pixel is given 2x2; elsewhere all count.
                transposed = isinstance(layer, keras.layers.Conv2DTranspose)
                taps, inputs_axis = (4, 3) if transposed else (16, 2)
                shape = layer.kernel.shape
                deviation = (taps * shape[inputs_axis])**-0.5
                layer.kernel.assign(rng.normal(0.0, deviation, shape))
                if layer.use_bias:
                    layer.bias.assign(rng.normal(0.0, 0.2, layer.bias.shape))
            elif isinstance(layer, keras.layers.Dense):
                shape = layer.kernel.shape
                layer.kernel.assign(rng.normal(0.0, shape[0]**-0.5, shape))
            elif hasattr(layer, "gamma"):
                shape = layer.gamma.shape
                layer.gamma.assign(rng.uniform(0.8, 1.5, shape))
                layer.beta.assign(rng.normal(0.0, 0.2, shape))
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.moving_mean.assign(rng.normal(0.0, 0.2, shape))
                layer.moving_variance.assign(rng.uniform(0.3, 1.0, shape))

    return randomize
