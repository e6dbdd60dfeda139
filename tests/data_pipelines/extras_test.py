"""Advice on installing that can be copied into a shell, from any folder."""

import ast
import configparser
import importlib.metadata
import shlex
import sys

import pytest
from packaging.requirements import Requirement

from data_pipelines import extras
from tests.layers_test import MODULES, ROOT


def in_setup_cfg(extra):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.extras_require"][extra].splitlines()
    return {Requirement(line) for line in lines
            if line and not line.startswith("#")}


@pytest.mark.parametrize("extra", ["heic", "video", "demo", "prepare", "onnx"])
def test_the_command_installs_what_setup_cfg_names(extra):
    python, *pip_install, = shlex.split(extras.how_to_install(extra))
    assert (python, pip_install[:3]) == (
        sys.executable, ["-m", "pip", "install"])
    assert set(map(Requirement, pip_install[3:])) == in_setup_cfg(extra)


def test_without_an_installation_there_is_still_an_advice(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert extras.how_to_install("demo") == (
        "install pix2pix_color with its extra demo")


def test_no_text_names_this_project_to_pip():
    """It is not in PyPI, and another project of that name may be one day."""
    texts = [(path, node.value) for path in MODULES
             for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    texts += [(path, path.read_text()) for path in (
        ROOT / "README.md", *(ROOT / "experiments").glob("*.md"))]
    assert not [(path, text) for path, text in texts
                if "pix2pix_color[" in text]
