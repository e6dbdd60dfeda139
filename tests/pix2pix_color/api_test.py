"""Colors, metrics and trainings from Python are those of the commands."""

import json
import pathlib
import pydoc
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

import pix2pix_color
from data_pipelines.errors import UserError
from data_pipelines.sources import sample_photos
from pix2pix_color import api, summaries
from pix2pix_color.saved_model.load import LoadedModel
from tests.layers_test import ROOT

PHOTO = pathlib.Path(sample_photos.DIRECTORY) / "skimage_coffee.jpg"
GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


class Model:
    """Takes hints; answers with them and what else it was given."""

    takes_hints, has_noise, directory = True, False, "stub"
    card: dict[str, Any] = {}

    def __init__(self, path):
        self.given: dict[str, Any] = {}

    def fitting_chroma_size(self, chroma_size):
        return min(chroma_size, 512)

    def features(self, rgb):
        return np.ones((2, 2, 1), np.float32)

    def colorize(self, rgb, **given):
        self.given = given
        return rgb


@pytest.fixture
def stub(monkeypatch):
    model = Model("")
    monkeypatch.setattr(api, "LoadedModel", lambda path: model)
    return model, pix2pix_color.load()


@pytest.fixture(scope="module")
def colorizer():
    return pix2pix_color.load()


def test_importing_is_cheap():
    subprocess.run(
        [sys.executable, "-c", "import sys, pix2pix_color\n"
         "pix2pix_color.load, pix2pix_color.train, pix2pix_color.UserError\n"
         "assert not {'tensorflow', 'numpy', 'absl'} & set(sys.modules)"],
        cwd=ROOT, check=True)


def test_a_path_a_picture_and_an_array_give_the_same_colors(colorizer):
    rgb = np.asarray(Image.open(PHOTO))
    expected = LoadedModel("colorizer").colorize(rgb, saturation=1.5)
    assert expected.std(axis=-1).max() > 10
    for photograph in (PHOTO, str(PHOTO), rgb, Image.open(PHOTO)):
        np.testing.assert_array_equal(
            colorizer.colorize(photograph, saturation=1.5), expected)


