"""Make hands paths on as they were written."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ODD = "it's \"a\" $HOME $(shell echo b) `c` \\ #d.jpg"


@pytest.fixture
def make(tmp_path):
    """Runs make with a Python that only tells its arguments."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        f"import json, sys\n"
        f"with open({str(tmp_path / 'told')!r}, 'a') as told:\n"
        f"    print(json.dumps(sys.argv[1:]), file=told)\n")
    python.chmod(0o755)
    for name in ("runtime", "demo", "test"):
        (tmp_path / f"installed-{name}").touch()

    def run(*arguments):
        subprocess.run(["make", f"VENV={tmp_path}", *arguments], cwd=ROOT,
                       capture_output=True, check=True, timeout=60,
                       # A make that runs these tests hands its own on.
                       env={**os.environ, "MAKEFLAGS": "", "TORCH": "",
                            "GPU": ""})
        told = (tmp_path / "told").read_text().splitlines()
        return [json.loads(line) for line in told]

    return run


@pytest.mark.parametrize("target, variable, expected", [
    ("train", "FLAGS", [f"--flagfile={ODD}"]),
    ("colorize", "PHOTO", ["--", ODD]),
    ("demo", "RUN", [f"--model={ODD}"]),
    ("export", "RUN", [f"--run={ODD}"]),
    ("tensorboard", "RUN", ["--logdir", ODD]),
    ("evaluate", "RUN", [f"--model={ODD}", "--data=",
                         f"--output={ODD}/evaluation/metrics.json"]),
    ("evaluate", "DATA", [
        f"--data={ODD}",
        "--output=runs/trained_colorizer/evaluation/metrics.json"])])
def test_a_path_arrives_as_it_was_written(make, target, variable, expected):
    (_, _, *arguments), = make(target, f"{variable}={ODD}")
    assert arguments == expected


def test_a_path_of_the_environment_arrives_too(make, monkeypatch):
    monkeypatch.setenv("PHOTO", ODD)
    assert make("colorize")[0][-1] == ODD


def test_without_a_run_the_trained_colorizer_answers(make):
    (_, module, *arguments), = make("colorize", "PHOTO=a.jpg")
    assert (module, arguments) == ("pix2pix_color.colorize", ["--", "a.jpg"])


def test_benchmarks_are_written_where_they_are_wanted(make, tmp_path):
    folder = tmp_path / "a $b"
    told = make("bench", f"BENCH={folder}", "RUN=c $d")
    assert folder.is_dir()
    assert [arguments[-1] for arguments in told] == [
        f"--output={folder}/{name}.json"
        for name in ("input_pipeline", "train_step", "fit", "colorize")]
    assert "--models=c $d" in told[-1]
