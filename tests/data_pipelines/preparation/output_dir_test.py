"""The places where prepare may write."""

import os

import pytest

from data_pipelines.preparation.settings import ENCODINGS
from tests.data_pipelines.preparation.scenes import (prepare, read_back,
                                                     save_scenes)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_folder_may_look_like_a_pattern(tmp_path, encoding):
    save_scenes(tmp_path / "in", 2)
    output_dir = tmp_path / "a [1]" / "*x?"
    output_dir.parent.mkdir()
    (tmp_path / "a 1").mkdir()  # what the pattern would match
    prepare(f"folder:{tmp_path / 'in'}", output_dir, encoding=encoding)
    assert os.listdir(output_dir.parent) == ["*x?"]
    assert {name: rgb.shape for name, rgb in read_back(output_dir).items()} == {
        "000.png": (64, 85, 3), "001.png": (64, 85, 3)}
