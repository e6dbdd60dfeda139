"""Photographs that came and went, told by their names."""

import numpy as np
import pytest

from data_pipelines.sources.source import Source
from pix2pix_color.training.photograph_sets import PhotographSets


def sets_of(train, evaluation):
    return PhotographSets(*(
        Source(origin="--data=folder:x", identities=names, load=lambda index: 0)
        for names in (train, evaluation)))


@pytest.mark.parametrize("train, evaluation, expected", [
    ("abc", "de", ""), ("cab", "ed", ""),
    ("abcfg", "de", "2 training photograph(s) added, 0 removed"),
    ("bf", "d", "1 training photograph(s) added, 2 removed; "
                "0 evaluation photograph(s) added, 1 removed")])
def test_additions_and_removals_are_counted(
        tmp_path, train, evaluation, expected):
    path = str(tmp_path / "photographs.npz")
    before = sets_of("abc", ["d", "e"])
    before.write(path)
    now = sets_of(train, list(evaluation))
    assert now.changes_since(path) == expected
    assert (now.evaluation_digest == before.evaluation_digest) == (
        "evaluation" not in expected)


def test_a_set_is_small_and_names_may_be_no_text(tmp_path):
    path = tmp_path / "photographs.npz"
    sets_of([f"\udce9/{number}" for number in range(1000)], ["a"]).write(path)
    assert path.stat().st_size < 9000
    assert sets_of(["a"], ["a"]).changes_since(str(path)) == (
        "1 training photograph(s) added, 1000 removed")


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 damaged"])
def test_a_file_that_is_missing_or_damaged_tells_nothing(tmp_path, content):
    path = tmp_path / "photographs.npz"
    if content is not None:
        path.write_bytes(content)
    assert sets_of("a", "b").changes_since(str(path)) == ""
    np.savez(path, training=np.zeros(1, np.uint64))
    assert sets_of("a", "b").changes_since(str(path)) == ""
