"""Keeps a video's colors steady within a scene.

A memory of the scene's chroma, on a grid of at most 128 cells a side, follows
the motion of the picture. Each frame adds its own chroma, which counts as one
of all that a cell has seen. Where the picture changed, as behind something that
moves, the cell begins anew. What a frame shows is its own field, moved by the
difference between the memory and its own chroma: edges are always its own.

A scene's first frames are read ahead: the memory goes through them, from the
last to the first, before they are shown. Motion is that of Lucas and Kanade
(1981), from coarse to fine.
"""

from typing import Any, Iterable, Iterator, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf

from data_pipelines import augment, color
from pix2pix_color.saved_model.recolor import ChromaField

_GRID = 128
# Mean difference of two frames' L* that counts as a cut.
_CUT = 12.0
# Frames that are read ahead, and the memory that they may take, bytes.
_AHEAD, _AHEAD_BYTES = 25, 2**28
# Frames after which a cell hardly changes any more.
_LONG = 250.0
# L* at which a cell has its full weight. What fades in comes from the dark,
# where the prediction knows little.
_BRIGHT, _LEAST_WEIGHT = 25.0, 0.02
# A difference of L* behind the motion that counts as change: so much, and so
# often the frame's mean, which grows with grain.
_CHANGE, _GRAIN = 2.0, 3.0
# Levels and steps of the motion; cells of its windows; L*^2 per cell^2 below
# which a window has no structure to follow.
_LEVELS, _STEPS, _WINDOW, _FLAT = 4, 2, 7, 0.6


class _Frame(NamedTuple):
    """A frame on its way.

    Attributes:
      item: what came with it.
      field: its own chroma.
      lightness: L* on the grid, float32 [1, h, w, 1].
      ab: its own a*b* on the grid, float32 [1, h, w, 2].
    """

    item: Any
    field: ChromaField
    lightness: tf.Tensor
    ab: tf.Tensor


