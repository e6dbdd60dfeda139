"""The generator as TensorFlow functions that predict a photograph's chroma.

Each function is traced once and shared by its callers: a loaded graph has
thousands of operations and takes as much memory as the weights.
"""

import contextlib
import functools
import threading
from typing import Any, Callable, Iterator, Optional

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.fast_keras import convolution
from pix2pix_color.networks import encoder_unet
from pix2pix_color.saved_model import chroma, hints
from pix2pix_color.saved_model.recolor import ChromaField

_HINTS = tf.TensorSpec([None, 4], tf.float32, name="hints")
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
      takes_hints: whether it can be given a person's hints.
      offers_likely_colors: whether it has a head that predicts them.
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
        convolution.set_way(generator, convolution.INFERENCE)
        self._generator, self._seed = generator, seed
        self._color_space = color_space
        self._noisy_layers = [layer for layer in generator.layers
                              if getattr(layer, "sampling", False)]
        self.has_noise = seed is not None and bool(self._noisy_layers)
        self.takes_hints = generator.name == encoder_unet.EFFICIENTNET_UNET
        self.offers_likely_colors = encoder_unet.has_hint_inputs(generator)
        self.image_size = generator.inputs[0].shape[1]
        # Two threads that color photographs share the traced functions.
        self._lock = threading.RLock()
        self._traced: dict[Any, Any] = {}
        self.weights = [variable.value for variable in generator.variables]

    def _once(self, key: Any, trace: Callable[[], Any]) -> Any:
        """Returns what trace returned when it was first called for a key."""
        with self._lock:
            if key not in self._traced:
                self._traced[key] = trace()
            return self._traced[key]

    @property
    def target(self) -> Any:
        """Maps condition and an unused seed to the target without noise."""
        return self._generator_of(self.image_size)

    def field(self, *, any_size: bool = False,
              sampling: bool = False) -> Any:
        """Returns the function from FIELD_INPUTS to slope and intercept.

        Args:
          any_size: whether it obeys chroma_size, a multiple of the generator's
            size; otherwise it takes the generator's, which is faster.
          sampling: whether it draws noise, if there is any.
        """
        sampling &= self.has_noise
        return self._once(("field", any_size, sampling),
                          lambda: self._trace_field(any_size, sampling))

    @property
    def hinted_field(self) -> Any:
        """Maps FIELD_INPUTS and hints, float32 [K, 4], as field does."""
        return self._once("hinted_field", self._trace_hinted_field)

    @property
    def field_of_any_size(self) -> Any:
        """Maps FIELD_INPUTS and sampling, bool [], to slope and intercept."""
        return self._once("field_of_any_size", self._trace_field_of_any_size)

    def _trace_field_of_any_size(self) -> Any:
        # Traced beforehand, or they would become part of this graph.
        fields = [[self.field(any_size=any_size, sampling=sampling)
                   for any_size in (False, True)] for sampling in (False, True)]

        def field_of_any_size(rgb, chroma_size, seed, sampling):
            def either(own_size, any_size):
                return tf.cond(
                    tf.equal(chroma_size, self.image_size),
                    lambda: own_size(rgb, chroma_size, seed),
                    lambda: any_size(rgb, chroma_size, seed))

            return tf.cond(sampling, lambda: either(*fields[1]),
                           lambda: either(*fields[0]))

        return tf.function(
            field_of_any_size, autograph=False).get_concrete_function(
                *FIELD_INPUTS, tf.TensorSpec([], tf.bool, name="sampling"))

    def _generator_of(self, side: Optional[int], *,
                      sampling: bool = False) -> Any:
        """Returns the generator for squares of one side, or of any (None)."""
        return self._once(("generator", side, sampling),
                          lambda: self._trace_generator(side, sampling))

    def _trace_generator(self, side: Optional[int], sampling: bool) -> Any:
        channels = self._generator.inputs[0].shape[-1]

        @tf.function(autograph=False, input_signature=[
            tf.TensorSpec([None, side, side, channels], tf.float32),
            tf.TensorSpec([], tf.int64)])
        def generate(condition, seed):
            with self._noise(seed if sampling else None):
                # Not through __call__, which insists on S x S: convolutions
                # take larger squares just as well.
                return self._generator.call(encoder_unet.inputs_of(
                    self._generator, condition), training=False)

        return generate.get_concrete_function()

    def _trace_field(self, any_size: bool, sampling: bool) -> Any:
        generate = self._generator_of(None if any_size else self.image_size,
                                      sampling=sampling)

        @tf.function(autograph=False, input_signature=FIELD_INPUTS)
        def field(rgb, chroma_size, seed):
            return tuple(chroma.predict_field(
                rgb, predict=lambda condition: generate(condition, seed),
                size=chroma_size if any_size else self.image_size,
                color_space=self._color_space))

        return field.get_concrete_function()

    def _trace_hinted_field(self) -> Any:
        plain = self.field()

        @tf.function(autograph=False, input_signature=(*FIELD_INPUTS, _HINTS))
        def hinted_field(rgb, chroma_size, seed, given):
            field = ChromaField(*plain(rgb, chroma_size, seed))
            return tf.cond(
                tf.reduce_any(hints.is_hint(given)),
                lambda: tuple(hints.add_hints(field, given, rgb)),
                lambda: tuple(field))

        return hinted_field.get_concrete_function()

    @property
    def likely_colors(self) -> Any:
        """Maps rgb uint8 [H, W, 3] and points float32 [K, 2] to likely colors.

        Points are (y, x) in 0..1. The function returns a* and b*, float32
        [K, 8, 2], and their probabilities, float32 [K, 8].
        """
        return self._once("likely_colors", self._trace_likely_colors)

    def _trace_likely_colors(self) -> Any:
        generator = encoder_unet.with_features(self._generator)

        @tf.function(autograph=False, input_signature=[
            FIELD_INPUTS[0], tf.TensorSpec([None, 2], tf.float32)])
        def likely_colors(rgb, points):
            return chroma.likely_colors(
                rgb, points, size=self.image_size,
                color_space=self._color_space,
                features_of=lambda condition: generator.call(
                    [condition, None], training=False)[1],
                logits_of=functools.partial(
                    encoder_unet.bins_logits, self._generator))

        return likely_colors.get_concrete_function()

    @property
    def features(self) -> Any:
        """Maps rgb uint8 [H, W, 3] to the encoder's features, see chroma.py."""
        return self._once("features", self._trace_features)

    def _trace_features(self) -> Any:
        encoder = encoder_unet.encoder_features(self._generator)
        return tf.function(
            lambda rgb: chroma.features(
                rgb, size=self.image_size, color_space=self._color_space,
                features_of=lambda condition: encoder.call(
                    condition, training=False)),
            autograph=False,
            input_signature=FIELD_INPUTS[:1]).get_concrete_function()

    @contextlib.contextmanager
    def _noise(self, seed: Optional[tf.Tensor]) -> Iterator[None]:
        """Sets the seed of the noise traced inside; None is without noise."""
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
