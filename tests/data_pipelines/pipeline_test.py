"""The streams of batches: order, resumption, and photographs that fail."""

import io
import itertools
import logging
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import augment, color, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source, open_source

# The bytes as they are: quicker than Lab where only the order matters.
BYTES = color.ColorSpace(
    name="bytes", condition_channels=1, target_channels=2,
    encode=lambda rgb: tuple(tf.split(tf.cast(rgb, tf.float32), [1, 2], -1)),
    decode=lambda *channels: tf.cast(tf.concat(channels, -1), tf.uint8),
    decode_floats=lambda *channels: tf.concat(channels, -1),
    ab_of=lambda target: target)


def noise(index):
    """uint8 [20, 24, 3], another picture for each index."""
    return tf.cast(tf.random.stateless_uniform(
        [20, 24, 3], tf.stack([0, tf.cast(index, tf.int32)]), 0, 256,
        tf.int32), tf.uint8)


def noise_source(num_examples, load=noise):
    return Source(origin="--data=noise",
                  identities=[str(index) for index in range(num_examples)],
                  load=load)


def numbered_source(num_examples):
    """Plain gray photographs; numbers_shown tells which ones are in a batch."""
    def load(index):
        return tf.fill([4, 5, 3], tf.cast(index, tf.uint8))

    return noise_source(num_examples, load)


def numbers_shown(batch):
    return batch.condition.numpy()[:, 0, 0, 0].tolist()


def training_batches(source, *, color_space=BYTES, batch_size=4, worker=0,
                     num_workers=1, seed=0, first_ordinal=0, image_size=8,
                     **options):
    return pipeline.training_batches(
        source, color_space=color_space, image_size=image_size, **options,
        resize_size=image_size + 1, seed=seed, first_ordinal=first_ordinal,
        part=pipeline.WorkerShard(batch_size, worker, num_workers))


def example_indices(ordinals, *, num_examples, seed=0):
    dataset = tf.data.Dataset.from_tensor_slices(
        np.asarray(ordinals, np.int64)).map(
            lambda ordinal: pipeline.example_index(
                ordinal, num_examples=num_examples, seed=seed))
    return [int(index) for index in dataset.as_numpy_iterator()]


def epochs_of(num_examples, *, num_epochs, seed=0):
    """The order of each epoch, a list of lists."""
    indices = example_indices(range(num_epochs * num_examples),
                              num_examples=num_examples, seed=seed)
    return [indices[start:start + num_examples]
            for start in range(0, len(indices), num_examples)]


def assert_same_batches(actual, expected):
    actual, expected = list(actual), list(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected):
        for tensor, reference in zip(one, other):
            np.testing.assert_array_equal(tensor, reference)


@pytest.fixture
def photo_folder(tmp_path):
    """A function that fills a folder: bytes, or None for a good photograph."""
    def make(*contents):
        for index, content in enumerate(contents):
            if content is None:
                file = io.BytesIO()
                Image.fromarray(noise(index).numpy()).save(file, "PNG")
                content = file.getvalue()
            (tmp_path / f"{index}.png").write_bytes(content)
        return open_source(f"folder:{tmp_path}", flag="--data")

    return make


def watch(rejected, source, *, count, first_ordinal=0, batch_size=4, worker=0,
          num_workers=1, **options):
    """The first batches of the joined streams, as a list."""
    return list(itertools.islice(rejected.watch_training(
        lambda ordinal: training_batches(
            source, first_ordinal=ordinal, batch_size=batch_size,
            worker=worker, num_workers=num_workers, **options),
        source, seed=0, first_ordinal=first_ordinal,
        part=pipeline.WorkerShard(batch_size, worker, num_workers)), count))


def names(rejected):
    """Identities alone, without the data spec before them."""
    return [name.rpartition(": ")[2] for name in rejected.reasons]


def warnings_about(caplog, identity):
    return [record.getMessage() for record in caplog.records
            if record.levelno == logging.WARNING
            and identity in record.getMessage()]


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
        shown=tf.TensorSpec([5, 8, 8, 1], tf.float32))


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


def test_second_iteration_gives_the_same_stream_to_the_bit():
    batches = training_batches(
        noise_source(7), color_space=color.LAB).take(5)
    assert_same_batches(batches, batches)


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


# Photographs that cannot be read.

WORDS = b"These are words, and no image."