def steady(frames: Iterable[tuple[Any, np.ndarray, ChromaField]]
           ) -> Iterator[tuple[Any, ChromaField]]:
    """Makes the chroma of a video's frames steady within each scene.

    Args:
      frames: for each frame anything that stands for it, its uint8 RGB
        [H, W, 3], and its own prediction, of the same size for all frames.

    Yields:
      What stands for a frame and the chroma to show, in the same order.
    """
    waiting: list[_Frame] = []
    memory: Optional[_Memory] = None
    last = None
    for item, rgb, field in frames:
        frame = _Frame(item, field, *_reduce(rgb, field))
        if last is not None and tf.reduce_mean(
                tf.abs(frame.lightness - last)) > _CUT:
            if waiting:
                yield from _Memory(waiting).show(waiting)
            waiting, memory = [], None
        last = frame.lightness
        waiting.append(frame)
        if memory is None and len(waiting) >= min(
                _AHEAD, _AHEAD_BYTES // rgb.nbytes):
            memory = _Memory(waiting)
        if memory is not None:
            yield from memory.show(waiting)
            waiting = []
    if waiting:
        yield from _Memory(waiting).show(waiting)


class _Memory:
    """A scene's chroma, placed as in the frame that was seen last.

    Args:
      frames: the scene's first frames. The memory begins with the last of
        them and goes back to the first.
    """

    def __init__(self, frames: Sequence[_Frame]) -> None:
        self._frame = frames[-1]
        self._ab = self._frame.ab
        self._weight = _weight(self._frame.lightness)
        for frame in frames[-2::-1]:
            self._follow(frame)

    def show(self, frames: Sequence[_Frame]
             ) -> Iterator[tuple[Any, ChromaField]]:
        """Follows frames and yields the chroma to show for each."""
        for frame in frames:
            if frame is not self._frame:
                self._follow(frame)
            yield frame.item, ChromaField(
                frame.field.slope,
                frame.field.intercept + tf.image.resize(
                    self._ab - frame.ab, frame.field.slope.shape[:2])[0]
                .numpy())

    def _follow(self, frame):
        self._ab, self._weight = _remember(
            self._ab, self._weight, self._frame.lightness, frame.lightness,
            frame.ab)
        self._frame = frame


def _reduce(rgb, field):
    """Returns a frame's L* and a*b* on the grid."""
    height, width = field.slope.shape[:2]
    scale = min(1.0, _GRID / max(height, width))
    grid = [max(2, round(side * scale)) for side in (height, width)]
    # Every second pixel or so is enough for a mean.
    step = max(1, rgb.shape[0] // (3 * grid[0]))
    return _on_grid(np.ascontiguousarray(rgb[::step, ::step]),
                    field.slope, field.intercept, tf.constant(grid))


@tf.function(reduce_retracing=True)
def _on_grid(rgb, slope, intercept, grid):
    lab = color.rgb_to_lab(augment.resize(rgb, grid))
    lightness = lab[tf.newaxis, ..., :1]
    slope, intercept = (
        tf.image.resize(part[tf.newaxis], grid, antialias=True)
        for part in (slope, intercept))
    return lightness, slope * color.scale_lightness(lightness) + intercept


def _weight(lightness):
    """Returns how much a frame's chroma counts, float32 [1, h, w, 1]."""
    return tf.clip_by_value(lightness / _BRIGHT, _LEAST_WEIGHT, 1.0)


@tf.function
def _remember(ab, weight, before, lightness, own_ab):
    """Moves a memory from one frame to the next, and adds that one to it.

    Args:
      ab: the memory, float32 [1, h, w, 2].
      weight: how much was seen of each cell, in frames, float32 [1, h, w, 1].
      before: the first frame's L*, float32 [1, h, w, 1].
      lightness: the next frame's.
      own_ab: the next frame's own chroma, float32 [1, h, w, 2].

    Returns:
      The new memory and its weight.
    """
    # Old films flicker: only the picture counts, not its exposure.
    mean, variance = tf.nn.moments(lightness, [0, 1, 2, 3])
    old_mean, old_variance = tf.nn.moments(before, [0, 1, 2, 3])
    before = (before - old_mean) * tf.sqrt(
        variance / (old_variance + 1e-3)) + mean
    moved = _moved(tf.concat([before, ab, weight], -1),
                   _motion(before, lightness))
    change = tf.abs(_mean(lightness - moved[..., :1], 3))
    scale = _CHANGE + _GRAIN * tf.reduce_mean(change)
    ab = moved[..., 1:3]
    weight = tf.minimum(moved[..., 3:], _LONG) * tf.exp(-(change / scale)**2)
    new = _weight(lightness)
    return ab + new / (weight + new) * (own_ab - ab), weight + new


def _motion(before, after):
    """Finds where each cell of a picture was before.

    Args:
      before: float32 [1, h, w, 1].
      after: float32 [1, h, w, 1].

    Returns:
      float32 [1, h, w, 2], down and to the right, cells.
    """
    shape, motion = before.shape[1:3], None
    for level in reversed(range(_LEVELS)):
        size = [max(2, -(-side // 2**level)) for side in shape]
        old, new = (tf.image.resize(picture, size, method="area")
                    for picture in (before, after))
        if motion is None:
            motion = tf.zeros([1, *size, 2])
        else:
            scale = [side / coarse for side, coarse in zip(
                size, motion.shape[1:3])]
            motion = tf.image.resize(motion, size) * scale
        padded = tf.pad(new, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
        right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
        yy, xy, xx = tf.split(_mean(tf.concat(
            [down * down, down * right, right * right], -1), _WINDOW), 3, -1)
        yy, xx = yy + _FLAT, xx + _FLAT
        for _ in range(_STEPS if level else 1):  # the last one costs most
            left = new - _moved(old, motion)
            y, x = tf.split(_mean(tf.concat(
                [down * left, right * left], -1), _WINDOW), 2, -1)
            step = tf.concat([xx * y - xy * x, yy * x - xy * y], -1) / (
                yy * xx - xy * xy)
            motion += tf.clip_by_value(step, -1.0, 1.0)
        motion = _mean(motion, 3)
    return motion


def _mean(picture, size):
    """Averages over squares around each cell."""
    return tf.nn.avg_pool2d(picture, size, 1, "SAME")


def _moved(picture, motion):
    """Returns a picture's values at moved places, by linear interpolation.

    Args:
      picture: float32 [1, h, w, C].
      motion: float32 [1, h, w, 2], as `_motion` returns it.
    """
    height, width, channels = picture.shape[1:]
    places = tf.stack(tf.meshgrid(
        tf.range(height, dtype=tf.float32), tf.range(width, dtype=tf.float32),
        indexing="ij"), -1) + motion[0]
    places = tf.clip_by_value(places, 0.0, [height - 1.0, width - 1.0])
    first = tf.minimum(tf.cast(places, tf.int32), [height - 2, width - 2])
    down, right = tf.split(places - tf.cast(first, tf.float32), 2, -1)
    values = tf.reshape(picture, [height * width, channels])
    index = first[..., 0] * width + first[..., 1]

    def row(index):
        return (tf.gather(values, index) * (1 - right)
                + tf.gather(values, index + 1) * right)

    return (row(index) * (1 - down) + row(index + width) * down)[tf.newaxis]
