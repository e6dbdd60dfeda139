"""Settings of all tests, and disks that fill up."""

import gc
import os
import pathlib
import subprocess

import pytest

# As command.quiet_tensorflow does: modules are never garbage.
gc.disable()
# Before anything imports TensorFlow; the package sets the other variables.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import data_pipelines  # noqa: E402, F401


def pytest_collection_modifyitems(items):
    """Starts with the longest files, so that none of them runs alone at last.

    Each file goes to one worker.
    """
    items.sort(key=lambda item: (-item.path.stat().st_size, item.path))


def pytest_collection_finish():
    """Turns the garbage collector on again, for what the tests create."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of so many KiB and returns its folder."""
    mounted: list[pathlib.Path] = []

    def mount(kibibytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs",
             folder], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted: {done.stderr}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
