"""A run's folder belongs to one set of flags and one process."""

import json
import os

import pytest

from data_pipelines import files
from data_pipelines.errors import UserError
from pix2pix_color import run_folder
from pix2pix_color.config import Config, Data, Training


def test_a_new_folder_holds_the_flags(tmp_path):
    config = Config(data=Data(batch_size=3))
    folder = run_folder.RunFolder(str(tmp_path / "runs" / "one"))
    folder.claim(config)
    assert folder.config() == config
    assert sorted(os.listdir(folder.path)) == [
        ".lock", "checkpoints", "config.flags", "eval", "export", "samples",
        "train"]


def test_the_same_flags_resume_and_longer_ones_too(tmp_path):
    folder = run_folder.RunFolder(str(tmp_path / "one"))
    folder.claim(Config(training=Training(steps=20)))
    again = run_folder.RunFolder(str(tmp_path / "one"))
    del folder  # as its process would end
    again.claim(Config(training=Training(steps=40)))
    again.write_flags(Config(training=Training(steps=40)))
    assert again.config().training.steps == 40


def test_a_folder_that_another_process_trains_in_is_refused(tmp_path):
    one = run_folder.RunFolder(str(tmp_path / "one"))
    one.claim(Config())
    with pytest.raises(UserError, match="another process trains in it"):
        run_folder.RunFolder(str(tmp_path / "one")).claim(Config())
    one.release()
    run_folder.RunFolder(str(tmp_path / "one")).claim(Config())


def test_a_claim_that_was_killed_half_way_is_taken_up(tmp_path):
    (tmp_path / "config.flags.123.tmp").write_text("--batch")
    (tmp_path / ".lock").touch()
    folder = run_folder.RunFolder(str(tmp_path))
    folder.claim(Config())
    assert folder.config() == Config()


def test_a_folder_that_cannot_be_made_is_refused_by_its_flag(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--workdir=.*/file/run cannot be "
                       "used: Not a directory"):
        run_folder.RunFolder(str(tmp_path / "file" / "run")).claim(Config())


def test_other_flags_are_refused_by_name_and_change_nothing(tmp_path):
    folder = run_folder.RunFolder(str(tmp_path / "one"))
    folder.claim(Config(data=Data(batch_size=3)))
    with pytest.raises(UserError, match=(
            "holds a run made with other flags: --batch_size is 4 now and was "
            "3; --seed is 7 now and was 0")):
        folder.claim(Config(data=Data(batch_size=4), training=Training(seed=7)))
    assert folder.config() == Config(data=Data(batch_size=3))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    folder = run_folder.RunFolder(str(tmp_path))
    with pytest.raises(UserError, match="is not empty and holds no run"):
        folder.claim(Config())
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_folder_without_a_run_has_no_config(tmp_path):
    with pytest.raises(UserError, match="holds no run: there is no config"):
        run_folder.RunFolder(str(tmp_path)).config()


def test_run_json_is_read_back(tmp_path):
    folder = run_folder.RunFolder(str(tmp_path))
    facts = {"step": 3, "rejected": {"é.jpg": "cut", "\udce9.jpg": "cut"}}
    folder.write_run_json(facts)
    with open(folder.run_path, encoding="utf-8") as file:
        assert json.load(file) == facts


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(str(path), b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]
