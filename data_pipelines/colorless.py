"""Photographs without any color, which would teach a colorizer gray."""

import dataclasses
from typing import Sequence

import tensorflow as tf

from data_pipelines.sources import Source

# Why such a photograph is left out, in RejectedExamples.reasons.
REASON = "has no color"
NAMES_SHOWN = 5

# A photograph is looked at in about so many pixels a side.
_SIDE = 64
# Side of the blocks whose colors are averaged, which removes a scanner's noise.
_BLOCK = 8
# Least difference of two channels of a block's average, levels of 255.
_LEAST_DIFFERENCE = 3.0


def with_color(source: Source) -> Source:
    """Returns the same source, whose photographs without color do not load.

    They fail as unreadable ones do, with REASON as the message.
    """
    def load(index):
        photo = source.load(index)
        with tf.control_dependencies([tf.raw_ops.Assert(
                condition=has_color(photo), data=[REASON])]):
            return tf.identity(photo)

    return dataclasses.replace(source, load=load)


def has_color(photo: tf.Tensor) -> tf.Tensor:
    """Tells whether a photograph has any color: bool [].

    Noise does not count as color, a tint does. A pixel is looked at in every
    few, which takes little time beside decoding.

    Args:
      photo: uint8 [H, W, C], of which the first three channels are RGB.
    """
    photo = tf.ensure_shape(photo, [None, None, None])
    step = tf.maximum(tf.shape(photo)[:2] // _SIDE, 1)
    pixels = tf.cast(photo[::step[0], ::step[1], :3], tf.float32)
    blocks = tf.nn.avg_pool2d(pixels[tf.newaxis], _BLOCK, _BLOCK, "SAME")
    differences = tf.reduce_max(blocks, -1) - tf.reduce_min(blocks, -1)
    return tf.reduce_max(differences) >= _LEAST_DIFFERENCE


def some_of(names: Sequence[str]) -> str:
    """Joins the first few names for a message."""
    shown = [names[place] for place in range(min(len(names), NAMES_SHOWN))]
    return ", ".join(shown) + (", ..." if len(names) > NAMES_SHOWN else "")
