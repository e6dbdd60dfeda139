"""A run in RGB, from pairs of photographs to the SavedModel."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import augment, color
from pix2pix_color import metrics
from pix2pix_color.config import differing_options
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model import load
from pix2pix_color.training.exporting import export_run
from tests.pix2pix_color.training import processes

PHOTOS = pathlib.Path(__file__).parents[3] / "data_pipelines" / "sample_photos"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Six photographs, beside gray ones of which none is their L*."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("gray", "color"):
        (folder / name).mkdir()
    for path in sorted(PHOTOS.glob("gcompris_*.jpg"))[:6]:
        photo = Image.open(path).resize((40, 36))
        photo.save(folder / "color" / f"{path.stem}.png")
        photo.getchannel("B").save(folder / "gray" / f"{path.stem}.png")
    return folder


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    """The folder of a run of four updates."""
    workdir = tmp_path_factory.mktemp("rgb") / "run"
    config = processes.config(workdir, steps=4)
    config = dataclasses.replace(
        config, data=dataclasses.replace(
            config.data, train_examples=0, eval_examples=0,
            data=f"paired:{pairs}/gray,{pairs}/color",
            eval_data=f"paired:{pairs}/gray,{pairs}/color"),
        networks=dataclasses.replace(config.networks, color_space="rgb"))
    process = processes.start(config, workdir.parent / "log")
    process.join()
    assert process.exitcode == 0, (workdir.parent / "log").read_text()
    return workdir


def evaluated_photos(pairs):
    """uint8 [6, 32, 32, 3 or 1]: the color photographs and the gray ones."""
    return [np.stack([augment.center_square(
        np.asarray(Image.open(path)).reshape(36, 40, channels), image_size=32)
        for path in sorted((pairs / name).iterdir())])
        for name, channels in (("color", 3), ("gray", 1))]


def test_it_is_evaluated_from_the_given_gray_by_its_own_rgb(run, pairs):
    real, gray = evaluated_photos(pairs)
    measured = json.loads((run / "run.json").read_text())["evaluation"]
    assert measured["gray_image"]["psnr_db"] == pytest.approx(
        metrics.psnr_db(real, np.repeat(gray, 3, -1)).numpy().mean(), rel=1e-4)
    signatures = load.load_saved_model(str(run)).signatures
    target = signatures["predict_target"](
        condition=tf.constant(gray / np.float32(127.5) - 1))["target"]
    assert target.shape == (6, 32, 32, 3)
    colorized = np.clip(np.round((target + 1) * 127.5), 0, 255)
    # Training may compute in bfloat16; the SavedModel does not.
    assert measured["colorized"]["psnr_db"] == pytest.approx(
        metrics.psnr_db(real, colorized.astype(np.uint8)).numpy().mean(),
        rel=0.01)


def test_it_is_exported_again_as_what_it_is(run):
    what, path = export_run(str(run))
    assert what == "step 4" and path == str(run / "export" / "2")
    photo = np.asarray(Image.open(PHOTOS / "gcompris_cat.jpg"))[np.newaxis]
    first, second = (
        load.load_saved_model(str(run / "export" / version)).signatures[
            "colorize"](rgb=tf.constant(photo))["rgb"].numpy()
        for version in "12")
    np.testing.assert_array_equal(first, second)
    kept = color.rgb_to_lab(first)[..., 0] - color.rgb_to_lab(photo)[..., 0]
    assert np.abs(kept).max() < 2


def test_its_flags_name_the_space_and_another_one_is_refused(run):
    config = RunFolder(str(run)).config()
    assert config.networks.color_space == "rgb"
    other = dataclasses.replace(config, networks=dataclasses.replace(
        config.networks, color_space="lab"))
    assert differing_options(config, other) == [
        "--color_space is 'lab' now and was 'rgb'"]
