"""The page of inspect, drawn by a real process and compared with the data."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import augment, color, pipeline, split
from data_pipelines.inspection import drawing, measuring
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import open_source

ROOT = pathlib.Path(__file__).parents[2]
SIZE = 64


def start(*arguments, cwd=ROOT):
    return subprocess.Popen(
        [sys.executable, "-m", "data_pipelines.inspect", *arguments], cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def open_sides(folder):
    return split.open_train_and_eval(
        data=f"folder:{folder}", eval_data="", eval_fraction=0.25,
        train_examples=0, eval_examples=0)


def square_of(source, index):
    return augment.center_square(
        source.load(tf.constant(index, tf.int64)), image_size=SIZE).numpy()


def cut(page, left, top, width, height):
    """The mean color in the middle of a place on a page."""
    inside = page[round(top + height / 4):round(top + 3 * height / 4),
                  round(left + width / 4):round(left + 3 * width / 4)]
    return inside.mean(axis=(0, 1))


def middle(picture):
    return cut(picture, 0, 0, picture.shape[1], picture.shape[0])


@pytest.fixture(scope="module")
def runs(photo_folder, tmp_path_factory):
    """The command on both sources and with a wrong flag, at the same time."""
    output = tmp_path_factory.mktemp("pages")
    processes = {
        "folder": start(f"--data=folder:{photo_folder}", f"--image_size={SIZE}",
                        "--eval_fraction=0.25", f"--output={output}/folder.png",
                        "--photo=gcompris_cat.jpg"),
        "samples": start("--data=sample_photos", f"--image_size={SIZE}",
                         "--examples=10", f"--output={output}/samples.png"),
        "missing": start("--data=folder:/no/such", f"--output={output}/no.png"),
    }
    ended = {}
    for name, process in processes.items():
        stdout, stderr = process.communicate(timeout=200)
        ended[name] = (process.returncode, stdout, stderr)
    return output, ended


@pytest.fixture(scope="module")
def page(runs):
    with Image.open(runs[0] / "folder.png") as image:
        return np.asarray(image.convert("RGB"))


def test_the_pages_are_there_and_nothing_else(runs):
    output, ended = runs
    assert [ended[name][0] for name in ("folder", "samples")] == [0, 0], ended
    assert sorted(os.listdir(output)) == ["folder.png", "samples.png"]
    for name in os.listdir(output):
        with Image.open(output / name) as image:
            assert image.format == "PNG"
            assert image.size == (1600, 2000) == (drawing.WIDTH, drawing.HEIGHT)
            image.load()


def test_the_command_prints_the_counts(runs, photo_folder):
    _, ended = runs
    rows = {line[:20].strip(): line[20:].split()
            for line in ended["folder"][1].splitlines()}
    train, evaluation = open_sides(photo_folder)
    assert rows["photographs"] == [str(len(train)), str(len(evaluation))]
    assert len(train) + len(evaluation) == 14
    assert sum(map(int, rows["measured"])) == 12
    assert sum(map(int, rows["rejected"])) == 2
    for name in ("cut $off$.jpg", "写真.png"):
        assert ended["folder"][2].count(f"folder:{photo_folder}: {name}: ") == 1
    assert "Glyph" not in ended["folder"][2]
    samples = ended["samples"][1].splitlines()
    assert samples[1].split() == ["photographs", "56", "8"]
    assert samples[2].split() == ["measured", "10", "8"]


def test_the_sheet_is_what_the_network_is_given(page, photo_folder):
    train, _ = open_sides(photo_folder)
    batch = next(iter(pipeline.training_batches(
        train, color_space=color.LAB, image_size=SIZE,
        resize_size=round(SIZE * 286 / 256), part=pipeline.WorkerShard(24),
        seed=0)))
    drawn = color.LAB.decode(batch.condition, batch.target).numpy()
    for place, picture in enumerate(drawn):
        row, column = divmod(place, 8)
        shown = cut(page, 60 + 185.2 * column, 142 + 185.2 * row, 183, 183)
        np.testing.assert_allclose(shown, middle(picture), atol=5)


def test_the_channels_are_those_of_the_photograph(page, photo_folder):
    source = open_source(f"folder:{photo_folder}", flag="--data")
    photo = square_of(source, source.identities.index("gcompris_cat.jpg"))
    np.testing.assert_allclose(cut(page, 60, 800, 568, 568), middle(photo),
                               atol=3)
    lab = skimage_color.rgb2lab(photo)
    tiles = [cut(page, 668 + 304 * column, 800 + 304 * row, 264, 264)
             for row in range(2) for column in range(3)]
    for channel in range(3):
        np.testing.assert_allclose(
            tiles[channel], middle(photo)[channel], atol=3)
    np.testing.assert_allclose(
        tiles[3], middle(lab)[0] * 2.55, atol=3)
    # A reddish, yellowish cat.
    assert middle(lab)[1] > 2 and middle(lab)[2] > 2
    assert tiles[4][0] > tiles[4][1] + 5
    assert tiles[5][0] > tiles[5][2] + 5


def test_a_wrong_flag_is_one_line_and_exit_code_1(runs):
    code, stdout, stderr = runs[1]["missing"]
    assert (code, stdout) == (1, "")
    assert stderr == ("error: --data=folder:/no/such: there is no folder "
                      "'/no/such'\n")


def test_the_sheet_has_drawn_sizes_where_they_are_asked_for(photo_folder):
    train, _ = open_sides(photo_folder)
    plain, drawn, same = (measuring.contact_sheet(
        train, image_size=SIZE, resize_size=SIZE, max_resize_size=largest,
        seed=0, rejected=RejectedExamples())
        for largest in (0, 3 * SIZE, SIZE))
    np.testing.assert_array_equal(plain, same)
    changed = (plain != drawn).any(axis=(1, 2, 3))
    assert changed.all()


@pytest.mark.parametrize("flags, message", [
    ([], "--output= must name a .png file"),
    (["--output=page.jpg"], "--output=page.jpg must name a .png file"),
    (["--output=there.png"], "--output=there.png exists and is not "
     "overwritten; remove it or choose another name"),
    (["--output=no/page.png"], "--output=no/page.png cannot be written: 'no' "
     "must be a folder that you may write to"),
    (["--output=there.png/page.png"], "--output=there.png/page.png cannot be "
     "written: 'there.png' must be a folder that you may write to"),
    (["--output=a.png", "--resize_size=200"],
     "--resize_size=200 must be at least --image_size=256, or 0"),
    (["--output=a.png", "--resize_size=300", "--max_resize_size=290"],
     "--max_resize_size=290 must be at least --resize_size=300, which must be "
     "given, or 0"),
    (["--output=a.png", "--max_resize_size=300"],
     "--max_resize_size=300 must be at least --resize_size=0, which must be "
     "given, or 0"),
])
def test_wrong_flags_are_one_line_and_write_nothing(tmp_path, flags, message):
    (tmp_path / "there.png").write_bytes(b"mine")
    process = start(*flags, cwd=tmp_path)
    printed, complaints = process.communicate(timeout=60)
    assert (process.returncode, printed) == (1, "")
    assert complaints == f"error: {message}\n"
    assert os.listdir(tmp_path) == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"mine"
