"""pix2pix-color starts each command as python -m does."""

import subprocess
import sys

import pytest

from tests.layers_test import COMMANDS, ROOT


def start(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, env={
            "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=False)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_it_lists_all_commands(tmp_path, arguments):
    done = start("pix2pix_color", *arguments, cwd=tmp_path)
    named = {line.split()[0] for line in done.stdout.splitlines()
             if line.startswith("    ")}
    assert named == {name.split(".")[1] for name in COMMANDS} - {"__main__"}
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", sorted(
    set(COMMANDS) - {"pix2pix_color.__main__"}))
def test_a_command_has_the_help_of_its_module(tmp_path, command):
    name = command.split(".")[1]
    done = start("pix2pix_color", name, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "\n  --" in done.stdout and "--helpfull" in done.stdout
    assert done.stdout == start(command, "--help", cwd=tmp_path).stdout


def test_an_error_is_one_line(tmp_path):
    done = start("pix2pix_color", "fot", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        1, "", "error: 'fot' is not a command; commands are colorize, "
        "colorize_archive, demo, fit, evaluate, export, prepare, inspect\n")
    done = start("pix2pix_color", "fit", "--flagfile=pix2pix", "--epochs=0",
                 cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        1, "", "error: --epochs=0 must be at least 1\n")
