"""Commands refuse what is missing before they load TensorFlow."""

import os
import pathlib
import subprocess
import sys

import pytest

from data_pipelines.errors import UserError
from pix2pix_color.config import Config, Reporting
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training import early_checks

ROOT = pathlib.Path(__file__).parents[1]
PREPARE, INSPECT = "data_pipelines.prepare", "data_pipelines.inspect"
FIT, EVALUATE, EXPORT, COLORIZE, DEMO = (
    f"pix2pix_color.{name}"
    for name in ("fit", "evaluate", "export", "colorize", "demo"))
NO_MODEL = ("--model=nope holds no SavedModel; name a SavedModel, a folder of "
            "versions, a run that was exported, or colorizer")
NO_DATA = "--data=folder:nope: there is no folder 'nope'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder in which importing TensorFlow fails."""
    path = tmp_path_factory.mktemp("work")
    (path / "modules" / "tensorflow").mkdir(parents=True)
    (path / "modules" / "tensorflow" / "__init__.py").write_text(
        "raise SystemExit('TensorFlow was loaded')")
    (path / "photos").mkdir()
    (path / "photos" / "a.jpg").touch()
    (path / "empty").mkdir()
    (path / "full").mkdir()
    (path / "full" / "thesis.txt").touch()
    RunFolder(str(path / "run")).claim(Config(
        reporting=Reporting(workdir=str(path / "run"))))
    return path


def run(folder, module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": f"{folder}/modules:{ROOT}"},
        capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("module, arguments, message", [
    (FIT, ["--data=folder:nope"], NO_DATA),
    (FIT, ["--eval_data=shards:nope"],
     "--eval_data=shards:nope: there is no folder 'nope'"),
    (FIT, ["--data=folder:empty"],
     "--data=folder:empty: there is no image file below 'empty'; looked for "
     ".jpg, .jpeg, .png, .bmp, .webp, .tif, .tiff in it and its subfolders"),
    (FIT, ["--workdir=full"], "--workdir=full is not empty and holds no run; "
     "choose another folder"),
    (FIT, ["--workdir=run", "--seed=1"],
     "--workdir=run holds a run made with other flags: --seed is 1 now and was "
     "0. Choose another --workdir, or the same flags"),
    (FIT, ["--workdir=photos/a.jpg/run"],
     "--workdir=photos/a.jpg/run cannot be written: Not a directory: "
     "{folder}/photos/a.jpg"),
    (FIT, ["--initial_weights=nope"],
     "--initial_weights=nope must be colorizer, the folder of a run, or a "
     ".safetensors file that exists"),
    (FIT, ["--encoder_weights=nope", "--generator=efficientnet_unet"],
     "--encoder_weights=nope: there is no such file"),
    (EVALUATE, ["--model=nope"], NO_MODEL),
    (EVALUATE, ["--data=folder:nope"], NO_DATA),
    (EVALUATE, ["--judge_weights=nope"],
     "--judge_weights=nope: there is no such file"),
    (EVALUATE, ["--inception_weights=nope"],
     "--inception_weights=nope: there is no such file"),
    (EXPORT, ["--run=nope"],
     "'nope' holds no run: there is no config.flags in it"),
    (EXPORT, ["--run=run"], "--run=run holds no checkpoint yet"),
    (EXPORT, ["--run=colorizer", "--output_dir=photos/a.jpg/new"],
     "--output_dir=photos/a.jpg/new cannot be written: Not a directory: "
     "{folder}/photos/a.jpg"),
    (DEMO, ["--model=nope"], NO_MODEL),
    (COLORIZE, ["photos", "--model=nope"], NO_MODEL),
    (COLORIZE, ["a.jpg", "b c.jpg"],
     "a.jpg: No such file or directory\nerror: b c.jpg: No such file or "
     "directory"),
    (COLORIZE, ["photos", "--output_dir=photos/a.jpg/new"],
     "--output_dir=photos/a.jpg/new cannot be written: Not a directory: "
     "{folder}/photos/a.jpg"),
    (COLORIZE, ["photos", "--chroma_size=300"],
     "--chroma_size=300 must be a multiple of this model's image size, 256, "
     "or 0"),
    (COLORIZE, ["photos", "--samples=2"],
     "--samples=2 needs a model with noise, and colorizer has none"),
    (COLORIZE, ["photos/a.jpg", "--hints=nope"],
     "--hints=nope: there is no such file"),
    (PREPARE, ["--data=folder:nope", "--output_dir=new"], NO_DATA),
    (PREPARE, ["--data=folder:empty", "--output_dir=new"],
     "--data=folder:empty contains no file"),
    (PREPARE, ["--data=folder:photos", "--output_dir=full"],
     "--output_dir={folder}/full exists already; remove it or choose another "
     "name"),
    (PREPARE, ["--data=folder:photos", "--output_dir=photos/a.jpg/new"],
     "--output_dir={folder}/photos/a.jpg/new cannot be written: Not a "
     "directory: {folder}/photos/a.jpg"),
    (INSPECT, ["--data=folder:nope", "--output=page.png"], NO_DATA),
])
def test_what_is_missing_is_told_at_once(folder, module, arguments, message):
    before = sorted(folder.rglob("*"))
    process = run(folder, module, *arguments)
    message = message.format(folder=folder)
    assert process.stderr == f"error: {message}\n"
    assert process.returncode == 1
    assert sorted(folder.rglob("*")) == before


def test_what_is_there_is_not_refused(folder):
    process = run(folder, COLORIZE, "photos", "missing.jpg", "--format=JPG",
                  "--output_dir=new/deep")
    assert process.stderr == "TensorFlow was loaded\n"


def test_a_missing_converter_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match="--format=onnx needs tf2onnx: .*"
                       "install"):
        early_checks.require_exportable(
            "colorizer", file_format="onnx", checkpoint="latest",
            output_dir=str(tmp_path))
