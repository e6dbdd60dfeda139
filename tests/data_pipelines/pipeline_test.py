"""The streams of batches: order, resumption, and content."""

import time

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import augment, color, pipeline
from tests.data_pipelines.streams import (assert_same_batches, example_indices,
                                          noise, noise_source, training_batches)


def numbered_source(num_examples):
    """Plain gray photographs; numbers_shown tells which ones are in a batch."""
    def load(index):
        return tf.fill([4, 5, 3], tf.cast(index, tf.uint8))

    return noise_source(num_examples, load)


def numbers_shown(batch):
    return batch.condition.numpy()[:, 0, 0, 0].tolist()


def epochs_of(num_examples, *, num_epochs, seed=0):
    """The order of each epoch, a list of lists."""
    indices = example_indices(range(num_epochs * num_examples),
                              num_examples=num_examples, seed=seed)
    return [indices[start:start + num_examples]
            for start in range(0, len(indices), num_examples)]


# The order of the training stream.


@pytest.mark.parametrize("num_examples", [1, 2, 7, 56])
def test_every_epoch_numbers_each_example_once(num_examples):
    for order in epochs_of(num_examples, num_epochs=5):
        assert sorted(order) == list(range(num_examples))


@pytest.mark.parametrize("num_examples", [7, 56])
def test_no_two_epochs_have_the_same_order(num_examples):
    orders = epochs_of(num_examples, num_epochs=8)
    assert len({tuple(order) for order in orders}) == 8


def test_two_examples_come_in_both_orders():
    orders = epochs_of(2, num_epochs=40)
    assert 10 <= orders.count([0, 1]) <= 30
    assert 10 <= orders.count([1, 0]) <= 30


def test_order_depends_on_the_seed():
    assert epochs_of(56, num_epochs=1, seed=0) != epochs_of(
        56, num_epochs=1, seed=1)


def test_an_epoch_is_well_mixed():
    first_places = np.asarray(epochs_of(4, num_epochs=200))[:, 0]
    counts = np.bincount(first_places, minlength=4)
    assert counts.min() > 30 and counts.max() < 75


def test_example_index_is_the_same_eagerly_and_in_dataset_map():
    mapped = example_indices(range(14), num_examples=7, seed=3)
    eager = [int(pipeline.example_index(
        tf.constant(ordinal, tf.int64), num_examples=7, seed=3))
        for ordinal in range(14)]
    assert mapped == eager


# The training stream.


@pytest.mark.parametrize("num_examples, batch_size", [
    (1, 3), (2, 3), (7, 3), (7, 7), (7, 10), (56, 16)])
