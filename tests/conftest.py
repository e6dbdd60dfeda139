"""TensorFlow as users have it, but for its warnings; disks that fill up."""

import gc
import os
import pathlib
import subprocess

import pytest

# As data_pipelines.command.load does it: modules are never garbage.
gc.disable()
# Before anything imports TensorFlow; the package asks for the rest.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import data_pipelines  # noqa: E402, F401

# Files whose tests wait longest, so that they do not run alone at the end.
_FIRST = ("distribution_test.py", "commands_test.py", "killed_test.py",
          "prepare_test.py", "train_step_test.py", "colorizer_test.py",
          "color_space_test.py", "inspect_test.py", "decode_fuzz_test.py",
          "gallery_test.py", "session_test.py", "train_state_test.py",
          "error_vs_color_test.py")


def pytest_collection_modifyitems(items):
    """Brings the slowest files to the front, each as it was."""
    items.sort(key=lambda item: _FIRST.index(item.path.name)
               if item.path.name in _FIRST else len(_FIRST))


def pytest_collection_finish():
    """Looks for garbage again, among what tests make."""
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
            pytest.skip(f"no right to mount a small disk: {done.stderr}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