@pytest.mark.parametrize("bad", [0, 2, 4], ids=["first", "middle", "last"])
def test_corrupt_photograph_is_left_out_of_the_evaluation_and_named(
        photo_folder, caplog, bad):
    source = photo_folder(
        *(WORDS if index == bad else None for index in range(5)))
    batches = pipeline.evaluation_batches(
        source, image_size=8, batch_size=3)
    rejected = RejectedExamples()
    seen = list(rejected.watch_evaluation(batches, source))
    assert np.concatenate([batch.index for batch in seen]).tolist() == [
        index for index in range(5) if index != bad]
    assert names(rejected) == [f"{bad}.png"]
    assert len(rejected) == 1
    assert len(warnings_about(caplog, f"{bad}.png")) == 1


@pytest.mark.parametrize("place", [0, 2, 4], ids=["first", "middle", "last"])
def test_corrupt_photograph_is_left_out_of_training_and_named_once(
        photo_folder, caplog, place):
    [bad] = example_indices([place], num_examples=5)
    source = photo_folder(
        *(WORDS if index == bad else None for index in range(5)))
    rejected = RejectedExamples()
    seen = watch(rejected, source, count=4, batch_size=3)
    assert [len(batch.ordinal) for batch in seen] == [3, 3, 3, 3]
    ordinals = np.concatenate([batch.ordinal for batch in seen])
    readable = [ordinal for ordinal, index in enumerate(
        example_indices(range(40), num_examples=5)) if index != bad]
    assert ordinals.tolist() == readable[:12]
    assert names(rejected) == [f"{bad}.png"]
    assert len(warnings_about(caplog, f"{bad}.png")) == 1


@pytest.mark.parametrize("worker, is_its", [(0, False), (1, True)])
def test_corrupt_photograph_is_named_by_the_worker_whose_part_it_is_in(
        photo_folder, worker, is_its):
    # Two batches of two for each worker: eight places, one of them bad.
    [bad] = example_indices([6], num_examples=8)
    source = photo_folder(
        *(WORDS if index == bad else None for index in range(8)))
    rejected = RejectedExamples()
    seen = watch(rejected, source, count=2, batch_size=2, worker=worker,
                 num_workers=2)
    assert names(rejected) == [f"{bad}.png"] * is_its
    # What is missing is made up for from the worker's own part.
    assert [batch.ordinal.numpy().tolist() for batch in seen] == [
        [0, 1], [3, 4] if is_its else [2, 3]]


def test_training_resumes_behind_a_corrupt_photograph(photo_folder):
    source = photo_folder(None, WORDS, None, None, None)
    whole = list(training_batches(source, batch_size=3).take(8))
    for num_seen in (1, 4):
        first_ordinal = int(whole[num_seen - 1].ordinal[-1]) + 1
        rejected = RejectedExamples()
        resumed = watch(rejected, source, count=8 - num_seen, batch_size=3,
                        first_ordinal=first_ordinal)
        assert_same_batches(resumed, whole[num_seen:])
        assert names(rejected) == ["1.png"]


def test_same_photographs_are_seen_with_a_corrupt_one_between(photo_folder):
    source = photo_folder(WORDS, None, None, None, None)
    batches = training_batches(source, batch_size=3).take(6)
    assert_same_batches(batches, batches)


def test_reason_is_one_readable_line(photo_folder):
    source = photo_folder(
        WORDS, b"", b"\x89PNG\r\n\x1a\n" + bytes(30),
        b"\xff\xd8\xff\xe0" + bytes(30), None)
    rejected = RejectedExamples()
    list(rejected.watch_evaluation(pipeline.evaluation_batches(
        source, image_size=8, batch_size=2), source))
    for text, expected in zip(
            rejected.reasons.values(),
            ["Unknown image file format", "empty", "PNG", "JPEG"],
            strict=True):
        assert expected in text
        for noise_of_tensorflow in ("\n", "{{", "}}", "[Op:", "device:"):
            assert noise_of_tensorflow not in text


def test_file_that_vanished_is_named_with_its_reason(photo_folder, tmp_path):
    source = photo_folder(None, None, None)
    (tmp_path / "1.png").unlink()
    rejected = RejectedExamples()
    seen = list(rejected.watch_evaluation(pipeline.evaluation_batches(
        source, image_size=8, batch_size=3), source))
    assert seen[0].index.numpy().tolist() == [0, 2]
    assert "No such file" in str(rejected.reasons)


def test_every_corrupt_photograph_is_named_in_order(photo_folder):
    source = photo_folder(WORDS, b"", None, None, WORDS, b"", None, WORDS)
    rejected = RejectedExamples()
    list(rejected.watch_evaluation(pipeline.evaluation_batches(
        source, image_size=8, batch_size=2), source))
    assert names(rejected) == [
        "0.png", "1.png", "4.png", "5.png", "7.png"]


