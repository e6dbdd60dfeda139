"""Error against color, measured on a real model."""

import io
import json
import pathlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from data_pipelines.errors import UserError
from experiments import front
from experiments.reporting import fronts
from pix2pix_color.config import Config, Data, Networks, Reporting
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model.load import LoadedModel
from tests.pix2pix_color.vivid_model import write_vivid_model


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Fronts of two runs that color at random, of three gains."""
    path = tmp_path_factory.mktemp("runs") / "vivid"
    write_vivid_model(str(path / "export"))
    RunFolder(str(path)).write_flags(Config(
        data=Data(image_size=32, eval_data="sample_photos", eval_examples=8),
        networks=Networks(base_filters=4),
        reporting=Reporting(workdir=str(path))))
    twin = path.parent / "twin" / "vivid"
    shutil.copytree(path, twin)
    return fronts.measure(
        [str(path), str(twin)], data="", gains=(0.0, 0.5, 1.0),
        tfds_data_dir="") | {"path": str(path)}


def test_without_chroma_a_run_is_the_gray_image(measured):
    first, _ = measured["runs"].values()
    points = {point["gain"]: point for point in first}
    assert points[0.0]["ab_l1"] == pytest.approx(
        measured["gray"]["ab_l1"], abs=0.3)
    assert points[0.0]["colorfulness"] < 2
    assert (points[0.0]["colorfulness"] + 5 < points[0.5]["colorfulness"]
            < points[1.0]["colorfulness"] - 5)
    assert measured["gray"]["colorfulness"] == 0


def test_runs_of_one_name_are_told_apart(measured):
    assert len(measured["runs"]) == 2
    first, twin = measured["runs"].values()
    assert first == twin


def test_the_picture_shows_the_last_run_on_top(measured):
    picture = np.asarray(Image.open(io.BytesIO(fronts.draw(measured)))
                         .convert("RGB"))
    assert (picture == [0xd5, 0x5e, 0x00]).all(axis=-1).sum() > 100


def test_a_gain_of_one_is_the_evaluation(measured):
    (first, _), path = measured["runs"].values(), measured["path"]
    result = of_saved_model.Score(LoadedModel(path), of_saved_model.open_data(
        "", model=path, tfds_data_dir="")).result
    assert measured["real_colorfulness"] == pytest.approx(
        result.gray_means()["colorfulness_gap"], abs=1e-3)
    means = result.means()
    for name in ("ab_l1", "psnr_db", "colorfulness"):
        assert first[-1][name] == pytest.approx(means[name], abs=0.02)


@pytest.mark.parametrize("color_space, size, message", [
    ("rgb", 32, "other/export/1 has --color_space=rgb; its chroma cannot be "
                "multiplied"),
    ("lab", 64, "other/export/1 has --image_size=64, the runs before it 32")])
def test_what_cannot_be_compared_is_refused(
        monkeypatch, color_space, size, message):
    models = {
        "first": types.SimpleNamespace(
            card={"color_space": "lab"}, directory="first/export/1",
            image_size=32),
        "other": types.SimpleNamespace(
            card={"color_space": color_space}, directory="other/export/1",
            image_size=size)}
    monkeypatch.setattr(fronts, "LoadedModel", models.get)
    monkeypatch.setattr(fronts, "_measure", lambda *arguments: (0.0, [{}, {}]))
    with pytest.raises(UserError, match=message):
        fronts.measure(["first", "other"], data="sample_photos", gains=(1.0,),
                       tfds_data_dir="")


def test_more_runs_than_colors_are_told_apart_by_their_dashes(measured):
    points, _ = measured["runs"].values()
    many = {**measured, "runs": {f"run {place}": points
                                 for place in range(9)}}
    drawn = np.asarray(Image.open(io.BytesIO(fronts.draw(many)))
                       .convert("RGB"))
    # The ninth lies on the eighth, which shows between its dashes.
    for shown in ([0x00, 0x72, 0xb2], [0x4d, 0x4d, 0x4d]):
        assert (drawn == shown).all(axis=-1).sum() > 100


def test_the_command_writes_picture_and_numbers(measured, tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "experiments.front", measured["path"],
         f"--output={tmp_path}/front.png"],
        cwd=pathlib.Path(__file__).parents[3], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    numbers = json.loads((tmp_path / "front.json").read_text())
    own, = (point for point in numbers["runs"]["vivid"]
            if point["gain"] == 1.0)
    first, _ = measured["runs"].values()
    assert own["ab_l1"] == pytest.approx(first[-1]["ab_l1"], rel=1e-4)
    assert Image.open(tmp_path / "front.png").size == (1320, 552)
    assert process.stdout == "\n".join([
        front.table(numbers), f"{tmp_path}/front.png",
        f"{tmp_path}/front.json", ""])


def test_numbers_at_a_gap_lie_between_the_points():
    points = [dict(gain=gain, colorfulness=colorfulness, ab_l1=ab_l1,
                   psnr_db=30 - ab_l1)
              for gain, colorfulness, ab_l1 in
              [(2.0, 40.0, 14.0), (1.0, 20.0, 10.0), (0.5, 10.0, 10.5)]]
    measured = {"real_colorfulness": 36.0, "runs": {"a run": points}}
    assert front.at_gap(points, measured, 6.0, "ab_l1") == pytest.approx(12.0)
    assert front.at_gap(points, measured, 0.0, "ab_l1") == pytest.approx(13.2)
    assert front.at_gap(points, measured, 0.0, "psnr_db") == pytest.approx(16.8)
    assert np.isnan(front.at_gap(points, measured, -10.0, "ab_l1"))
    assert front.table(measured).split("\n")[1].split() == [
        "a", "run", "16.0", "10.00", "12.00", "13.20", "20.00", "18.00",
        "16.80"]
