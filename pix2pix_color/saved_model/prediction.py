"""The generator as TensorFlow functions that predict a photograph's chroma.

Each function is traced once and shared by its callers: a loaded graph has
thousands of operations and takes as much memory as the weights.
"""

import contextlib
import functools
from typing import Any, Iterator, Optional

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.fast_keras import convolution
from pix2pix_color.saved_model import chroma

# The inputs of every function that predicts a field. The seed has no effect
# without noise.
FIELD_INPUTS = (tf.TensorSpec([None, None, 3], tf.uint8, name="rgb"),
                tf.TensorSpec([], tf.int32, name="chroma_size"),
                tf.TensorSpec([], tf.int64, name="seed"))


class Seed:
    """The seed of the generator's noise at inference.

    Attributes:
      value: int64 []; set only while a function is traced.
    """

    def __init__(self) -> None:
        self.value: Optional[tf.Tensor] = None

    def __call__(self) -> tf.Tensor:
        """Returns the seed; networks call this as their step."""
        return tf.zeros([], tf.int64) if self.value is None else self.value


class Prediction:
    """A generator's predictions as concrete functions, traced on first use.

    Not a tf.Module: a module that held the Keras model would also save the
    model's own functions.

    Attributes:
      has_noise: whether a seed changes the predictions.
      image_size: side of its square, pixels.
      weights: its variables.

    Args:
      generator: condition -> target. Layers whose attribute `sampling` is
        true draw noise.
      color_space: the generator's.
      seed: the step that the generator was built with; None without noise.
    """

    def __init__(self, generator: keras.Model, *,
                 color_space: color.ColorSpace,
                 seed: Optional[Seed] = None) -> None:
        self._generator, self._seed = generator, seed
        self._color_space = color_space
        self._noisy_layers = [layer for layer in generator.layers
                              if getattr(layer, "sampling", False)]
        self.has_noise = seed is not None and bool(self._noisy_layers)
        self.image_size = generator.input_shape[1]
        self.weights = [variable.value for variable in generator.variables]

    @functools.cached_property
    def target(self) -> Any:
        """Maps condition and an unused seed to the target without noise."""
        return self._generate(self.image_size)

    @functools.cached_property
    def field(self) -> Any:
        """Maps FIELD_INPUTS to slope and intercept at the generator's size."""
        return self._field(self.target, size=self.image_size)

    @functools.cached_property
    def field_of_size(self) -> Any:
        """Does the same for any chroma_size, a multiple of that size."""
        return self._field(self._generate(None))

    @functools.cached_property
    def noisy_field(self) -> Any:
        """Does the same as field, with noise if there is any."""
        return self._field(
            self._generate(self.image_size, sampling=True),
            size=self.image_size) if self.has_noise else self.field

    @functools.cached_property
    def noisy_field_of_size(self) -> Any:
        """Does the same as field_of_size, with noise if there is any."""
        return (self._field(self._generate(None, sampling=True))
                if self.has_noise else self.field_of_size)

    @functools.cached_property
    def field_of_any_size(self) -> Any:
        """Maps FIELD_INPUTS and sampling, bool [], to slope and intercept."""
        def field_of_any_size(rgb, chroma_size, seed, sampling):
            # The generator is faster where its size is known.
            is_own = tf.equal(chroma_size, self.image_size)

            def either(own, other):
                return tf.cond(is_own, lambda: own(rgb, chroma_size, seed),
                               lambda: other(rgb, chroma_size, seed))

            return tf.cond(
                sampling,
                lambda: either(self.noisy_field, self.noisy_field_of_size),
                lambda: either(self.field, self.field_of_size))

        # Traced beforehand, or they would become part of this graph.
        _ = (self.field, self.field_of_size, self.noisy_field,
             self.noisy_field_of_size)
        return tf.function(
            field_of_any_size, autograph=False).get_concrete_function(
                *FIELD_INPUTS, tf.TensorSpec([], tf.bool, name="sampling"))

    def _generate(self, side: Optional[int], *, sampling: bool = False) -> Any:
        """Traces the generator for squares of one side, or of any (None)."""
        @tf.function(autograph=False, input_signature=[
            tf.TensorSpec([None, side, side, self._generator.input_shape[-1]],
                          tf.float32),
            tf.TensorSpec([], tf.int64)])
        def generate(condition, seed):
            with (self._noise(seed if sampling else None),
                  convolution.without_gradients()):
                # __call__ would insist on S x S; the layers take any size.
                return self._generator.call(condition, training=False)

        return generate.get_concrete_function()

    def _field(self, generate: Any, *, size: Optional[int] = None) -> Any:
        """Traces the prediction of fields, of one size or of chroma_size."""
        @tf.function(autograph=False, input_signature=FIELD_INPUTS)
        def field(rgb, chroma_size, seed):
            return tuple(chroma.predict_field(
                rgb, predict=lambda condition: generate(condition, seed),
                size=size or chroma_size, color_space=self._color_space))

        return field.get_concrete_function()

    @contextlib.contextmanager
    def _noise(self, seed: Optional[tf.Tensor]) -> Iterator[None]:
        """Makes what is traced inside draw noise from a seed; None: none."""
        for layer in self._noisy_layers:
            layer.sampling = seed is not None
        if self._seed is not None:
            self._seed.value = seed
        try:
            yield
        finally:
            for layer in self._noisy_layers:
                layer.sampling = True
            if self._seed is not None:
                self._seed.value = None
