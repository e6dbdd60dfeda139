"""The start of commands; the commands' own tests show how they end."""

import contextlib
import gc
import importlib
import os
import pathlib
import subprocess
import sys

import pytest

from data_pipelines import command
from data_pipelines.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


def test_arguments_that_are_not_flags_are_refused():
    with pytest.raises(UserError, match="^Unexpected argument 'steps=3'."):
        command.refuse_arguments(["fit", "steps=3"])
    command.refuse_arguments(["fit"])


def test_a_message_of_several_lines_becomes_one():
    assert command.one_line(ValueError("a\n  b")) == "a b"


def test_standard_error_comes_out_with_a_bug_and_only_then(capfd):
    for error, shown in ((None, ""), (UserError("wrong"), ""),
                         (KeyboardInterrupt(), ""), (KeyError(), "noise\n")):
        with contextlib.suppress(UserError, KeyboardInterrupt, KeyError):
            with command.stderr_held_back():
                os.system("echo noise >&2")
                if error:
                    raise error
        os.write(2, b"after\n")
        assert capfd.readouterr().err == shown + "after\n"


def test_modules_are_never_taken_for_garbage(tmp_path, monkeypatch):
    (tmp_path / "loaded_here.py").write_text(
        "import gc\nis_looked_for = gc.isenabled()\nkept = []\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("loaded_here", "tensorflow"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with command.quiet_tensorflow():
        loaded = importlib.import_module("loaded_here")
    assert not loaded.is_looked_for and gc.isenabled()
    assert not any(each is loaded.kept for each in gc.get_objects())
    with pytest.raises(NameError):
        with command.quiet_tensorflow():
            raise NameError("no_such_name")
    assert gc.isenabled()


@pytest.mark.parametrize("module", [
    "data_pipelines.prepare", "data_pipelines.inspect", "pix2pix_color.fit",
    "pix2pix_color.colorize", "pix2pix_color.evaluate", "pix2pix_color.export",
    "pix2pix_color.demo"])
def test_help_may_be_cut_off(module):
    assert run_into_closed_pipe("-m", module, "--help") == (0, "")


@pytest.mark.parametrize("lines, expected", [
    (1, (0, "")),  # all was done when the output was found closed
    (9999, (1, "error: standard output was closed before the end\n"))])
def test_a_closed_output_is_no_traceback(lines, expected):
    assert run_into_closed_pipe("-c", (
        f"from data_pipelines import command\n"
        f"command.run(lambda _: [print('a line') for _ in range({lines})])"
    )) == expected


def run_into_closed_pipe(*arguments):
    """Runs Python; returns its exit code and what it complains of."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, stdout=writer,
            stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": ""})
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_shared_flags_belong_to_the_command_that_defines_them():
    help_text = subprocess.run(
        [sys.executable, "-m", "data_pipelines.inspect", "--help"], cwd=ROOT,
        capture_output=True, text=True, check=True).stdout
    assert "--data=" in help_text and "--tfds_data_dir=" in help_text


def test_help_lists_flags_in_groups_and_in_order(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        '"""Does something."""\n'
        "from absl import flags\n"
        "from data_pipelines import command\n"
        "flags.DEFINE_bool('zeal', True, 'How eagerly.')\n"
        "flags.DEFINE_integer('big', 7, 'How big.', lower_bound=3)\n"
        "flags.DEFINE_enum('mood', 'dull', ['dull', 'bold'], 'Its mood.')\n"
        "command.run(print, {'First': ['mood']})\n")
    process = subprocess.run(
        [sys.executable, program, "--big=5", "--help"], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True)
    assert process.returncode == 0
    assert process.stdout.startswith("""\
Does something.

First:
  --mood=dull
      <dull|bold>: Its mood.

Other flags:
  --[no]zeal (default: yes)
      How eagerly.
  --big=7
      How big. (integer >= 3)
""")
