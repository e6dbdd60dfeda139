"""Source -> tf.data of batches, in one stated order of operations.

Training:    number -> shuffle -> load -> drop unreadable -> jitter
             [-> degrade] -> batch -> color -> prefetch
Evaluation:  number -> load -> drop unreadable -> centre square -> batch
             -> prefetch

The training stream has no end. Its examples are numbered: ordinal k is example
shuffle(k mod n) of epoch k // n, where the shuffle is a keyed permutation
computed for one index at a time, so that nothing is stored and the stream can
start anywhere. An ordinal together with the seed determines the picture to
the bit, whatever the parallelism; the position to resume from is the last
ordinal that was trained on, plus one. Batches run across the border of two
epochs, so that every photograph is seen once in each and every batch is full.

A photograph that cannot be read leaves a gap in the ordinals; RejectedExamples
finds the gap, names the file, and says why.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from data_pipelines import augment, color, degrade
from data_pipelines.sources import Source

# The training stream is made anew after so many ordinals, so that a
# collection that vanishes while it is read (an unmounted disk) is noticed.
_ORDINALS_A_STREAM = 100_000
# Left to itself, tf.data fills gigabytes with batches that wait.
_BATCHES_AHEAD = 4


class TrainingBatch(NamedTuple):
    """A batch as the training step takes it.

    Attributes:
      condition: float32 [N, S, S, C], in -1..1.
      target: float32 [N, S, S, D], in -1..1.
      ordinal: int64 [N], the examples' places in the endless stream, or in
        this worker's part of it.
      shown: float32 [N, S, S, C], the condition as the generator is shown it:
        degraded if that is wanted, otherwise condition itself.
    """

    condition: tf.Tensor
    target: tf.Tensor
    ordinal: tf.Tensor
    shown: tf.Tensor


class EvaluationBatch(NamedTuple):
    """A batch as the evaluation protocol takes it.

    Attributes:
      photo: uint8 [N, S, S, 3], or 4 with the gray photograph; the last batch
        may be smaller than the others.
      index: int64 [N], the examples' places in the source.
    """

    photo: tf.Tensor
    index: tf.Tensor


def example_index(ordinal: tf.Tensor, *, num_examples: int,
                  seed: int) -> tf.Tensor:
    """Which example stands at a place of the endless training stream.

    Args:
      ordinal: int64 [], place in the stream.
      num_examples: number of examples in an epoch.
      seed: the run's seed.

    Returns:
      int64 [], index in the source. Over any epoch's ordinals it takes each
      value in 0..num_examples - 1 once.
    """
    epoch, offset = ordinal // num_examples, ordinal % num_examples
    if num_examples == 1:
        return offset
    key = tf.stack([tf.constant(seed, tf.int64), epoch])
    return tf.random.experimental.index_shuffle(
        offset, seed=tf.cast(key, tf.int32), max_index=num_examples - 1)


@dataclasses.dataclass(frozen=True)
class WorkerShard:
    """A worker's part of the stream: the workers take turns, a batch at a time.

    Attributes:
      batch_size: examples in a batch of this worker's.
      worker: which of them, from 0.
      num_workers: how many share the stream; no example is two workers'.
    """

    batch_size: int
    worker: int = 0
    num_workers: int = 1

    def place(self, ordinal: tf.Tensor) -> tf.Tensor:
        """Where in the whole stream an ordinal of this part stands."""
        turn, offset = ordinal // self.batch_size, ordinal % self.batch_size
        turn = turn * self.num_workers + self.worker
        return turn * self.batch_size + offset


def training_batches(source: Source, *, part: WorkerShard,
                     color_space: color.ColorSpace, image_size: int,
                     resize_size: int, seed: int, max_resize_size: int = 0,
                     min_detail: int = 0, first_ordinal: int = 0,
                     degraded: bool = False) -> tf.data.Dataset:
    """One worker's stream of training batches, _ORDINALS_A_STREAM long.

    Args:
      source: the training photographs.
      part: which worker's part of the stream, and how large its batches are.
      color_space: how pictures become condition and target.
      image_size: side of the networks' square, pixels.
      resize_size: what the shorter side is resized to before the crop, pixels.
      max_resize_size: the largest size that may be drawn instead; 0 for none.
      min_detail: as augment.jitter takes it.
      seed: determines order and augmentation.
      first_ordinal: where to begin; the last ordinal seen plus one to resume.
      degraded: whether the generator is shown degraded photographs.

    Returns:
      A dataset of TrainingBatch, all of the part's batch_size. What is left
      at its end is where the next stream begins:
      RejectedExamples.watch_training joins them.
    """
    # Control flow is TensorFlow's own throughout: AutoGraph has nothing to
    # convert, and takes a second to find that out.
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
        shown = (degrade.degrade_some(
            photo, seed=tf.random.experimental.stateless_fold_in(own_seed, 1))
            if degraded else photo[..., :0])
        return photo, shown, ordinal

    @tf.autograph.experimental.do_not_convert
    def encode(photo, shown, ordinal):
        encode_all = color.compiled(color_space.encode)
        condition, target = encode_all(photo)
        return TrainingBatch(
            condition, target, ordinal,
            shown=encode_all(shown)[0] if degraded else condition)

    return (tf.data.Dataset.range(first_ordinal,
                                  first_ordinal + _ORDINALS_A_STREAM)
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .ignore_errors()
            .map(jitter, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(part.batch_size, drop_remainder=True)
            .map(encode, num_parallel_calls=tf.data.AUTOTUNE)
            .prefetch(_BATCHES_AHEAD))


def evaluation_batches(source: Source, *, image_size: int,
                       batch_size: int) -> tf.data.Dataset:
    """Every photograph once, in order, as the evaluation protocol wants it.

    Args:
      source: the photographs.
      image_size: side of the square, pixels.
      batch_size: examples a batch.

    Returns:
      A dataset of EvaluationBatch; the last one may be partial.
    """
    @tf.autograph.experimental.do_not_convert
    def load(index):
        return source.load(index), index

    @tf.autograph.experimental.do_not_convert
    def centre(photo, index):
        return EvaluationBatch(
            augment.centre_square(photo, image_size=image_size), index)

    return (tf.data.Dataset.range(len(source))
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .ignore_errors()
            .map(centre, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size)
            .prefetch(_BATCHES_AHEAD))
