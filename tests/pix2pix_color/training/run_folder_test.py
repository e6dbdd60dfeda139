"""A run's folder is claimed by one set of flags and written without gaps."""

import json
import os

import pytest

from pix2pix_color.config import Config, ConfigError, Data, Training
from pix2pix_color.training import run_folder


def test_a_new_folder_holds_the_flags(tmp_path):
    config = Config(data=Data(batch_size=3))
    folder = run_folder.RunFolder(str(tmp_path / "runs" / "one"))
    folder.claim(config)
    assert folder.config() == config
    assert sorted(os.listdir(folder.path)) == [
        "checkpoints", "config.flags", "samples"]


def test_the_same_flags_resume_and_longer_ones_too(tmp_path):
    folder = run_folder.RunFolder(str(tmp_path / "one"))
    folder.claim(Config(training=Training(steps=20)))
    folder.claim(Config(training=Training(steps=40)))
    assert folder.config().training.steps == 40


def test_other_flags_are_refused_by_name_and_change_nothing(tmp_path):
    folder = run_folder.RunFolder(str(tmp_path / "one"))
    folder.claim(Config(data=Data(batch_size=3)))
    with pytest.raises(ConfigError, match=(
            "holds a run made with other flags: --batch_size is 4 now and was "
            "3; --seed is 7 now and was 0")):
        folder.claim(Config(data=Data(batch_size=4), training=Training(seed=7)))
    assert folder.config() == Config(data=Data(batch_size=3))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    folder = run_folder.RunFolder(str(tmp_path))
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        folder.claim(Config())
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_folder_without_a_run_has_no_config(tmp_path):
    with pytest.raises(ConfigError, match="holds no run: there is no config"):
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

    monkeypatch.setattr(run_folder.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        run_folder.write_atomically(str(path), b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]
