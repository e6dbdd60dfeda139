"""A second device where there is only one."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.pix2pix_color.vivid_model import export_dir  # noqa: F401, fixture

ROOT = pathlib.Path(__file__).parents[2]

_TWO_DEVICES = """
import tensorflow as tf
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2)
"""


@pytest.fixture(scope="session")
def on_two_devices():
    """A function that runs a program on two CPU devices; returns its output.

    A process of its own, since devices are divided before their first use.
    """
    def run(program):
        done = subprocess.run(
            [sys.executable, "-c", _TWO_DEVICES + program],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
            text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
