"""The SavedModel: any image bytes in, the same image in color out.

One photograph at a time, whatever the batch, so that an answer never depends
on what else was asked:

    rgb uint8 [H, W, 3]
    -> L* at full resolution, which is kept to the end
    -> resized so that the longer side is S, mirrored at the borders to S x S,
       encoded as in training
    -> the generator's target, of which a*b* [S, S, 2] are taken, borders cut
       off, brought up to H x W
    -> joined with the full-resolution L*; out of gamut, chroma gives way

Everything is TensorFlow ops: the SavedModel needs TensorFlow alone.
"""

import keras
import tensorflow as tf

from data_pipelines import augment, color, decode


class Colorizer(tf.Module):
    """A generator with the signatures of TensorFlow Serving.

    Attributes:
      named_signatures: signature -> concrete function, what is served.

    Args:
      generator: condition float32 [N, S, S, C] -> target float32
        [N, S, S, D].
      color_space: how pictures became condition and target in training.
    """

    def __init__(self, generator: keras.Model, *,
                 color_space: color.ColorSpace) -> None:
        super().__init__(name="colorizer")
        self._generator = generator
        self._color_space = color_space
        self._image_size, _, channels = generator.input_shape[1:]
        self.named_signatures = {
            "serving_default": tf.function(
                self._colorize_bytes, autograph=False).get_concrete_function(
                    image_bytes=tf.TensorSpec([None], tf.string,
                                              name="image_bytes")),
            "colorize": tf.function(
                self._colorize_batch, autograph=False).get_concrete_function(
                    rgb=tf.TensorSpec([None, None, None, 3], tf.uint8,
                                      name="rgb")),
            "predict_target": tf.function(
                self._predict_target, autograph=False).get_concrete_function(
                    condition=tf.TensorSpec(
                        [None, self._image_size, self._image_size, channels],
                        tf.float32, name="condition")),
        }

    def _colorize_bytes(self, image_bytes):
        def colorize_one(encoded):
            return tf.io.encode_png(self._colorize(decode.decode_rgb(encoded)))

        return {"colorized_bytes": tf.map_fn(
            colorize_one, image_bytes,
            fn_output_signature=tf.TensorSpec([], tf.string))}

    def _colorize_batch(self, rgb):
        return {"rgb": tf.map_fn(
            self._colorize, rgb,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))}

    def _predict_target(self, condition):
        return {"target": self._generator(condition, training=False)}

    def _colorize(self, rgb):
        """uint8 [H, W, 3] -> uint8 [H, W, 3]."""
        lightness = color.rgb_to_lab(rgb)[..., :1]
        square, (height, width) = fit_square(rgb, self._image_size)
        condition, _ = self._color_space.encode(square)
        target = self._generator(condition[tf.newaxis], training=False)[0]
        ab = self._color_space.ab_of(target[:height, :width])
        ab = tf.image.resize(ab * color.AB_SCALE,
                             tf.shape(rgb)[:2], method="bicubic")
        return color.lab_to_rgb(tf.concat([lightness, ab], axis=-1))


def fit_square(picture: tf.Tensor,
               size: int) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Resizes a picture to fit a square and mirrors it over the rest.

    Args:
      picture: uint8 [H, W, C], any size and aspect ratio.
      size: side of the square, pixels.

    Returns:
      uint8 [size, size, C], the picture in its upper left; and the height
      and width, int32 [], that the picture takes there.
    """
    shape = tf.shape(picture)[:2]
    scale = size / tf.reduce_max(shape)
    reduced = tf.cast(tf.round(tf.cast(shape, tf.float64) * scale), tf.int32)
    reduced = tf.clip_by_value(reduced, 1, size)
    picture = augment.resize(picture, reduced)
    for axis in (0, 1):
        picture = tf.gather(picture, _mirror(reduced[axis], size), axis=axis)
    picture = tf.ensure_shape(picture, [size, size, None])
    return picture, (reduced[0], reduced[1])


def _mirror(length: tf.Tensor, size: int) -> tf.Tensor:
    """int32 [size]: 0 .. length-1, then back and forth without repeats."""
    period = tf.maximum(2 * (length - 1), 1)
    place = tf.range(size) % period
    return tf.minimum(place, period - place) % length
