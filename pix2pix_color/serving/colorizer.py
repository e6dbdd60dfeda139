"""The SavedModel: any image bytes in, the same image in color out.

One photograph at a time, whatever the batch, so that an answer never depends
on what else was asked:

    image_bytes -> decoding -> rgb uint8 [H, W, 3]
    -> chroma: a*b* as the generator has them, in its own resolution
    -> recolor: joined with the full-resolution L*, which is kept; out of
       gamut, chroma gives way
    -> PNG

Everything is TensorFlow ops: the SavedModel needs TensorFlow alone.
"""

import contextlib
from typing import Any, Iterator, Optional

import keras
import tensorflow as tf

from data_pipelines import color, decode, recolor
from pix2pix_color.serving import chroma, decoding

# zlib's fastest: 12 megapixels in 0.4 s, where the default takes 2.2 s to make
# the file a fifth smaller.
PNG_COMPRESSION = 1
# While one photograph is written as PNG, by one core, another is colored.
_PHOTOGRAPHS_AT_ONCE = 2


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


class Colorizer(tf.Module):
    """A generator with the signatures of TensorFlow Serving.

    Attributes:
      named_signatures: signature -> concrete function, what is served. Beside
        the three of every model there is `sample` where the generator has
        noise: image_bytes string [N] and seed int64 [N] -> colorized_bytes
        string [N].
      has_noise: whether it has.
      image_size: side of the generator's square, pixels.

    Args:
      generator: condition float32 [N, S, S, C] -> target float32
        [N, S, S, D]. Layers with an attribute `sampling` that is true draw
        noise; but for sampling, they are kept from it.
      color_space: what the generator was trained in.
      seed: the step that the generator was built with; None without noise.
      max_pixels: height times width of the largest image that is decoded.
    """

    def __init__(self, generator: keras.Model, *,
                 color_space: color.ColorSpace = color.LAB,
                 seed: Optional[Seed] = None,
                 max_pixels: int = decode.MAX_PIXELS) -> None:
        super().__init__(name="colorizer")
        self._generator, self._seed = generator, seed
        self._color_space, self._max_pixels = color_space, max_pixels
        self._noisy_layers = [layer for layer in generator.layers
                              if getattr(layer, "sampling", False)]
        self.has_noise = seed is not None and bool(self._noisy_layers)
        self.image_size, _, channels = generator.input_shape[1:]

        bytes_spec = tf.TensorSpec([None], tf.string, name="image_bytes")
        self.named_signatures = {
            "serving_default": _traced(
                self._colorize_bytes, image_bytes=bytes_spec),
            "colorize": _traced(
                self._colorize_batch, rgb=tf.TensorSpec(
                    [None, None, None, 3], tf.uint8, name="rgb")),
            "predict_target": _traced(
                self._predict_target, condition=tf.TensorSpec(
                    [None, self.image_size, self.image_size, channels],
                    tf.float32, name="condition")),
        }
        if self.has_noise:
            self.named_signatures["sample"] = _traced(
                self._sample_bytes, image_bytes=bytes_spec,
                seed=tf.TensorSpec([None], tf.int64, name="seed"))
        # For programs that load the model: a photograph's chroma apart, at
        # other sizes of the square, with noise where there is any.
        self.predict_field = tf.function(
            self._predict_field, autograph=False, input_signature=[
                tf.TensorSpec([None, None, 3], tf.uint8, name="rgb"),
                tf.TensorSpec([], tf.int32, name="chroma_size"),
                tf.TensorSpec([], tf.int64, name="seed"),
                tf.TensorSpec([], tf.bool, name="sampling")])
        self.predict_field.get_concrete_function()
        field_spec = tf.TensorSpec([None, None, 2], tf.float32)
        self.recolor = tf.function(
            lambda rgb, slope, intercept: recolor.recolor(
                rgb, recolor.ChromaField(slope, intercept)),
            autograph=False, input_signature=[
                tf.TensorSpec([None, None, 3], tf.uint8), field_spec,
                field_spec])
        self.recolor.get_concrete_function()

    def _colorize_bytes(self, image_bytes):
        return self._answer_each(
            image_bytes, lambda rgb, _: self._colorize(rgb, seed=None))

    def _sample_bytes(self, image_bytes, seed):
        return self._answer_each(
            image_bytes,
            lambda rgb, index: self._colorize(rgb, seed=seed[index]))

    def _answer_each(self, image_bytes, colorize):
        def answer(encoded_and_index):
            encoded, index = encoded_and_index
            rgb = decoding.decode_request(
                encoded, index, max_pixels=self._max_pixels)
            return tf.io.encode_png(colorize(rgb, index),
                                    compression=PNG_COMPRESSION)

        return {"colorized_bytes": tf.map_fn(
            answer, (image_bytes, tf.range(tf.size(image_bytes))),
            fn_output_signature=tf.TensorSpec([], tf.string),
            parallel_iterations=_PHOTOGRAPHS_AT_ONCE)}

    def _colorize_batch(self, rgb):
        return {"rgb": tf.map_fn(
            lambda photo: self._colorize(photo, seed=None), rgb,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))}

    def _predict_target(self, condition):
        with self._noise(None):
            return {"target": self._generator(condition, training=False)}

    def _predict_field(self, rgb, chroma_size, seed, sampling):
        if not self.has_noise:
            return tuple(self._field(rgb, size=chroma_size, seed=None))
        return tf.cond(
            sampling,
            lambda: tuple(self._field(rgb, size=chroma_size, seed=seed)),
            lambda: tuple(self._field(rgb, size=chroma_size, seed=None)))

    def _colorize(self, rgb, *, seed):
        """uint8 [H, W, 3] -> uint8 [H, W, 3]."""
        return recolor.recolor(
            rgb, self._field(rgb, size=self.image_size, seed=seed))

    def _field(self, rgb, *, size, seed):
        def predict(condition):
            with self._noise(seed):
                # Not through __call__, which insists on S x S: convolutions
                # take larger squares just as well.
                return self._generator.call(condition, training=False)

        return chroma.predict_field(rgb, predict=predict, size=size,
                                    color_space=self._color_space)

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


def _traced(function: Any, **specs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(**specs)