def test_gray_and_palettes_are_what_they_look_like(stub):
    _, colorizer = stub
    expected = np.stack([GRAY] * 3, axis=-1)
    palette = Image.fromarray(255 - GRAY, "L").convert("P")
    palette.putpalette([255 - value // 3 for value in range(768)])
    for photograph in (GRAY, Image.fromarray(GRAY, "L"), palette):
        np.testing.assert_array_equal(
            colorizer.colorize(photograph), expected)


def test_hints_and_reference_are_as_in_files(stub):
    model, colorizer = stub
    red = [{"x": 3, "y": 1, "color": "#ff0000"}]
    reference = np.full((32, 32, 3), (0, 0, 255), np.uint8)
    colorizer.colorize(GRAY)
    assert model.given == dict(saturation=1.0, chroma_size=0, seed=None,
                               hints=None)
    colorizer.colorize(GRAY, hints=red, reference=reference)
    np.testing.assert_allclose(
        model.given["hints"], [[0.5, 0.875, 80, 67]], atol=0.5)
    colorizer.colorize(GRAY, reference=reference)
    assert set(model.given["hints"][:, 3].round()) == {-108}


def test_too_large_a_square_is_made_smaller_with_a_warning(stub):
    model, colorizer = stub
    with pytest.warns(UserWarning, match=(
            "^chroma_size=1024 needs too much memory; using 512$")):
        colorizer.colorize(GRAY, chroma_size=1024)
    assert model.given["chroma_size"] == 512


@pytest.mark.parametrize("photograph, message", [
    ("none.jpg", "^photograph none.jpg: No such file or directory$"),
    (__file__, "^photograph .*api_test.py: not an image that can be read"),
    (GRAY / 255, r"^photograph is float64 of shape \(3, 4\); it must be uint8 "
     r"\[H, W, 3\] or \[H, W\], a picture of Pillow's, or a file's path$"),
    (GRAY[..., np.newaxis], r"uint8 of shape \(3, 4, 1\)"),
    (GRAY[:0], r"uint8 of shape \(0, 4\)")])
def test_what_is_no_photograph_is_refused(stub, photograph, message):
    with pytest.raises(UserError, match=message):
        stub[1].colorize(photograph)


@pytest.mark.parametrize("asked, message", [
    (dict(saturation=-1), r"^saturation=-1 must be in 0\.\.10$"),
    (dict(saturation=float("nan")), "^saturation=nan must be"),
    (dict(seed=1), "^seed=1 needs a model with noise, and stub has none$"),
    (dict(hints=[{"x": 4, "y": 0, "color": "red"}]),
     "^hints: hint 1 has x=4, which must be in 0..3"),
    (dict(reference="no.jpg"), "^reference no.jpg: No such file")])
def test_what_cannot_be_asked_for_is_refused(stub, asked, message):
    with pytest.raises(UserError, match=message):
        stub[1].colorize(GRAY, **asked)


def test_hints_need_a_model_for_them_and_no_seed(stub):
    model, colorizer = stub
    model.has_noise = True
    with pytest.raises(UserError, match="hints cannot be used with a seed"):
        colorizer.colorize(GRAY, hints=[], seed=3)
    colorizer.takes_hints = False
    with pytest.raises(UserError, match="reference needs an efficientnet_unet"):
        colorizer.colorize(GRAY, reference=GRAY)


def test_the_evaluation_is_that_of_the_command(colorizer, tmp_path):
    for name in ("skimage_coffee", "sklearn_china"):
        Image.open(PHOTO.with_stem(name)).save(tmp_path / f"{name}.png")
    metrics = colorizer.evaluate(f"folder:{tmp_path}", image_size=64)
    subprocess.run(
        [sys.executable, "-m", "pix2pix_color.evaluate", "--image_size=64",
         f"--data=folder:{tmp_path}", f"--output={tmp_path}/metrics.json"],
        cwd=ROOT, check=True, capture_output=True)
    assert json.loads(json.dumps(metrics)) == json.loads(
        (tmp_path / "metrics.json").read_text())
    assert metrics["photographs"] == 2
    with pytest.raises(UserError, match="--image_size=15 must be at least 16"):
        colorizer.evaluate(image_size=15)


def test_training_takes_a_recipe_and_options_and_returns_the_curves(
        monkeypatch, tmp_path):
    def fit(config):
        with_curves = summaries.Summaries(config.reporting.workdir)
        with_curves.write_losses(
            {"generator": 2.5}, step=5, learning_rates={},
            images_per_second=1, rejected=0, stage=1)
        with_curves.write_metrics({"ab_l1": 9.5}, {}, step=10)
        with_curves.close()
        configs.append(config)

    configs: list[Any] = []
    monkeypatch.setattr(api.run, "fit", fit)
    curves = pix2pix_color.train("fine_tune", workdir=str(tmp_path / "run"),
                                 epochs=3, deterministic=True)
    assert curves["loss/generator"] == {5: 2.5}
    assert curves["metric/ab_l1"] == {10: 9.5}
    training, networks = configs[0].training, configs[0].networks
    assert (training.epochs, training.deterministic, training.ema_decay,
            networks.initial_weights) == (3, True, 0.99, "colorizer")


@pytest.mark.parametrize("recipe, options, message", [
    ("fine_tun", {}, "^--flagfile=fine_tun is no file, and no recipe"),
    ("fine_tune", dict(epoch=3), "Unknown command line flag 'epoch'"),
    ("", dict(epochs=0), "^--epochs=0 must be at least 1$")])
def test_a_wrong_option_is_one_line(recipe, options, message):
    with pytest.raises(UserError, match=message):
        pix2pix_color.train(recipe, **options)


def test_help_shows_every_argument():
    shown = pydoc.plain(pydoc.render_doc(pix2pix_color))
    for text in ("load(model:", "train(recipe:", "epochs=3", "tag -> step"):
        assert text in shown
    shown = pydoc.plain(pydoc.render_doc(api.Colorizer))
    for text in ("colorize(self", "saturation:", "evaluate(self", "degrade:",
                 "Returns:", "Raises:"):
        assert text in shown


@pytest.mark.slow
def test_an_interrupted_training_goes_on_in_the_same_process(tmp_path):
    def interrupt():
        while not list(tmp_path.glob("run/checkpoints/step-*")):
            time.sleep(0.1)
        signal.raise_signal(signal.SIGINT)

    small = dict(image_size=32, resize_size=0, base_filters=2,
                 checkpoint_every=5, workdir=str(tmp_path / "run"))
    threading.Thread(target=interrupt).start()
    with pytest.raises(pix2pix_color.Interrupted) as interrupted:
        pix2pix_color.train("sample_photos", steps=100_000, **small)
    assert "step" in str(interrupted.value)  # it holds the frames
    # Not "another process trains in it", but as few steps as that.
    with pytest.raises(UserError, match="steps already, more than 1"):
        pix2pix_color.train("sample_photos", steps=1, **small)


@pytest.mark.slow
def test_the_notebook_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    notebook = json.loads((ROOT / "experiments" / "notebook.ipynb").read_text())
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec("".join(cell["source"]), names)
    metrics = names["metrics"]
    assert metrics["colorized"]["delta_e"] < metrics["gray_image"]["delta_e"]
    losses = list(names["curves"]["loss/generator_l1"].values())
    assert losses[-1] < losses[0]
    assert names["rgb"].dtype == np.uint8 and names["rgb"].ndim == 3
    assert (tmp_path / "runs" / "notebook" / "export" / "1").is_dir()
