"""Every flag for a path, of every command, knows home folders."""

import ast
import functools
import os
import subprocess
import sys

import pytest
from absl import flags

from data_pipelines import command
from pix2pix_color import config_flags
from pix2pix_color.config import Config
from tests.layers_test import MODULES, ROOT

# All flags of text that name no file or folder.
NO_PATHS = {
    "beam_options", "checkpoint", "epochs", "host", "kind", "leave_out",
    "photo", "profile_steps", "repeated", "shape", "shapes"}
PATHS = {
    "classifier_weights", "compare_with", "encoder_weights", "head_run",
    "hints", "inception_weights", "initial_weights", "input", "input_list",
    "judge_weights", "model", "models", "output", "output_dir", "photos",
    "reference", "run", "tfds_data_dir", "workdir"}
DATA = {"data", "eval_data"}
HOME = "/home/of mine"


def defined_flags():
    """The flags that modules define: name, and what defines it."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (isinstance(node, ast.Call) and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and isinstance(node.func, ast.Attribute | ast.Name)):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield node.args[0].value, name.lower()


def options_of_text():
    """The options of fit that take any text, and what they hold."""
    return {field.name: field.metadata["holds"]
            for field, default in Config().options()
            if isinstance(default, str) and not field.metadata["choices"]}


def test_every_flag_of_text_is_known_and_every_path_expands():
    plain = {name for name, how in defined_flags() if how in (
        "define_string", "define_list", "define_multi_string", "define")}
    paths = {name for name, how in defined_flags()
             if how in ("define_path", "define_paths")}
    data = {name for name, how in defined_flags() if how == "define_data"}
    for name, holds in options_of_text().items():
        {"": plain, "path": paths, "data": data}[holds].add(name)
    assert plain <= NO_PATHS | {"flagfile"}
    assert (paths, data) == (PATHS, DATA)


@pytest.mark.parametrize("define, given, expected", [
    (command.define_path, "~/a b", f"{HOME}/a b"),
    (command.define_path, "~", HOME),
    (command.define_path, "~root/a", f"{os.path.expanduser('~root')}/a"),
    (command.define_path, "a/~/b", "a/~/b"),
    (command.define_paths, "~/a,colorizer,~/b",
     [f"{HOME}/a", "colorizer", f"{HOME}/b"])])
def test_a_path_expands_its_home_folder(monkeypatch, define, given, expected):
    monkeypatch.setenv("HOME", HOME)
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "DEFINE", functools.partial(
        flags.DEFINE, flag_values=values))
    define("one", None, "")
    values(["", f"--one={given}"])
    assert values.one == expected


@pytest.mark.parametrize("given, expected", [
    ("folder:~/x", f"folder:{HOME}/x"), ("shards:~", f"shards:{HOME}"),
    ("kaggle_npy:~/x", f"kaggle_npy:{HOME}/x"),
    ("paired:a,~/b,c", f"paired:a,{HOME}/b,c"),
    ("tfds:name@train[:10%]#a", "tfds:name@train[:10%]#a"),
    ("folder:./~/x", "folder:./~/x"), ("sample_photos", "sample_photos"),
    ("folder:~root/x", f"folder:{os.path.expanduser('~root')}/x")])
def test_a_data_spec_expands_its_folders(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", HOME)
    values = flags.FlagValues()
    command.define_data("data", "", "", flag_values=values)
    values(["", f"--data={given}"])
    assert values.data == expected


def test_nobody_s_home_is_refused(capsys):
    values = flags.FlagValues()
    command.define_path("workdir", "", "", flag_values=values)
    with pytest.raises(flags.IllegalFlagValueError, match=(
            "flag --workdir=~no one/x: there is no home folder ~no one; write "
            "./~no one/x for a file or folder of that name")):
        values(["", "--workdir=~no one/x"])


def test_config_flags_hold_the_folder_and_repeat_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", HOME)
    values = flags.FlagValues()
    config_flags.define_config_flags(values)
    values(["", "--workdir=~/run", "--data=folder:~/photos"])
    text = config_flags.config_to_text(config_flags.config_from_flags(values))
    assert f"--workdir={HOME}/run\n" in text
    assert f"--data=folder:{HOME}/photos\n" in text
    (tmp_path / "config.flags").write_text(text)
    monkeypatch.setenv("HOME", "/elsewhere")
    assert config_flags.config_from_file(
        str(tmp_path / "config.flags")) == config_flags.config_from_flags(
            values)


def test_arguments_and_flag_files_expand_too(tmp_path):
    (tmp_path / "~kept").touch()
    (tmp_path / "my.flags").write_text("--model=~/m\n~/second.jpg\n")
    (tmp_path / "show.py").write_text(
        "from data_pipelines import command\n"
        "from pix2pix_color import model_flag\n"
        "model = model_flag.define_model()\n"
        "command.run(lambda arguments: print(arguments[1:], model.value))\n")
    shown = subprocess.run(
        [sys.executable, "show.py", "~/first*.jpg", "~kept", "-",
         "--flagfile=~/my.flags"], cwd=tmp_path, check=True, text=True,
        capture_output=True, env={**os.environ, "HOME": str(tmp_path),
                                  "PYTHONPATH": str(ROOT)}).stdout
    assert shown.split(" /")[-1] == f"{tmp_path}/m\n"[1:]
    assert (f"['{tmp_path}/first*.jpg', '~kept', '-', "
            f"'{tmp_path}/second.jpg']") in shown
