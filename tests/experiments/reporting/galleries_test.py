"""Galleries of a run: the right pictures under the right headings."""

import io
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipelines.errors import UserError
from experiments import gallery
from experiments.reporting import galleries
from pix2pix_color.config import Config, Data, Networks, Reporting
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model.load import LoadedModel
from tests.experiments.reporting.conftest import photographs, write_samples
from tests.pix2pix_color.vivid_model import write_vivid_model


@pytest.fixture
def run_with_grids(make_run):
    """A run of 10 updates an epoch with grids at 10, 20 and 30."""
    path = make_run("run")
    for step, level in ((10, 50), (20, 100), (30, 150)):
        write_samples(path, f"step-{step:07d}", level=level)
    return str(path)


def test_columns_are_the_epochs_between_gray_and_real(run_with_grids):
    drawn = galleries.of_epochs(run_with_grids, [1, 2.9])
    assert drawn.headings == ["gray", "epoch 1", "epoch 2.9", "real"]
    real = photographs(32, (0, 1))
    assert drawn.rows.shape == (2, 4, 32, 32, 3)
    np.testing.assert_array_equal(drawn.rows[:, 0, ..., 0], real[..., 1])
    assert (drawn.rows[:, 1] == 50).all()
    assert (drawn.rows[:, 2] == 150).all()
    np.testing.assert_array_equal(drawn.rows[:, 3], real)


def test_an_epoch_without_a_grid_is_refused(run_with_grids):
    with pytest.raises(UserError, match=(
            r"--epochs=5: .*run has no sample grid of that time, only of the "
            r"epochs 1.0, 2.0, 3.0")):
        galleries.of_epochs(run_with_grids, [1, 5])


@pytest.fixture(scope="module")
def vivid_run(tmp_path_factory):
    """A run that colors at random and evaluates on eight photographs."""
    path = tmp_path_factory.mktemp("vivid")
    write_vivid_model(str(path / "export"))
    RunFolder(str(path)).write_flags(Config(
        data=Data(image_size=32, eval_data="sample_photos", eval_examples=8),
        networks=Networks(base_filters=4),
        reporting=Reporting(workdir=str(path))))
    return str(path)


def square(photo):
    side = min(photo.shape[:2])
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    return np.asarray(Image.fromarray(
        photo[top:top + side, left:left + side]).resize(
            (32, 32), Image.Resampling.BILINEAR)).astype(int)


@pytest.mark.parametrize("are_worst", [True, False])
def test_photographs_are_the_worst_or_evenly_spread(vivid_run, are_worst):
    drawn = galleries.of_photographs(
        vivid_run, data="", count=5, are_worst=are_worst, tfds_data_dir="")
    assert drawn.headings == ["gray", "generated", "real"] * 4
    assert drawn.rows.shape == (2, 12, 32, 32, 3)
    assert (drawn.rows[1, 3:] == 255).all()  # five of eight places are taken
    source = of_saved_model.open_data("", model=vivid_run)
    errors = of_saved_model.Score(
        LoadedModel(vivid_run), source).result.colorized["delta_e"]
    expected = np.argsort(-errors)[:5] if are_worst else [0, 1, 3, 4, 6]
    for place, index in enumerate(expected):
        shown = drawn.rows[place // 4, 3 * (place % 4):][:3].astype(int)
        real = square(source.load(index).numpy())
        assert np.abs(shown[2] - real).mean() < 1
        assert np.ptp(shown[0], axis=-1).max() == 0
        assert np.ptp(shown[1], axis=-1).mean() > 5


def test_a_folder_without_a_readable_photograph_is_refused(
        vivid_run, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match="broken.jpg"):
        galleries.of_photographs(
            vivid_run, data=f"folder:{tmp_path}", count=5, are_worst=False,
            tfds_data_dir="")


@pytest.mark.parametrize("file_format", ["png", "jpg"])
@pytest.mark.parametrize("side, columns, num_rows", [
    (48, 2, 3), (128, 7, 8), (64, 12, 1)])
def test_a_gallery_is_drawn_in_its_own_pixels(
        file_format, side, columns, num_rows):
    rows = np.stack([
        photographs(side, range(columns * row, columns * (row + 1)))
        for row in range(num_rows)])
    drawn = np.asarray(Image.open(io.BytesIO(galleries.draw(
        galleries.Gallery([f"no {place}" for place in range(columns)], rows),
        file_format=file_format))).convert("RGB")).astype(int)
    step = side + 4
    assert drawn.shape == (22 + num_rows * step - 4, columns * step - 4, 3)
    tolerance = 0 if file_format == "png" else 12
    for row in range(num_rows):
        for column in range(columns):
            top, left = 22 + step * row, step * column
            difference = np.abs(drawn[top:top + side, left:left + side]
                                - rows[row, column])
            assert difference.mean() <= tolerance
    for column in range(columns):  # each has its heading
        assert (drawn[:22, step * column:step * column + side] < 100).any()


def test_epochs_that_are_no_numbers_are_refused():
    for words in ([], ["1", "nan"], ["one"]):
        with pytest.raises(UserError, match="--epochs=.* must be numbers"):
            gallery._numbers(words)


@pytest.mark.parametrize("arguments, name", [
    (["--kind=epochs", "--count=3"], "count"),
    (["--kind=worst", "--epochs=1"], "epochs")])
def test_a_flag_of_another_kind_is_refused(arguments, name):
    process = subprocess.run(
        [sys.executable, "-m", "experiments.gallery", "run", *arguments],
        cwd=pathlib.Path(__file__).parents[3], capture_output=True, text=True)
    assert process.returncode == 1
    assert f"--{name} has no say in {arguments[0]}" in process.stderr