def test_every_photograph_is_seen_once_an_epoch(num_examples, batch_size):
    num_epochs = 3
    num_batches = -(-num_epochs * num_examples // batch_size)
    shown = []
    for batch in training_batches(
            numbered_source(num_examples), batch_size=batch_size
            ).take(num_batches):
        shown += numbers_shown(batch)
    for epoch in range(num_epochs):
        start = epoch * num_examples
        assert sorted(shown[start:start + num_examples]) == list(
            range(num_examples))


def test_batch_shows_the_examples_that_its_ordinals_stand_for():
    for batch in training_batches(numbered_source(7), batch_size=5).take(4):
        assert numbers_shown(batch) == example_indices(
            batch.ordinal.numpy(), num_examples=7)


def test_batches_are_full_and_run_across_epochs():
    batches = list(training_batches(noise_source(7), batch_size=5).take(6))
    ordinals = np.concatenate([batch.ordinal for batch in batches])
    np.testing.assert_array_equal(ordinals, np.arange(30))
    for batch in batches:
        assert isinstance(batch, pipeline.TrainingBatch)
        assert batch.condition.shape == (5, 8, 8, 1)
        assert batch.target.shape == (5, 8, 8, 2)
        assert batch.condition.dtype == batch.target.dtype == tf.float32


def test_shapes_of_training_batches_are_known_ahead():
    batches = training_batches(
        noise_source(7), color_space=color.LAB, batch_size=5)
    assert batches.element_spec == pipeline.TrainingBatch(
        condition=tf.TensorSpec([5, 8, 8, 1], tf.float32),
        target=tf.TensorSpec([5, 8, 8, 2], tf.float32),
        ordinal=tf.TensorSpec([5], tf.int64),
        shown=tf.TensorSpec([5, 8, 8, 1], tf.float32),
        hints=tf.TensorSpec([5, 8, 8, 0], tf.float32))


def test_batch_is_the_jittered_photographs_in_lab():
    batch = next(iter(training_batches(
        noise_source(7), color_space=color.LAB, seed=5)))
    for place, index in enumerate(
            example_indices(range(4), num_examples=7, seed=5)):
        rgb = augment.jitter(noise(index), image_size=8, resize_size=9,
                             seed=tf.constant([5, place], tf.int64))
        condition, target = color.LAB.encode(rgb)
        np.testing.assert_allclose(
            batch.condition[place], condition, rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            batch.target[place], target, rtol=0, atol=1e-6)


def test_one_photograph_is_jittered_anew_in_each_epoch():
    batch = next(iter(training_batches(noise_source(1), batch_size=12)))
    pictures = {picture.tobytes() for picture in batch.condition.numpy()}
    assert len(pictures) > 6


def test_same_seed_gives_the_same_stream_to_the_bit():
    first, second = (
        training_batches(noise_source(7), color_space=color.LAB, seed=3)
        for _ in range(2))
    assert_same_batches(first.take(5), second.take(5))
    assert_same_batches(first.take(5), second.take(5))  # iterated again


def test_different_seed_gives_other_pictures_in_another_order():
    first, second = (next(iter(training_batches(noise_source(56), seed=seed)))
                     for seed in (0, 1))
    assert (first.condition.numpy() != second.condition.numpy()).mean() > 0.9
    np.testing.assert_array_equal(first.ordinal, second.ordinal)


def test_stream_does_not_depend_on_which_photograph_is_read_first():
    def slow_when_even(index):
        time.sleep(0.02 * (index % 2 == 0))
        return np.int64(index)

    def load_slowly(index):
        return noise(tf.ensure_shape(
            tf.numpy_function(slow_when_even, [index], tf.int64), []))

    slow = noise_source(7, load_slowly)
    assert_same_batches(training_batches(slow).take(3),
                        training_batches(noise_source(7)).take(3))


def test_stream_does_not_depend_on_the_number_of_threads():
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    batches = training_batches(noise_source(7), color_space=color.LAB)
    assert_same_batches(batches.with_options(options).take(5),
                        batches.take(5))


@pytest.mark.parametrize("num_seen", [1, 2, 5])
def test_stream_resumes_where_it_was_left(num_seen):
    whole = list(training_batches(noise_source(7)).take(7))
    last_ordinal = int(whole[num_seen - 1].ordinal[-1])
    resumed = training_batches(
        noise_source(7), first_ordinal=last_ordinal + 1)
    assert_same_batches(resumed.take(7 - num_seen), whole[num_seen:])


def test_stream_resumes_late_without_running_through_the_beginning():
    first_ordinal = 10**9 + 1
    batch = next(iter(training_batches(
        numbered_source(7), first_ordinal=first_ordinal)))
    np.testing.assert_array_equal(
        batch.ordinal, np.arange(first_ordinal, first_ordinal + 4))
    assert numbers_shown(batch) == example_indices(
        batch.ordinal.numpy(), num_examples=7)


# Several workers' parts of the training stream.


def places(part, ordinals):
    return [int(part.place(tf.constant(ordinal, tf.int64)))
            for ordinal in ordinals]


@pytest.mark.parametrize("batch_size, num_workers", [
    (1, 1), (5, 1), (1, 3), (4, 2), (3, 4)])
def test_the_workers_places_partition_the_stream(batch_size, num_workers):
    num_turns = 5
    of_all = [places(pipeline.WorkerShard(batch_size, worker, num_workers),
                     range(num_turns * batch_size))
              for worker in range(num_workers)]
    assert sorted(sum(of_all, [])) == list(
        range(num_turns * batch_size * num_workers))
    for worker, mine in enumerate(of_all):
        # A batch is of neighbors, and the workers take turns.
        first = worker * batch_size
        assert mine[:batch_size] == list(range(first, first + batch_size))
        assert mine == sorted(mine)


def test_the_only_worker_s_part_is_the_whole_stream():
    assert places(pipeline.WorkerShard(4), [0, 1, 7, 10**12]) == [
        0, 1, 7, 10**12]


def test_two_workers_batches_are_halves_of_one_worker_s():
    whole = list(training_batches(noise_source(7), batch_size=6).take(5))
    for worker in range(2):
        halves = training_batches(noise_source(7), batch_size=3, worker=worker,
                                  num_workers=2).take(5)
        mine = slice(3 * worker, 3 * worker + 3)
        for one, half in zip(whole, halves, strict=True):
            np.testing.assert_array_equal(half.condition, one.condition[mine])
            np.testing.assert_array_equal(half.target, one.target[mine])


def test_a_worker_numbers_its_own_part_without_gaps():
    batches = training_batches(noise_source(7), batch_size=3, worker=1,
                               num_workers=2, first_ordinal=6).take(3)
    np.testing.assert_array_equal(
        np.concatenate([batch.ordinal for batch in batches]), range(6, 15))


# The evaluation stream.


@pytest.mark.parametrize("num_examples, sizes", [
    (1, [1]), (3, [3]), (7, [3, 3, 1]), (6, [3, 3])])
def test_evaluation_keeps_order_and_a_partial_last_batch(num_examples, sizes):
    batches = list(pipeline.evaluation_batches(
        noise_source(num_examples), image_size=8, batch_size=3))
    assert [len(batch.photo) for batch in batches] == sizes
    indices = np.concatenate([batch.index for batch in batches])
    np.testing.assert_array_equal(indices, np.arange(num_examples))


def test_evaluation_takes_the_center_square():
    batch = next(iter(pipeline.evaluation_batches(
        noise_source(3), image_size=8, batch_size=3)))
    assert isinstance(batch, pipeline.EvaluationBatch)
    assert batch.photo.dtype == tf.uint8
    assert batch.photo.shape == (3, 8, 8, 3)
    for index in range(3):
        np.testing.assert_array_equal(
            batch.photo[index],
            augment.center_square(noise(index), image_size=8))


def test_second_evaluation_is_the_same_to_the_bit():
    batches = pipeline.evaluation_batches(
        noise_source(7), image_size=8, batch_size=3)
    assert_same_batches(batches, batches)


def test_degraded_batches_show_other_lightness_and_keep_the_target():
    def batches(**options):
        return list(training_batches(
            noise_source(5), color_space=color.LAB, image_size=64,
            batch_size=5, **options).take(3))

    for clean, degraded in zip(batches(), batches(degraded=True)):
        np.testing.assert_array_equal(clean.condition, clean.shown)
        np.testing.assert_array_equal(clean.condition, degraded.condition)
        np.testing.assert_array_equal(clean.target, degraded.target)
        same = [np.allclose(shown, condition, atol=0.02) for shown, condition
                in zip(degraded.shown, degraded.condition)]
        assert degraded.shown.shape == degraded.condition.shape
        assert not all(same)
    np.testing.assert_array_equal(batches(degraded=True)[2].shown,
                                  degraded.shown)
