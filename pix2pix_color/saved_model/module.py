"""The SavedModel: any image bytes in, the same image in color out.

One photograph at a time, whatever the batch, so that an answer never depends
on what else was asked:

    image_bytes -> decoding -> rgb uint8 [H, W, 3]
    -> prediction: a*b* as the generator has them, in its own resolution
    -> recolor: joined with the full-resolution L*, which is kept; out of
       gamut, chroma gives way
    -> PNG

Everything is TensorFlow ops: the SavedModel needs TensorFlow alone.
"""

from typing import Any, Optional

import keras
import tensorflow as tf

from data_pipelines import color, decode
from pix2pix_color.saved_model import decoding, recolor
from pix2pix_color.saved_model.prediction import Prediction, Seed

# zlib's fastest: 12 megapixels in 0.4 s, where the default takes 2.2 s to make
# the file a fifth smaller.
PNG_COMPRESSION = 1
# While one photograph is written as PNG, by one core, another is colored.
_PHOTOGRAPHS_AT_ONCE = 2


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
        prediction = Prediction(generator, color_space=color_space, seed=seed)
        self.has_noise = prediction.has_noise
        self.image_size = prediction.image_size
        self._prediction, self._weights = prediction, prediction.weights
        # For programs that load the model: a photograph's chroma apart, at
        # other sizes of the square, with noise where there is any.
        self.predict_field = prediction.field_of_any_size
        field_spec = tf.TensorSpec([None, None, 2], tf.float32)
        self.recolor = _traced(
            lambda rgb, slope, intercept: recolor.recolor(
                rgb, recolor.ChromaField(slope, intercept)),
            tf.TensorSpec([None, None, 3], tf.uint8, name="rgb"), field_spec,
            field_spec)
        self._decode = _traced(
            lambda image_bytes, index: decoding.decode_request(
                image_bytes, index, max_pixels=max_pixels),
            tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32))

        bytes_spec = tf.TensorSpec([None], tf.string, name="image_bytes")
        self.named_signatures = {
            "serving_default": _traced(
                self._colorize_bytes, image_bytes=bytes_spec),
            "colorize": _traced(
                self._colorize_batch, rgb=tf.TensorSpec(
                    [None, None, None, 3], tf.uint8, name="rgb")),
            "predict_target": _traced(
                self._predict_target, condition=tf.TensorSpec(
                    [None, *generator.input_shape[1:]], tf.float32,
                    name="condition")),
        }
        if self.has_noise:
            self.named_signatures["sample"] = _traced(
                self._sample_bytes, image_bytes=bytes_spec,
                seed=tf.TensorSpec([None], tf.int64, name="seed"))

    def _colorize_bytes(self, image_bytes):
        return self._answer_each(image_bytes,
                                 lambda rgb, _: self._colorize(rgb))

    def _sample_bytes(self, image_bytes, seed):
        return self._answer_each(
            image_bytes,
            lambda rgb, index: self._colorize(rgb, seed=seed[index]))

    def _answer_each(self, image_bytes, colorize):
        def answer(encoded_and_index):
            encoded, index = encoded_and_index
            rgb = self._decode(encoded, index)
            return tf.io.encode_png(colorize(rgb, index),
                                    compression=PNG_COMPRESSION)

        return {"colorized_bytes": tf.map_fn(
            answer, (image_bytes, tf.range(tf.size(image_bytes))),
            fn_output_signature=tf.TensorSpec([], tf.string),
            parallel_iterations=_PHOTOGRAPHS_AT_ONCE)}

    def _colorize_batch(self, rgb):
        return {"rgb": tf.map_fn(
            self._colorize, rgb,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))}

    def _predict_target(self, condition):
        return {"target": self._prediction.target(
            condition, tf.zeros([], tf.int64))}

    def _colorize(self, rgb, *, seed=None):
        """uint8 [H, W, 3] -> uint8 [H, W, 3]; of a seed, with noise."""
        field = (self._prediction.field if seed is None
                 else self._prediction.noisy_field)
        slope, intercept = field(
            rgb, tf.constant(self.image_size),
            tf.zeros([], tf.int64) if seed is None else seed)
        return self.recolor(rgb, slope, intercept)


def _traced(function: Any, *specs: tf.TensorSpec,
            **named_specs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(
        *specs, **named_specs)
