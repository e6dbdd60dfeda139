"""Galleries of a run: the right pictures under the right headings."""

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from data_pipelines.errors import UserError
from experiments import gallery
from experiments.gallery import GAP, HEADING
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.saved_model.load import LoadedModel
from tests.experiments.conftest import photographs, write_samples


@pytest.fixture
def run_with_grids(make_run):
    """A run of 10 updates an epoch with grids at 10, 20 and 30."""
    path = make_run("run")
    for step, level in ((10, 50), (20, 100), (30, 150)):
        write_samples(path, f"step-{step:07d}", level=level)
    return path


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_grids_of_the_nearest_epochs_stand_below_each_other(
        run_with_grids, tmp_path, ending):
    output = tmp_path / f"gallery.{ending}"
    with flagsaver.as_parsed(kind="epochs", output=str(output),
                             epochs="1,2.9"):
        gallery.main(["gallery", str(run_with_grids)])
    shown = np.asarray(Image.open(output)).astype(int)
    grids = [np.asarray(Image.open(
        run_with_grids / "samples" / f"step-00000{step}.png"))
        for step in (10, 30)]
    for part, grid in zip(np.split(shown, 2), grids):
        assert (part[:HEADING].min(axis=(1, 2)) < 100).any()
        assert np.abs(part[HEADING:] - grid).mean() <= 12 * (ending == "jpg")


def test_an_epoch_without_a_grid_is_refused(run_with_grids):
    with pytest.raises(UserError, match=(
            r"--epochs=5: .*run has no sample grid near this epoch; it has "
            r"grids of the epochs 1.0, 2.0, 3.0")):
        gallery.draw_epochs(str(run_with_grids), [1, 5])


def square(photo):
    side = min(photo.shape[:2])
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    return np.asarray(Image.fromarray(
        photo[top:top + side, left:left + side]).resize(
            (32, 32), Image.Resampling.BILINEAR)).astype(int)


@pytest.mark.parametrize("are_worst", [True, False])
def test_photographs_are_the_worst_or_evenly_spread(vivid_run, are_worst):
    path = str(vivid_run)
    triples = gallery.color_photographs(
        path, data="", count=5, are_worst=are_worst)
    assert triples.shape == (5, 3, 32, 32, 3)
    source = of_saved_model.open_data("", model=path)
    errors = of_saved_model.Score(
        LoadedModel(path), source).result.colorized["delta_e"]
    expected = np.argsort(-errors)[:5] if are_worst else [0, 1, 3, 4, 6]
    for (gray, colorized, real), index in zip(triples.astype(int), expected):
        assert np.abs(real - square(source.load(index).numpy())).mean() < 1
        assert np.ptp(gray, axis=-1).max() == 0
        assert np.ptp(colorized, axis=-1).mean() > 5


def test_a_folder_without_a_readable_photograph_is_refused(
        vivid_run, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match="broken.jpg"):
        gallery.color_photographs(
            str(vivid_run), data=f"folder:{tmp_path}", count=5,
            are_worst=False)


@pytest.mark.parametrize("count, across", [(1, 1), (3, 3), (7, 4)])
def test_triples_keep_their_pixels_under_their_headings(count, across):
    triples = photographs(48, range(3 * count)).reshape(count, 3, 48, 48, 3)
    drawn = np.asarray(gallery.draw_triples(triples))
    num_rows, step = -(-count // across), 48 + GAP
    assert drawn.shape == (HEADING + num_rows * step - GAP,
                           3 * across * step - GAP, 3)
    for place, picture in enumerate(triples.reshape(-1, 48, 48, 3)):
        row, column = divmod(place, 3 * across)
        top, left = HEADING + row * step, column * step
        np.testing.assert_array_equal(
            drawn[top:top + 48, left:left + 48], picture)
    for column in range(3 * across):
        assert (drawn[:HEADING, step * column:step * column + 48] < 100).any()


@pytest.mark.parametrize("words", [[], ["1", "nan"], ["one"]])
def test_epochs_that_are_not_numbers_are_refused(words):
    with pytest.raises(UserError, match="--epochs=.* must be numbers"):
        gallery.parse_epochs(words)
