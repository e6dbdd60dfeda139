"""The trained colorizer that comes with the package, and its card."""

import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color, pipeline, sources
from data_pipelines.errors import UserError
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.networks import efficientnet_weights
from pix2pix_color.saved_model import load, trained
from pix2pix_color.training.exporting import export_run

MEGABYTE = 10**6


@pytest.fixture(scope="module")
def model():
    return load.LoadedModel("colorizer")


@pytest.fixture(scope="module")
def photos():
    return sources.open_source("sample_photos", flag="--data")


def test_the_files_are_small_enough(model):
    path, _ = trained.read_trained(flag="")
    size = os.path.getsize(path)
    assert size == model.card["bytes"] <= 16 * MEGABYTE
    assert size + sum(path.stat().st_size for path in
                      efficientnet_weights.DIRECTORY.iterdir()
                      ) <= 35 * MEGABYTE


@pytest.mark.parametrize("size, degraded", [(128, False), (128, True)])
def test_it_is_as_good_as_its_card_says(model, photos, size, degraded):
    told = model.card["metrics"][
        f"embedded_{size}px" + "_degraded" * degraded]
    result = of_saved_model.Score(
        model, photos, image_size=size, degraded=degraded,
        judge_weights="imagenet").result
    assert len(result) == told["photographs"] == 64
    means = result.means()
    for name, tolerance in (("ab_l1", 0.05), ("psnr_db", 0.05),
                            ("delta_e", 0.05), ("colorfulness_gap", 0.2),
                            ("agreement", 0.04), ("kl", 0.02)):
        assert means[name] == pytest.approx(
            told["colorized"][name], abs=tolerance), name
    assert means["ab_l1"] < result.gray_means()["ab_l1"]


def test_its_card_names_what_a_user_must_know(model):
    card = model.card
    for name in ("architecture", "encoder", "trained_on", "command",
                 "known_failures", "licence"):
        assert card[name]
    for title in ("held_out_128px", "held_out_256px",
                  "held_out_128px_degraded"):
        low, high = card["metrics"][title]["interval_95"]["colorized"]["ab_l1"]
        assert low < card["metrics"][title]["colorized"]["ab_l1"] < high
    # Nobody else has the folders of the machine that it was trained on.
    assert not any("=/" in flag or ":/" in flag for flag in card["flags"])


def test_a_sepia_scan_is_colored_as_its_gray_version(model, photos):
    [batch] = pipeline.evaluation_batches(
        photos.select([3]), image_size=200, batch_size=1)
    lab = color.rgb_to_lab(batch.photo[0])
    tint = tf.constant([3.0, 14.0]) * lab[..., :1] / 100.0
    sepia = color.lab_to_rgb(tf.concat([lab[..., :1], tint], axis=-1))
    gray = color.given_gray(sepia)
    of_sepia, of_gray = (model.colorize(rgb.numpy()).astype(int)
                         for rgb in (sepia, gray))
    assert np.ptp(sepia.numpy(), axis=-1).mean() > 10
    assert np.abs(of_sepia - of_gray).mean() < 1.5


@pytest.fixture
def copy(tmp_path):
    """A folder with copies of the two files."""
    return pathlib.Path(shutil.copytree(trained.DIRECTORY, tmp_path / "copy"))


def test_a_copy_answers_the_same(copy, model, photos):
    rgb = photos.load(tf.constant(7, tf.int64)).numpy()
    np.testing.assert_array_equal(load.LoadedModel(copy).colorize(rgb),
                                  model.colorize(rgb))


@pytest.mark.parametrize("name, content, message", [
    ("model_card.json", None, "cannot be read: .*No such file"),
    ("model_card.json", b"{", "cannot be read: "),
    ("colorizer.safetensors", b"another", "has SHA-256 .*, but its card says "
     ".*; install the package again"),
    ("model_card.json", b"[]", "the model card .* lacks sha256, image_size"),
    ("colorizer.safetensors", None, "cannot be read: .*No such file")])
def test_missing_and_broken_files_are_one_line(copy, name, content, message):
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as refusal:
        load.LoadedModel(copy)
    assert str(refusal.value).startswith("--model=colorizer: ")
    assert "\n" not in str(refusal.value)


def test_a_checkpoint_is_asked_of_runs_alone():
    with pytest.raises(UserError, match="--checkpoint=best is for runs"):
        export_run("colorizer", checkpoint="best")


@pytest.mark.slow
def test_it_can_be_exported_and_the_export_answers_the_same(
        model, photos, tmp_path):
    what, path = export_run("colorizer", output_dir=str(tmp_path))
    assert what == "the trained colorizer" and path == str(tmp_path / "1")
    served = load.LoadedModel(path)
    assert served.card["sha256"] == model.card["sha256"]
    rgb = photos.load(tf.constant(7, tf.int64)).numpy()
    difference = served.colorize(rgb).astype(int) - model.colorize(rgb)
    assert np.abs(difference).max() <= 1
    assert json.dumps(served.card)