def test_training_and_evaluation_share_one_list(photo_folder, caplog):
    source = photo_folder(None, WORDS, None)
    rejected = RejectedExamples()
    list(rejected.watch_evaluation(pipeline.evaluation_batches(
        source, image_size=8, batch_size=2), source))
    watch(rejected, source, count=3)
    assert names(rejected) == ["1.png"]
    assert len(warnings_about(caplog, "1.png")) == 1


def test_nothing_is_rejected_where_all_can_be_read(photo_folder, caplog):
    source = photo_folder(None, None, None)
    rejected = RejectedExamples()
    trained = watch(rejected, source, count=3, first_ordinal=7)
    evaluated = list(rejected.watch_evaluation(pipeline.evaluation_batches(
        source, image_size=8, batch_size=2), source))
    assert len(trained) == 3 and len(evaluated) == 2
    assert rejected.reasons == {}
    assert len(rejected) == 0
    assert not warnings_about(caplog, ".png")


NONE_READABLE = (r"^--data=folder:.*: none of its 3 photograph\(s\) can be "
                 r"read; the first, 0\.png: .*Unknown image file format")


def test_training_on_nothing_but_corrupt_photographs_is_refused(photo_folder):
    source = photo_folder(WORDS, WORDS, b"")
    rejected = RejectedExamples()
    with pytest.raises(UserError, match=NONE_READABLE):
        watch(rejected, source, count=1)
    assert names(rejected) == ["0.png", "1.png", "2.png"]


def test_evaluation_of_nothing_but_corrupt_photographs_is_refused(
        photo_folder):
    source = photo_folder(WORDS, WORDS, b"")
    batches = pipeline.evaluation_batches(source, image_size=8, batch_size=2)
    rejected = RejectedExamples()
    with pytest.raises(UserError, match=NONE_READABLE):
        list(rejected.watch_evaluation(batches, source))
    assert names(rejected) == ["0.png", "1.png", "2.png"]


def test_sample_photos_are_all_read_in_one_epoch():
    source = open_source("sample_photos", flag="--data")
    rejected = RejectedExamples()
    seen = watch(rejected, source, count=4, batch_size=16, image_size=32)
    indices = example_indices(
        np.concatenate([batch.ordinal for batch in seen]), num_examples=64)
    assert sorted(indices) == list(range(64))
    assert rejected.reasons == {}


@pytest.mark.parametrize("count, bad, limit, is_refused", [
    (20, 1, 0.01, False),  # a single one never stops a run
    (20, 2, 0.01, True), (20, 2, 0.1, False), (20, 3, 0.1, True)])
def test_too_many_corrupt_photographs_are_refused_with_the_list(
        photo_folder, count, bad, limit, is_refused):
    source = photo_folder(*[WORDS] * bad, *[None] * (count - bad))
    batches = pipeline.evaluation_batches(source, image_size=8, batch_size=4)
    rejected = RejectedExamples(limit)
    if not is_refused:
        list(rejected.watch_evaluation(batches, source))
        assert len(rejected) == bad
        return
    with pytest.raises(UserError, match=(
            rf"{bad} of 20 photographs cannot be read, more than "
            rf"--max_bad_fraction={limit} allows: 0.png \(.*\), 1.png")):
        list(rejected.watch_evaluation(batches, source))


def test_streams_are_joined_without_a_seam(photo_folder, monkeypatch):
    source = photo_folder(None, WORDS, None, None, None)
    whole = watch(RejectedExamples(), source, count=12, batch_size=3)
    monkeypatch.setattr(pipeline, "_ORDINALS_A_STREAM", 8)
    joined = watch(RejectedExamples(), source, count=12, batch_size=3)
    for one, other in zip(whole, joined):
        np.testing.assert_array_equal(one.ordinal, other.ordinal)
        np.testing.assert_array_equal(one.target, other.target)


def test_photographs_that_vanish_end_the_stream(
        photo_folder, tmp_path, monkeypatch):
    source = photo_folder(None, None, None)
    monkeypatch.setattr(pipeline, "_ORDINALS_A_STREAM", 60)
    rejected = RejectedExamples()
    batches = rejected.watch_training(
        lambda ordinal: training_batches(source, first_ordinal=ordinal),
        source, seed=0, first_ordinal=0)
    next(batches)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match="none of its 3 photograph"):
        for _ in range(1000):
            next(batches)
    assert sorted(names(rejected)) == ["0.png", "1.png", "2.png"]


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
