"""Recipes are found by name from any folder, and files as before."""

import pytest

from data_pipelines.errors import UserError
from pix2pix_color import recipes
from tests.layers_test import ROOT

FINE_TUNE = str(ROOT / "experiments" / "fine_tune.flags")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("given, expected", [
    (["--flagfile=fine_tune", "--epochs=1"],
     [f"--flagfile={FINE_TUNE}", "--epochs=1"]),
    (["-flagfile=fine_tune"], [f"-flagfile={FINE_TUNE}"]),
    (["--epochs=1", "--flagfile", "fine_tune"],
     ["--epochs=1", "--flagfile", FINE_TUNE]),
    (["--flagfile=experiments/fine_tune.flags"],
     ["--flagfile=experiments/fine_tune.flags"]),
    (["--flagfile=", "--flagfile"], ["--flagfile=", "--flagfile"]),
    (["--data=fine_tune", "fine_tune"], ["--data=fine_tune", "fine_tune"])])
def test_a_name_becomes_a_path_and_nothing_else_changes(given, expected):
    assert recipes.with_paths(["fit", *given]) == ["fit", *expected]


def test_a_file_goes_before_a_recipe(elsewhere):
    (elsewhere / "fine_tune").touch()
    assert recipes.find_flag_file("fine_tune") == "fine_tune"
    assert recipes.find_flag_file("~/fine_tune") == f"{elsewhere}/fine_tune"


def test_an_unknown_name_lists_the_recipes():
    with pytest.raises(UserError, match=(
            r"^--flagfile=coco_cgn is no file, and no recipe; recipes are "
            r"coco_cgan, coco_resnet18, .*sample_photos$")):
        recipes.find_flag_file("coco_cgn")
