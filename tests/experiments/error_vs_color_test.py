"""Error against color, measured on a real model."""

import io
import json
import shutil
from unittest import mock

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from data_pipelines.errors import UserError
from experiments import error_vs_color
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.saved_model.load import LoadedModel


@pytest.fixture(scope="module")
def measured(vivid_run):
    """Two equal runs of one name, measured at three gains."""
    twin = vivid_run.parent / "twin" / "vivid"
    shutil.copytree(vivid_run, twin)
    return error_vs_color.measure_runs(
        [str(vivid_run), str(twin)], data="", gains=(0.0, 0.5, 1.0))


def test_chroma_grows_with_the_gain_and_is_gray_without(measured):
    first, twin = measured["runs"].values()
    assert first == twin
    zero, half, whole = first
    assert [point["gain"] for point in first] == [0.0, 0.5, 1.0]
    assert zero["ab_l1"] == pytest.approx(measured["gray"]["ab_l1"], abs=0.3)
    assert measured["gray"]["colorfulness"] == 0 <= zero["colorfulness"] < 2
    assert (zero["colorfulness"] + 5 < half["colorfulness"]
            < whole["colorfulness"] - 5)


def test_a_gain_of_one_is_the_evaluation(measured, vivid_run):
    first, _ = measured["runs"].values()
    path = str(vivid_run)
    result = of_saved_model.Score(
        LoadedModel(path), of_saved_model.open_data("", model=path)).result
    assert measured["real_colorfulness"] == pytest.approx(
        result.gray_means()["colorfulness_gap"], abs=1e-3)
    means = result.means()
    for name in ("ab_l1", "psnr_db", "colorfulness"):
        assert first[-1][name] == pytest.approx(means[name], abs=0.02)


@pytest.mark.parametrize("color_space, size, message", [
    ("rgb", 32, "other/export/1 was trained with --color_space=rgb"),
    ("lab", 64, "other/export/1 has --image_size=64, the first run 32")])
def test_models_that_cannot_be_compared_are_refused(
        color_space, size, message):
    first, other = (
        mock.create_autospec(
            LoadedModel, instance=True, card={"color_space": space},
            image_size=side, directory=f"{name}/export/1")
        for name, space, side in (("first", "lab", 32),
                                  ("other", color_space, size)))
    error_vs_color.require_comparable([first, first])
    with pytest.raises(UserError, match=message):
        error_vs_color.require_comparable([first, other])


# The last run is drawn on top; the ninth has the first one's color, dashed, and
# lies on the eighth.
@pytest.mark.parametrize("num_runs, colors", [
    (2, [(0xd5, 0x5e, 0x00)]),
    (9, [(0x00, 0x72, 0xb2), (0x4d, 0x4d, 0x4d)])])
def test_runs_are_told_apart_by_color_and_dashes(measured, num_runs, colors):
    points, _ = measured["runs"].values()
    chart = error_vs_color.draw_chart({**measured, "runs": {
        f"run {place}": points for place in range(num_runs)}})
    picture = np.asarray(Image.open(io.BytesIO(chart)).convert("RGB"))
    for color in colors:
        assert (picture == color).all(axis=-1).sum() > 100


def test_the_command_writes_picture_and_numbers(
        measured, vivid_run, tmp_path, capsys):
    output = tmp_path / "chart.png"
    with flagsaver.as_parsed(output=str(output)):
        error_vs_color.main(["error_vs_color", str(vivid_run)])
    numbers = json.loads(output.with_suffix(".json").read_text())
    own, = (point for point in numbers["runs"]["vivid"]
            if point["gain"] == 1.0)
    first, _ = measured["runs"].values()
    assert own["ab_l1"] == pytest.approx(first[-1]["ab_l1"], rel=1e-4)
    assert Image.open(output).size == (1320, 552)
    assert capsys.readouterr().out == "\n".join([
        error_vs_color.format_table(numbers), str(output),
        str(output.with_suffix(".json")), ""])


def test_numbers_at_equal_color_are_interpolated():
    points = [dict(gain=gain, colorfulness=colorfulness, ab_l1=ab_l1,
                   psnr_db=30 - ab_l1)
              for gain, colorfulness, ab_l1 in
              [(2.0, 40.0, 14.0), (1.0, 20.0, 10.0), (0.5, 10.0, 10.5)]]
    measured = {"real_colorfulness": 36.0, "runs": {"a run": points}}
    assert error_vs_color.format_table(measured).split("\n")[1].split() == [
        "a", "run", "16.0", "10.00", "12.00", "13.20", "20.00", "18.00",
        "16.80"]
    assert np.isnan(error_vs_color.interpolate(points, measured, -10.0,
                                               "ab_l1"))
