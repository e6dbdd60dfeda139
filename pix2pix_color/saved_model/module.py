"""The SavedModel: any image bytes in, the same image in color out.

Each photograph is answered alone, so an answer never depends on the rest of the
batch:

    image_bytes -> decode_request -> rgb uint8 [H, W, 3]
    -> prediction: a*b* at the generator's resolution
    -> recolor: joined with the full-resolution L*, which is kept; out of
       gamut, chroma gives way
    -> PNG

Everything is TensorFlow ops: the SavedModel needs TensorFlow alone.
"""

from typing import Any, Callable, Optional

import keras
import tensorflow as tf

from data_pipelines import color, decode
from pix2pix_color.saved_model.prediction import FIELD_INPUTS, Prediction, Seed
from pix2pix_color.saved_model.recolor import ChromaField, recolor

# zlib's fastest: 12 megapixels take 0.4 s instead of 2.2 s, and the file is a
# fifth larger.
PNG_COMPRESSION = 1
# One core writes a photograph as PNG while another one is colored.
_PHOTOGRAPHS_AT_ONCE = 2
_FIELD = tf.TensorSpec([None, None, 2], tf.float32)


class Colorizer(tf.Module):
    """A generator with the signatures of TensorFlow Serving.

    Attributes:
      named_signatures: signature -> concrete function. Beside the three that
        every model has, a generator with noise has `sample`: image_bytes
        string [N] and seed int64 [N] -> colorized_bytes string [N]. An
        efficientnet_unet takes hints (hints.py) and has
        `colorize_with_hints`: rgb uint8 [N, H, W, 3] and hints float32
        [N, K, 4] -> rgb; `colorize_bytes_with_hints`: image_bytes string [1]
        and hints float32 [1, K, 4] -> colorized_bytes string [1]. One
        with a head for likely colors has
        `likely_colors`: rgb and points float32 [N, K, 2], (y, x) in 0..1 ->
        ab float32 [N, K, 8, 2], native units, and probabilities float32
        [N, K, 8].
      has_noise: whether a seed changes the answers.
      image_size: side of the generator's square, pixels.

    Args:
      generator: condition float32 [N, S, S, C] -> target float32
        [N, S, S, D]. Layers whose attribute `sampling` is true draw noise, in
        `sample` alone.
      color_space: the generator's.
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
        # For programs that load the model: chroma alone, at any multiple of the
        # generator's size, and its way back into the photograph.
        self.predict_field = prediction.field_of_any_size
        self.recolor = trace_recolor()
        self._decode = _traced(
            lambda image_bytes, index: decode_request(
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
                    [None, *generator.inputs[0].shape[1:]], tf.float32,
                    name="condition")),
        }
        if prediction.takes_hints:
            self.predict_features = prediction.features
            self._add_hinted_signatures()
        if prediction.offers_likely_colors:
            self.predict_likely_colors = prediction.likely_colors
            self.named_signatures["likely_colors"] = _traced(
                self._likely_colors, rgb=tf.TensorSpec(
                    [None, None, None, 3], tf.uint8, name="rgb"),
                points=tf.TensorSpec([None, None, 2], tf.float32,
                                     name="points"))
        if self.has_noise:
            self.named_signatures["sample"] = _traced(
                self._sample_bytes, image_bytes=bytes_spec,
                seed=tf.TensorSpec([None], tf.int64, name="seed"))

    def _add_hinted_signatures(self):
        rgb = tf.TensorSpec([None, None, None, 3], tf.uint8, name="rgb")
        hints = tf.TensorSpec([None, None, 4], tf.float32, name="hints")
        self.named_signatures.update({
            "colorize_with_hints": _traced(
                self._colorize_with_hints, rgb=rgb, hints=hints),
            "colorize_bytes_with_hints": _traced(
                self._colorize_bytes_with_hints,
                image_bytes=tf.TensorSpec([1], tf.string, name="image_bytes"),
                hints=tf.TensorSpec([1, None, 4], tf.float32, name="hints"))})

    def _colorize_with_hints(self, rgb, hints):
        return {"rgb": tf.map_fn(
            lambda each: self._colorize(each[0], hints=each[1]), (rgb, hints),
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))}

    def _colorize_bytes_with_hints(self, image_bytes, hints):
        return self._answer_each(
            image_bytes,
            lambda rgb, index: self._colorize(rgb, hints=hints[index]))

    def _likely_colors(self, rgb, points):
        ab, probabilities = tf.map_fn(
            lambda each: self._prediction.likely_colors(*each), (rgb, points),
            fn_output_signature=(tf.TensorSpec([None, None, 2], tf.float32),
                                 tf.TensorSpec([None, None], tf.float32)))
        return {"ab": ab, "probabilities": probabilities}

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

    def _colorize(self, rgb, *, seed=None, hints=None):
        """Colors uint8 [H, W, 3]; a seed adds noise."""
        inputs = (rgb, tf.constant(self.image_size),
                  tf.zeros([], tf.int64) if seed is None else seed)
        if hints is None:
            field = self._prediction.field(sampling=seed is not None)(*inputs)
        else:
            field = self._prediction.hinted_field(*inputs, hints)
        return self.recolor(rgb, *field)


def trace_recolor() -> Any:
    """Traces recolor as a function of rgb, slope and intercept."""
    return _traced(
        lambda rgb, slope, intercept: recolor(
            rgb, ChromaField(slope, intercept)),
        FIELD_INPUTS[0], _FIELD, _FIELD)


def decode_request(image_bytes: tf.Tensor, index: tf.Tensor, *,
                   max_pixels: int) -> tf.Tensor:
    """Decodes one of a request's images.

    Args:
      image_bytes: string [].
      index: int32 [], its place in the request, for messages.
      max_pixels: height times width of the largest image that is decoded.

    Returns:
      uint8 [H, W, 3], upright.

    Raises:
      tf.errors.InvalidArgumentError: it cannot be read as an image, or has more
        than max_pixels, which is checked before anything is decoded.
    """
    size = _attempt(decode.read_size, image_bytes, tf.zeros([2], tf.int64))
    image_bytes = _require(
        tf.reduce_all(size > 0), image_bytes, index,
        f"not an image in a format that is read: {decode.FORMATS}")
    image_bytes = _require(
        tf.reduce_prod(size) <= max_pixels, image_bytes, index,
        "{} x {} pixels, more than --max_pixels={} allowed", size[1], size[0],
        max_pixels)
    rgb = _attempt(
        lambda encoded: decode.decode_rgb(encoded, max_pixels=max_pixels),
        image_bytes, tf.zeros([0, 0, 3], tf.uint8))
    return _require(tf.size(rgb) > 0, rgb, index,
                    "the image is truncated, damaged or of an unusual kind")


def _attempt(function: Callable[[tf.Tensor], tf.Tensor], argument: tf.Tensor,
             otherwise: tf.Tensor) -> tf.Tensor:
    """Returns function(argument), or `otherwise` if that raises.

    Within a graph, errors can be caught only by a tf.data pipeline.
    """
    results = tf.data.Dataset.from_tensors(argument).map(
        tf.autograph.experimental.do_not_convert(function))
    results = results.ignore_errors().concatenate(
        tf.data.Dataset.from_tensors(otherwise))
    return results.take(1).get_single_element()


def _require(condition, value, index, otherwise, *details):
    """Returns value if the condition holds, else raises `otherwise`."""
    message = tf.strings.format("image_bytes[{}]: " + otherwise,
                                (index, *details))
    with tf.control_dependencies(
            [tf.raw_ops.Assert(condition=condition, data=[message])]):
        return tf.identity(value)


def _traced(function: Any, *specs: tf.TensorSpec,
            **named_specs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(
        *specs, **named_specs)
