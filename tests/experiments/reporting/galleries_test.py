"""Galleries of a run: the right pictures under the right headings."""

import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines.errors import InputError
from experiments.reporting import galleries
from pix2pix_color.config import Config, Data, Networks, Reporting
from pix2pix_color.serving import scoring
from pix2pix_color.serving.client import Model
from pix2pix_color.training.run_folder import RunFolder
from tests.experiments.reporting.conftest import photographs, write_samples
from tests.pix2pix_color.serving.conftest import write_vivid_model


@pytest.fixture
def run_with_grids(make_run):
    """A run of 10 updates an epoch with grids at 10, 20 and 30."""
    path = make_run("run")
    for step, level in ((10, 50), (20, 100), (30, 150)):
        write_samples(path, f"step-{step:07d}", level=level)
    return str(path)


def test_columns_are_the_epochs_between_gray_and_real(run_with_grids):
    gallery = galleries.of_epochs(run_with_grids, [1, 2.9])
    assert gallery.headings == ["gray", "epoch 1", "epoch 2.9", "real"]
    real = photographs(32, (0, 1))
    assert gallery.rows.shape == (2, 4, 32, 32, 3)
    np.testing.assert_array_equal(gallery.rows[:, 0, ..., 0], real[..., 1])
    assert (gallery.rows[:, 1] == 50).all()
    assert (gallery.rows[:, 2] == 150).all()
    np.testing.assert_array_equal(gallery.rows[:, 3], real)


def test_an_epoch_without_a_grid_is_refused(run_with_grids):
    with pytest.raises(InputError, match=(
            r"--epochs=5: .*run has no sample grid of that time, only of the "
            r"epochs 1.0, 2.0, 3.0")):
        galleries.of_epochs(run_with_grids, [1, 5])


def test_the_worst_are_those_of_the_largest_error(tmp_path):
    write_vivid_model(str(tmp_path / "export"))
    RunFolder(str(tmp_path)).write_flags(Config(
        data=Data(image_size=32, eval_data="sample_photos", eval_examples=8),
        networks=Networks(base_filters=4),
        reporting=Reporting(workdir=str(tmp_path))))
    gallery = galleries.of_worst(str(tmp_path), data="", count=5,
                                 tfds_data_dir="")
    assert gallery.headings == ["gray", "generated", "real"] * 4
    assert gallery.rows.shape == (2, 12, 32, 32, 3)
    assert (gallery.rows[1, 3:] == 255).all()  # five of eight places are taken

    source = scoring.open_held_out(str(tmp_path), tfds_data_dir="")
    errors = scoring.Score(Model(str(tmp_path)), source).result.generated[
        "delta_e"]
    real = {name: photo for name, photo in zip(
        np.argsort(-errors), range(5))}
    for index, place in real.items():
        photo = source.load(index).numpy()
        side = min(photo.shape[:2])
        top, left = ((length - side) // 2 for length in photo.shape[:2])
        square = np.asarray(Image.fromarray(
            photo[top:top + side, left:left + side]).resize(
                (32, 32), Image.Resampling.BILINEAR))
        shown = gallery.rows[place // 4, 3 * (place % 4) + 2]
        assert np.abs(shown.astype(int) - square).mean() < 1


@pytest.mark.parametrize("file_format", ["png", "jpg"])
def test_a_gallery_is_drawn_in_its_own_pixels(file_format):
    rows = np.stack([photographs(48, (2 * row, 2 * row + 1))
                     for row in range(3)])
    drawn = np.asarray(Image.open(io.BytesIO(galleries.draw(
        galleries.Gallery(["left", "right"], rows), file_format=file_format))
    ).convert("RGB")).astype(int)
    assert drawn.shape == (22 + 3 * 52 - 4, 2 * 52 - 4, 3)
    tolerance = 0 if file_format == "png" else 12
    for row in range(3):
        for column in range(2):
            top, left = 22 + 52 * row, 52 * column
            difference = np.abs(drawn[top:top + 48, left:left + 48]
                                - rows[row, column])
            assert difference.mean() <= tolerance
    for column in range(2):  # each has its heading
        assert (drawn[:22, 52 * column:52 * column + 48] < 100).any()
