"""Streams of batches: source -> tf.data, in this order of operations.

Training:    number -> shuffle -> load -> drop unreadable -> jitter
             [-> degrade] -> batch -> color [-> hints] -> prefetch
Evaluation:  number -> load -> drop unreadable -> center square -> batch
             -> prefetch

The training stream is endless. Ordinal k is example shuffle(k mod n) of epoch
k // n. The shuffle is a keyed permutation that is computed for one index at a
time, so nothing is stored and the stream can start anywhere. Ordinal and seed
determine a picture to the bit, whatever the parallelism. A run resumes at the
last ordinal that was trained on, plus one. Batches span epochs, so that every
batch is full and every photograph is seen once an epoch.

A photograph that cannot be read leaves a gap in the ordinals. RejectedExamples
finds the gap and reports the file and the reason.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from data_pipelines import augment, color, degrade, hints
from data_pipelines.sources import Source

# The training stream is made anew after so many ordinals. This is when a
# collection that vanished meanwhile (an unmounted disk) is noticed.
_ORDINALS_A_STREAM = 100_000
# By default tf.data would fill gigabytes with waiting batches.
_BATCHES_AHEAD = 4


class TrainingBatch(NamedTuple):
    """A batch for the training step.

    Attributes:
      condition: float32 [N, S, S, C], in -1..1.
      target: float32 [N, S, S, D], in -1..1.
      ordinal: int64 [N], places of the examples in this worker's part of the
        endless stream.
      shown: float32 [N, S, S, C], the condition that the generator sees:
        degraded, or else equal to `condition`.
      hints: float32 [N, S/2, S/2, D + 1], colors and mask as hints.reveal
        makes them; [N, S, S, 0] without hints.
    """

    condition: tf.Tensor
    target: tf.Tensor
    ordinal: tf.Tensor
    shown: tf.Tensor
    hints: tf.Tensor


class EvaluationBatch(NamedTuple):
    """A batch for the evaluation protocol.

    Attributes:
      photo: uint8 [N, S, S, 3], or 4 channels with the gray photograph; the
        last batch may be smaller than the others.
      index: int64 [N], places of the examples in the source.
    """

    photo: tf.Tensor
    index: tf.Tensor


def example_index(ordinal: tf.Tensor, *, num_examples: int,
                  seed: int) -> tf.Tensor:
    """Returns the index of the example at a place of the training stream.

    Args:
      ordinal: int64 [], place in the stream.
      num_examples: number of examples in an epoch.
      seed: the run's seed.

    Returns:
      int64 [], index in the source. Each epoch has each index once.
    """
    epoch, offset = ordinal // num_examples, ordinal % num_examples
    if num_examples == 1:
        return offset
    key = tf.stack([tf.constant(seed, tf.int64), epoch])
    return tf.random.experimental.index_shuffle(
        offset, seed=tf.cast(key, tf.int32), max_index=num_examples - 1)


@dataclasses.dataclass(frozen=True)
class WorkerShard:
    """One worker's part of the stream; workers take turns, a batch at a time.

    Attributes:
      batch_size: examples in one batch of this worker.
      worker: number of the worker, from 0.
      num_workers: number of workers that share the stream.
    """

    batch_size: int
    worker: int = 0
    num_workers: int = 1

    def place(self, ordinal: tf.Tensor) -> tf.Tensor:
        """Converts an ordinal of this part to one of the whole stream."""
        turn, offset = ordinal // self.batch_size, ordinal % self.batch_size
        turn = turn * self.num_workers + self.worker
        return turn * self.batch_size + offset


def training_batches(source: Source, *, part: WorkerShard,
                     color_space: color.ColorSpace, image_size: int,
                     resize_size: int, seed: int, max_resize_size: int = 0,
                     min_detail: int = 0, first_ordinal: int = 0,
                     degraded: bool = False, hinted: bool = False,
                     num_ordinals: int = _ORDINALS_A_STREAM
                     ) -> tf.data.Dataset:
    """Builds a finite piece of one worker's training stream.

    RejectedExamples.watch_training joins the pieces.

    Args:
      source: the training photographs.
      part: the worker's part of the stream, and its batch size.
      color_space: makes condition and target from pictures.
      image_size: side of the networks' square, pixels.
      resize_size: length of the shorter side before the crop, pixels.
      max_resize_size: as augment.jitter takes it.
      min_detail: as augment.jitter takes it.
      seed: determines order and augmentation.
      first_ordinal: where to begin; the last ordinal seen plus one to resume.
      degraded: whether the generator sees degraded photographs.
      hinted: whether it is given color hints.
      num_ordinals: length of the piece. The next one begins with those
        ordinals that did not fill a last batch.

    Returns:
      A dataset of TrainingBatch, all of part.batch_size.
    """
    # AutoGraph has nothing to convert here, and takes a second to find out.
    @tf.autograph.experimental.do_not_convert
    def load(ordinal):
        index = example_index(part.place(ordinal), num_examples=len(source),
                              seed=seed)
        return source.load(index), ordinal

    @tf.autograph.experimental.do_not_convert
    def jitter(photo, ordinal):
        own_seed = tf.stack([tf.constant(seed, tf.int64), part.place(ordinal)])
        photo = augment.jitter(
            photo, image_size=image_size, resize_size=resize_size,
            max_resize_size=max_resize_size, min_detail=min_detail,
            seed=own_seed)
        shown = (degrade.degrade_half(
            photo, seed=tf.random.experimental.stateless_fold_in(own_seed, 1))
            if degraded else photo[..., :0])
        places = (hints.draw_places(
            image_size // 2,
            seed=tf.random.experimental.stateless_fold_in(own_seed, 2))
            if hinted else ())
        return photo, shown, places, ordinal

    @tf.autograph.experimental.do_not_convert
    def encode(photo, shown, places, ordinal):
        encode_all = color.compiled(color_space.encode)
        condition, target = encode_all(photo)
        return TrainingBatch(
            condition, target, ordinal,
            shown=encode_all(shown)[0] if degraded else condition,
            hints=(hints.reveal(tf.nn.avg_pool2d(target, 2, 2, "VALID"),
                                hints.Places(*places)) if hinted
                   else target[..., :0]))

    return (tf.data.Dataset.range(first_ordinal,
                                  first_ordinal + num_ordinals)
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .ignore_errors()
            .map(jitter, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(part.batch_size, drop_remainder=True)
            .map(encode, num_parallel_calls=tf.data.AUTOTUNE)
            .prefetch(_BATCHES_AHEAD))


def evaluation_batches(source: Source, *, image_size: int,
                       batch_size: int) -> tf.data.Dataset:
    """Builds the stream of evaluation: every photograph once, in order.

    Args:
      source: the photographs.
      image_size: side of the square, pixels.
      batch_size: examples in a batch.

    Returns:
      A dataset of EvaluationBatch; the last one may be partial.
    """
    @tf.autograph.experimental.do_not_convert
    def load(index):
        return source.load(index), index

    @tf.autograph.experimental.do_not_convert
    def cut(photo, index):
        return EvaluationBatch(
            augment.center_square(photo, image_size=image_size), index)

    return (tf.data.Dataset.range(len(source))
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .ignore_errors()
            .map(cut, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size)
            .prefetch(_BATCHES_AHEAD))
