"""The wheel works away from the clone, and every import is declared."""

import configparser
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import venv

import pytest
from packaging.requirements import Requirement

from tests.layers_test import MODULES, ROOT, imports_of

PACKAGES = ("data_pipelines", "pix2pix_color", "experiments")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    """The distributions in setup.cfg but those that only tests need."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    lines = [setup["options"]["install_requires"], *(
        extras[name] for name in extras if name != "test")]
    return {normal(Requirement(line).name) for lines in lines
            for line in lines.splitlines() if line and line[0] != "#"}


def imported():
    """The packages of others that the product imports; experiments may more."""
    return {name.split(".")[0] for path in MODULES
            if ROOT / "experiments" not in path.parents
            for name in imports_of(path)} - {
                *PACKAGES, *sys.stdlib_module_names}


def test_every_import_is_declared():
    brought_by = importlib.metadata.packages_distributions()
    assert not {
        name: brought_by[name] for name in imported() if name in brought_by
        and not set(map(normal, brought_by[name])) & declared()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A function that runs a program of an environment with the wheel.

    Dependencies are those of the tests, and the clone is out of reach.
    """
    folder = tmp_path_factory.mktemp("installed")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / "clone" / package,
                        ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE",
                 "NOTICE"):
        shutil.copy(ROOT / name, folder / "clone")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation",
                    f"--wheel-dir={folder}", folder / "clone"], check=True)
    shutil.rmtree(folder / "clone")
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    wheel, = folder.glob("*.whl")
    subprocess.run([*pip, f"--python={python}", "install", "--no-deps", wheel],
                   check=True)
    site, = folder.glob("env/lib/python*/site-packages")
    # Python reads no .pth files there, so no editable installation.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (folder / "away").mkdir()
    environment = {name: value for name, value in os.environ.items()
                   if name != "PYTHONPATH"}

    def start(program, *arguments, **options):
        return subprocess.Popen(
            [python.parent / program, *arguments], cwd=folder / "away",
            env=environment, text=True, stdout=subprocess.PIPE, **options)

    return start


def output_of(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return output


@pytest.mark.slow
def test_all_commands_work_away_from_the_clone(installed, tmp_path):
    shutil.copy(ROOT / "data_pipelines/sample_photos/skimage_coffee.jpg",
                tmp_path / "old.jpg")
    for module in PACKAGES:
        place = output_of(installed(
            "python", "-c", f"import {module}; print({module}.__file__)"))
        assert "/env/lib/" in place
    for arguments in (
            ["colorize", f"{tmp_path}/old.jpg"],
            ["fit", "--flagfile=sample_photos", f"--workdir={tmp_path}/run",
             "--image_size=32", "--resize_size=0", "--base_filters=2",
             "--steps=2"],
            ["evaluate", f"--model={tmp_path}/run",
             f"--output={tmp_path}/metrics.json"],
            ["export", f"--run={tmp_path}/run", "--format=safetensors"]):
        output_of(installed("pix2pix-color", *arguments))
    assert (tmp_path / "old_colorized.png").stat().st_size > 1000
    assert json.loads((tmp_path / "metrics.json").read_text())[
        "photographs"] == 8
    assert list((tmp_path / "run").glob("safetensors/*.safetensors"))


@pytest.mark.slow
def test_the_page_answers(installed):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with installed("pix2pix-color", "demo", f"--port={port}") as server:
        try:
            address = server.stdout.readline().split()[0]
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert b"<html" in answer.read()
        finally:
            server.terminate()


@pytest.mark.slow
def test_a_user_s_type_checker_sees_the_types(installed, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import pix2pix_color\n"
        "colorizer = pix2pix_color.load()\n"
        "reveal_type(colorizer.colorize('old.jpg'))\n"
        "reveal_type(colorizer.evaluate())\n"
        "reveal_type(pix2pix_color.train())\n"
        "colorizer.colorize('old.jpg', saturation='much')\n")
    environment = output_of(installed("python", "-c",
                                      "import sys; print(sys.executable)"))
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable",
         environment.strip(), "mine.py"], cwd=tmp_path, text=True,
        capture_output=True, check=False).stdout
    lines = checked.splitlines()
    assert 'Revealed type is "numpy.ndarray[' in lines[0]
    # Versions of mypy differ in whether they name the module builtins.
    shown = [line.replace("builtins.", "") for line in lines]
    assert 'Revealed type is "dict[str, Any]"' in shown[1]
    assert "dict[int, float]]" in shown[2]
    assert 'Argument "saturation" to "colorize" of "Colorizer"' in lines[3]
    assert lines[4].startswith("Found 1 error in 1 file")
