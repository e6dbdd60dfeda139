"""Evaluation refuses an output before the work that it is for."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("output, message", [
    ("/proc/new/m.json", "cannot be written: No such file or directory: /proc"),
    ("m.json", "is a folder; name a file")])
def test_an_output_that_cannot_be_written_is_refused_at_once(
        tmp_path, output, message):
    (tmp_path / "m.json").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pix2pix_color.evaluate",
         f"--output={output}"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert (done.returncode, done.stderr) == (
        1, f"error: --output={output} {message}\n")
