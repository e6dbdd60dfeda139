"""The generator as functions of a graph: a photograph's chroma in any size.

Each function is traced once and called from wherever it is needed: a loaded
graph, of thousands of operations, takes as much memory as the weights do.
"""

import contextlib
import functools
from typing import Any, Iterator, Optional

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.fast_keras import convolution
from pix2pix_color.saved_model import chroma

# What a photograph's chroma is a function of; without noise the seed is idle.
FIELD_INPUTS = (tf.TensorSpec([None, None, 3], tf.uint8, name="rgb"),
                tf.TensorSpec([], tf.int32, name="chroma_size"),
                tf.TensorSpec([], tf.int64, name="seed"))


class Seed:
    """What the generator's noise follows from, at inference.

    Attributes:
      value: int64 [], set while a function is traced.
    """

    def __init__(self) -> None:
        self.value: Optional[tf.Tensor] = None

    def __call__(self) -> tf.Tensor:
        """The seed, as networks ask for their step."""
        return tf.zeros([], tf.int64) if self.value is None else self.value


class Prediction:
    """What a generator predicts, as concrete functions.

    No trackable object: a module that held the Keras model would save the
    model's own functions beside these.

    Each is traced when it is first asked for.

    Attributes:
      has_noise: whether the generator has noise that a seed determines.
      image_size: side of its square, pixels.
      weights: its variables.

    Args:
      generator: condition -> target. Layers with an attribute `sampling` that
        is true draw noise.
      color_space: what the generator was trained in.
      seed: the step that the generator was built with; None without noise.
    """

    def __init__(self, generator: keras.Model, *,
                 color_space: color.ColorSpace,
                 seed: Optional[Seed] = None) -> None:
        convolution.set_way(generator, convolution.INFERENCE)
        self._generator, self._seed = generator, seed
        self._color_space = color_space
        self._noisy_layers = [layer for layer in generator.layers
                              if getattr(layer, "sampling", False)]
        self.has_noise = seed is not None and bool(self._noisy_layers)
        self.image_size = generator.input_shape[1]
        self.weights = [variable.value for variable in generator.variables]

    @functools.cached_property
    def target(self) -> Any:
        """Condition and an idle seed -> target, without noise."""
        return self._generate(self.image_size)

    @functools.cached_property
    def field(self) -> Any:
        """FIELD_INPUTS -> slope and intercept, of the generator's own size."""
        return self._field(self.target, size=self.image_size)

    @functools.cached_property
    def field_of_size(self) -> Any:
        """The same for any chroma_size, a multiple of the generator's own."""
        return self._field(self._generate(None))

    @functools.cached_property
    def noisy_field(self) -> Any:
        """As field, with noise; field itself where there is none."""
        return self._field(
            self._generate(self.image_size, sampling=True),
            size=self.image_size) if self.has_noise else self.field

    @functools.cached_property
    def noisy_field_of_size(self) -> Any:
        """As field_of_size, with noise; itself where there is none."""
        return (self._field(self._generate(None, sampling=True))
                if self.has_noise else self.field_of_size)

    @functools.cached_property
    def field_of_any_size(self) -> Any:
        """FIELD_INPUTS and sampling, bool [] -> slope and intercept."""
        def field_of_any_size(rgb, chroma_size, seed, sampling):
            # Of its own size the generator is quicker.
            is_own = tf.equal(chroma_size, self.image_size)

            def either(own, other):
                return tf.cond(is_own, lambda: own(rgb, chroma_size, seed),
                               lambda: other(rgb, chroma_size, seed))

            return tf.cond(
                sampling,
                lambda: either(self.noisy_field, self.noisy_field_of_size),
                lambda: either(self.field, self.field_of_size))

        # Traced before, or they would belong to the graph that needs them.
        _ = (self.field, self.field_of_size, self.noisy_field,
             self.noisy_field_of_size)
        return tf.function(
            field_of_any_size, autograph=False).get_concrete_function(
                *FIELD_INPUTS, tf.TensorSpec([], tf.bool, name="sampling"))

    def _generate(self, side: Optional[int], *, sampling: bool = False) -> Any:
        """The generator as a function of condition and seed, for squares of
        this side, or None for any."""
        @tf.function(autograph=False, input_signature=[
            tf.TensorSpec([None, side, side, self._generator.input_shape[-1]],
                          tf.float32),
            tf.TensorSpec([], tf.int64)])
        def generate(condition, seed):
            with self._noise(seed if sampling else None):
                # Not through __call__, which insists on S x S: convolutions
                # take larger squares just as well.
                return self._generator.call(condition, training=False)

        return generate.get_concrete_function()

    def _field(self, generate: Any, *, size: Optional[int] = None) -> Any:
        """What chroma a generate function gives, in this size, or in the one
        that is asked for."""
        @tf.function(autograph=False, input_signature=FIELD_INPUTS)
        def field(rgb, chroma_size, seed):
            return tuple(chroma.predict_field(
                rgb, predict=lambda condition: generate(condition, seed),
                size=size or chroma_size, color_space=self._color_space))

        return field.get_concrete_function()

    @contextlib.contextmanager
    def _noise(self, seed: Optional[tf.Tensor]) -> Iterator[None]:
        """What is traced inside draws noise from a seed, or, of None, none."""
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
