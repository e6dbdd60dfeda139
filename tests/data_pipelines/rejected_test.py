"""Photographs that cannot be read: left out, reported, and limited."""

import io
import itertools
import logging

import numpy as np
import pytest
from PIL import Image

from data_pipelines import pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import open_source
from tests.data_pipelines.streams import (assert_same_batches, example_indices,
                                          noise, training_batches)

WORDS = b"These are words, not an image."


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


def train(rejected, source, *, count, first_ordinal=0, batch_size=4, worker=0,
          num_workers=1, **options):
    """The first batches of the joined training streams, as a list."""
    return list(itertools.islice(rejected.watch_training(
        lambda ordinal: training_batches(
            source, first_ordinal=ordinal, batch_size=batch_size,
            worker=worker, num_workers=num_workers, **options),
        source, seed=0, first_ordinal=first_ordinal,
        part=pipeline.WorkerShard(batch_size, worker, num_workers)), count))


def evaluate(rejected, source, batch_size=3):
    """The batches of the evaluation stream, as a list."""
    return list(rejected.watch_evaluation(pipeline.evaluation_batches(
        source, image_size=8, batch_size=batch_size), source))


def names(rejected):
    """Identities without the data spec before them."""
    return [name.rpartition(": ")[2] for name in rejected.reasons]


def warnings_about(caplog, identity):
    return [record.getMessage() for record in caplog.records
            if record.levelno == logging.WARNING
            and identity in record.getMessage()]


def with_bad(photo_folder, count, *bad):
    """A folder of so many photographs, those at some places bad."""
    return photo_folder(
        *(WORDS if index in bad else None for index in range(count)))


@pytest.mark.parametrize("bad", [0, 2, 4], ids=["first", "middle", "last"])
def test_a_bad_photograph_is_left_out_of_the_evaluation_and_reported(
        photo_folder, caplog, bad):
    rejected = RejectedExamples()
    seen = evaluate(rejected, with_bad(photo_folder, 5, bad))
    assert np.concatenate([batch.index for batch in seen]).tolist() == [
        index for index in range(5) if index != bad]
    assert names(rejected) == [f"{bad}.png"] and len(rejected) == 1
    assert len(warnings_about(caplog, f"{bad}.png")) == 1


@pytest.mark.parametrize("place", [0, 2, 4], ids=["first", "middle", "last"])
def test_a_bad_photograph_is_left_out_of_training_and_reported_once(
        photo_folder, caplog, place):
    [bad] = example_indices([place], num_examples=5)
    rejected = RejectedExamples()
    seen = train(rejected, with_bad(photo_folder, 5, bad), count=4,
                 batch_size=3)
    assert [len(batch.ordinal) for batch in seen] == [3, 3, 3, 3]
    readable = [ordinal for ordinal, index in enumerate(
        example_indices(range(40), num_examples=5)) if index != bad]
    assert np.concatenate(
        [batch.ordinal for batch in seen]).tolist() == readable[:12]
    assert names(rejected) == [f"{bad}.png"]
    assert len(warnings_about(caplog, f"{bad}.png")) == 1


@pytest.mark.parametrize("worker, is_its", [(0, False), (1, True)])
def test_a_bad_photograph_is_reported_by_the_worker_that_would_read_it(
        photo_folder, worker, is_its):
    # Two batches of two for each worker: eight places, one of them bad.
    [bad] = example_indices([6], num_examples=8)
    rejected = RejectedExamples()
    seen = train(rejected, with_bad(photo_folder, 8, bad), count=2,
                 batch_size=2, worker=worker, num_workers=2)
    assert names(rejected) == [f"{bad}.png"] * is_its
    # The worker's own part makes up for what is missing.
    assert [batch.ordinal.numpy().tolist() for batch in seen] == [
        [0, 1], [3, 4] if is_its else [2, 3]]


def test_training_resumes_behind_a_bad_photograph(photo_folder):
    source = with_bad(photo_folder, 5, 1)
    whole = list(training_batches(source, batch_size=3).take(8))
    assert_same_batches(training_batches(source, batch_size=3).take(8), whole)
    for num_seen in (1, 4):
        first_ordinal = int(whole[num_seen - 1].ordinal[-1]) + 1
        rejected = RejectedExamples()
        resumed = train(rejected, source, count=8 - num_seen, batch_size=3,
                        first_ordinal=first_ordinal)
        assert_same_batches(resumed, whole[num_seen:])
        assert names(rejected) == ["1.png"]


