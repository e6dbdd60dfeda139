"""The split of examples into training and evaluation."""

import numpy as np
import pytest

from data_pipelines import split
from data_pipelines.errors import UserError
from data_pipelines.sources import open_source

NAMES = [f"photo {number:03}.jpg" for number in range(60)]


def fill(directory, names):
    """The spec of a folder with a file at each of these names."""
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_bytes(b"")
    return f"folder:{directory}"


def open_split(data, *, eval_data="", eval_fraction=0.25, train_examples=0,
               eval_examples=0):
    """The identities of the training and of the evaluation examples."""
    train, evaluation = split.open_train_and_eval(
        data=data, eval_data=eval_data, eval_fraction=eval_fraction,
        train_examples=train_examples, eval_examples=eval_examples)
    return list(train.identities), list(evaluation.identities)


@pytest.mark.parametrize("identity, leading_digits", [
    # printf 'photo.jpg' | sha256sum, the first 16 of its digits
    ("photo.jpg", 0xaff6100bd4df0ea6),
    ("a/ü b.png", 0x4701f0214ec631b5),
])
def test_hash_fraction_is_the_start_of_sha_256(identity, leading_digits):
    assert split.hash_fraction(identity) == leading_digits / 2**64


def test_hash_fraction_takes_a_name_that_is_not_utf_8():
    assert 0.0 <= split.hash_fraction("caf\udce9.jpg") < 1.0


def test_hash_fractions_spread_evenly():
    fractions = [split.hash_fraction(f"{n}.jpg") for n in range(4000)]
    counts, _ = np.histogram(fractions, bins=10, range=(0.0, 1.0))
    assert counts.min() > 340 and counts.max() < 460


def test_evaluation_is_what_hashes_below_the_fraction(tmp_path):
    train, evaluation = open_split(fill(tmp_path / "photos", NAMES))
    assert evaluation == [
        name for name in NAMES if split.hash_fraction(name) < 0.25]
    assert train == [
        name for name in NAMES if split.hash_fraction(name) >= 0.25]
    assert 5 <= len(evaluation) <= 25


def test_larger_fraction_only_adds_to_the_evaluation(tmp_path):
    data = fill(tmp_path / "photos", NAMES)
    _, small = open_split(data, eval_fraction=0.1)
    _, large = open_split(data, eval_fraction=0.5)
    assert set(small) < set(large)


def test_adding_or_removing_files_moves_no_other_file(tmp_path):
    train, evaluation = open_split(fill(tmp_path / "photos", NAMES))
    more = [f"a new one {number}.jpg" for number in range(40)]
    train_after, evaluation_after = open_split(fill(tmp_path / "photos", more))
    assert len(train_after) + len(evaluation_after) == 100
    assert [name for name in train_after if name in NAMES] == train
    assert [name for name in evaluation_after if name in NAMES] == evaluation
    for name in more:
        (tmp_path / "photos" / name).unlink()
    assert open_split(f"folder:{tmp_path / 'photos'}") == (train, evaluation)


def test_sample_photos_hold_out_their_own_8_whatever_the_fraction():
    for eval_fraction in (0.0, 0.25, 1.0):
        train, evaluation = open_split(
            "sample_photos", eval_fraction=eval_fraction)
        assert len(train) == 56 and len(evaluation) == 8
        assert "skimage_coffee.jpg" in evaluation
        assert not set(train) & set(evaluation)


def test_with_eval_data_nothing_is_split_off(tmp_path):
    data = fill(tmp_path / "photos", NAMES)
    eval_data = fill(tmp_path / "others", ["a.jpg", "b.jpg"])
    train, evaluation = open_split(
        data, eval_data=eval_data, eval_fraction=0.5)
    assert train == NAMES
    assert evaluation == ["a.jpg", "b.jpg"]
    # One photograph is enough.
    one = fill(tmp_path / "one", NAMES[:1])
    assert open_split(one, eval_data=one) == (NAMES[:1], NAMES[:1])


def test_sides_load_their_own_photographs():
    train, evaluation = split.open_train_and_eval(
        data="sample_photos", eval_data="", eval_fraction=0.1,
        train_examples=0, eval_examples=0)
    everything = open_source("sample_photos", flag="--data")
    for side, index in ((train, 40), (evaluation, 6)):
        place = everything.identities.index(side.identities[index])
        np.testing.assert_array_equal(
            side.load(index), everything.load(place))


@pytest.mark.parametrize("train_examples, eval_examples", [
    (1, 1), (10, 3), (10, 0), (0, 3), (0, 0), (1000, 1000)])
def test_limits_keep_the_lowest_hashes_in_order(
        tmp_path, train_examples, eval_examples):
    data = fill(tmp_path / "photos", NAMES)
    sides = open_split(data)
    limited = open_split(data, train_examples=train_examples,
                         eval_examples=eval_examples)
    for side, kept, limit in zip(
            sides, limited, (train_examples, eval_examples)):
        lowest = sorted(side, key=split.hash_fraction)[:limit or len(side)]
        assert kept == [name for name in side if name in lowest]
        assert len(kept) == min(limit or len(side), len(side))


def test_limit_applies_to_eval_data(tmp_path):
    data = fill(tmp_path / "photos", NAMES)
    _, evaluation = open_split(data, eval_data=data, eval_examples=7)
    assert len(evaluation) == 7 and set(evaluation) < set(NAMES)


def test_adding_a_file_replaces_at_most_one_under_a_limit(tmp_path):
    data = fill(tmp_path / "photos", NAMES)
    before, _ = open_split(data, train_examples=20)
    fill(tmp_path / "photos", ["a new one.jpg"])
    after, _ = open_split(data, train_examples=20)
    assert len(set(before) - set(after)) <= 1


@pytest.mark.parametrize("count, eval_fraction, side, advice", [
    (60, 0.0, "evaluation", "--eval_fraction="),
    (60, 1.0, "training", "--eval_fraction="),
    (1, 0.5, "(evaluation|training)", "more photographs")])
def test_side_without_photographs_is_refused(
        tmp_path, count, eval_fraction, side, advice):
    data = fill(tmp_path / "photos", NAMES[:count])
    with pytest.raises(
            UserError, match=rf"^--data=folder:.*: its {count} photograph\(s\) "
            rf"leave none for {side} at --eval_fraction={eval_fraction}; "
            rf"use --eval_data or {advice}"):
        open_split(data, eval_fraction=eval_fraction)


def test_message_names_the_flag_that_is_wrong(tmp_path):
    data = fill(tmp_path / "photos", NAMES)
    with pytest.raises(UserError, match="^--eval_data=folder:/no/such: "):
        open_split(data, eval_data="folder:/no/such")
    with pytest.raises(UserError, match="^--data=folder:/no/such: "):
        open_split("folder:/no/such", eval_data=data)


def test_what_a_source_sets_aside_is_never_trained_on():
    train, evaluation = split.open_train_and_eval(
        data="sample_photos", eval_data="sample_photos", eval_fraction=0.1,
        train_examples=0, eval_examples=0)
    assert len(train) == 56 and len(evaluation) == 64
    assert not train.held_out.intersection(train.identities)