def test_reason_is_one_readable_line(photo_folder, tmp_path):
    source = photo_folder(
        WORDS, b"", b"\x89PNG\r\n\x1a\n" + bytes(30),
        b"\xff\xd8\xff\xe0" + bytes(30), None, None)
    (tmp_path / "5.png").unlink()
    rejected = RejectedExamples()
    evaluate(rejected, source)
    assert names(rejected) == [f"{number}.png" for number in (0, 1, 2, 3, 5)]
    for text, expected in zip(
            rejected.reasons.values(),
            ["the format is none of JPEG, "] * 2
            + ["a damaged PNG, without a header", "JPEG", "No such file"],
            strict=True):
        assert expected in text
        for noise_of_tensorflow in ("\n", "{{", "}}", "[Op:", "device:"):
            assert noise_of_tensorflow not in text


def test_training_and_evaluation_share_one_list(photo_folder, caplog):
    source = with_bad(photo_folder, 3, 1)
    rejected = RejectedExamples()
    evaluate(rejected, source)
    train(rejected, source, count=3)
    assert names(rejected) == ["1.png"]
    assert len(warnings_about(caplog, "1.png")) == 1


def test_nothing_is_rejected_if_everything_can_be_read(photo_folder, caplog):
    source = photo_folder(None, None, None)
    rejected = RejectedExamples()
    assert len(train(rejected, source, count=3, first_ordinal=7)) == 3
    assert len(evaluate(rejected, source)) == 1
    assert rejected.reasons == {} and len(rejected) == 0
    assert not warnings_about(caplog, ".png")


@pytest.mark.parametrize("read", [
    lambda *args: train(*args, count=1), evaluate],
    ids=["training", "evaluation"])
def test_a_source_of_nothing_but_bad_photographs_is_refused(
        photo_folder, read):
    rejected = RejectedExamples()
    with pytest.raises(UserError, match=(
            r"^--data=folder:.*: none of its 3 photograph\(s\) can be read; "
            r"the first, 0\.png: the format is none of JPEG, ")):
        read(rejected, photo_folder(WORDS, WORDS, b""))
    assert names(rejected) == ["0.png", "1.png", "2.png"]


def test_sample_photos_are_all_read_in_one_epoch():
    source = open_source("sample_photos", flag="--data")
    rejected = RejectedExamples()
    seen = train(rejected, source, count=4, batch_size=16, image_size=32)
    indices = example_indices(
        np.concatenate([batch.ordinal for batch in seen]), num_examples=64)
    assert sorted(indices) == list(range(64))
    assert rejected.reasons == {}


@pytest.mark.parametrize("bad, limit, is_refused", [
    (1, 0.01, False),  # a single one never stops a run
    (2, 0.01, True), (2, 0.1, False), (3, 0.1, True)])
def test_too_many_bad_photographs_are_refused_with_the_list(
        photo_folder, bad, limit, is_refused):
    source = with_bad(photo_folder, 20, *range(bad))
    rejected = RejectedExamples(limit)
    if not is_refused:
        evaluate(rejected, source)
        assert len(rejected) == bad
        return
    with pytest.raises(UserError, match=(
            rf"{bad} of 20 photographs cannot be read, more than "
            rf"--max_bad_fraction={limit} allows: 0.png \(.*\), 1.png")):
        evaluate(rejected, source)


def test_streams_are_joined_without_a_seam(photo_folder):
    source = with_bad(photo_folder, 5, 1)
    whole, joined = (
        train(RejectedExamples(), source, count=12, batch_size=3, **options)
        for options in ({}, {"num_ordinals": 8}))
    assert_same_batches(joined, whole)


def test_photographs_that_vanish_end_the_stream(photo_folder, tmp_path):
    source = photo_folder(None, None, None)
    rejected = RejectedExamples()
    batches = rejected.watch_training(
        lambda ordinal: training_batches(
            source, first_ordinal=ordinal, num_ordinals=60),
        source, seed=0, first_ordinal=0)
    next(batches)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match="none of its 3 photograph"):
        for _ in range(1000):
            next(batches)
    assert sorted(names(rejected)) == ["0.png", "1.png", "2.png"]
