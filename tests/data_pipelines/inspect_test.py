"""The page that shows what the data look like: a real process, real numbers."""

import io
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import augment, color, inspect, pipeline, split
from data_pipelines.errors import InputError
from data_pipelines.sources import Source, open_source

ROOT = pathlib.Path(__file__).parents[2]
PHOTOS = ROOT / "data_pipelines" / "sample_photos"
SIZE = 64


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "data_pipelines.inspect", *arguments], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def open_sides(folder):
    return split.open_train_and_eval(
        data=f"folder:{folder}", eval_data="", eval_fraction=0.25,
        train_examples=0, eval_examples=0)


def measure(source, *, examples=0):
    """Returns the measurements, and the names that were rejected."""
    rejected = pipeline.RejectedExamples(math.inf)
    measured = inspect.measure(source, image_size=SIZE, examples=examples,
                               rejected=rejected, name="")
    return measured, [name.partition(": ")[2] for name in rejected.reasons]


def square_of(source, index):
    return augment.centre_square(
        source.load(tf.constant(index, tf.int64)), image_size=SIZE).numpy()


def cut(page, left, top, width, height):
    """The mean color in the middle of a place on a page."""
    inside = page[round(top + height / 4):round(top + 3 * height / 4),
                  round(left + width / 4):round(left + 3 * width / 4)]
    return inside.mean(axis=(0, 1))


def middle(picture):
    return cut(picture, 0, 0, picture.shape[1], picture.shape[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """12 photographs, and two files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(PHOTOS.glob("g*.jpg"))[:12]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "cut $off$.jpg").write_bytes(
        (PHOTOS / "gcompris_bee.jpg").read_bytes()[:3000])
    (folder / "写真.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def runs(folder, tmp_path_factory):
    """The command on both sources and with a wrong flag, at the same time."""
    output = tmp_path_factory.mktemp("pages")
    processes = {
        "folder": start(f"--data=folder:{folder}", f"--image_size={SIZE}",
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
            assert image.size == (1600, 2000) == (inspect.WIDTH, inspect.HEIGHT)
            image.load()


def test_the_command_prints_the_counts(runs, folder):
    _, ended = runs
    rows = {line[:20].strip(): line[20:].split()
            for line in ended["folder"][1].splitlines()}
    train, evaluation = open_sides(folder)
    assert rows["photographs"] == [str(len(train)), str(len(evaluation))]
    assert len(train) + len(evaluation) == 14
    assert sum(map(int, rows["measured"])) == 12
    assert sum(map(int, rows["rejected"])) == 2
    for name in ("cut $off$.jpg", "写真.png"):
        assert ended["folder"][2].count(f"folder:{folder}: {name}: ") == 1
    assert "Glyph" not in ended["folder"][2]
    samples = ended["samples"][1].splitlines()
    assert samples[1].split() == ["photographs", "56", "8"]
    assert samples[2].split() == ["measured", "10", "8"]


def test_the_sheet_is_what_the_network_is_given(page, folder):
    train, _ = open_sides(folder)
    batch = next(iter(pipeline.training_batches(
        train, color_space=color.LAB, image_size=SIZE,
        resize_size=round(SIZE * 286 / 256), batch_size=24, seed=0)))
    drawn = color.LAB.decode(batch.condition, batch.target).numpy()
    for place, picture in enumerate(drawn):
        row, column = divmod(place, 8)
        shown = cut(page, 60 + 185.2 * column, 142 + 185.2 * row, 183, 183)
        np.testing.assert_allclose(shown, middle(picture), atol=5)


def test_the_channels_are_those_of_the_photograph(page, folder):
    source = open_source(f"folder:{folder}", flag="--data")
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


def test_the_numbers_agree_with_scikit_image(folder):
    source = open_source(f"folder:{folder}", flag="--data")
    measured, rejected = measure(source)
    assert (measured.total, measured.chosen) == (14, 14)
    names = [path.name for path in sorted(PHOTOS.glob("g*.jpg"))[:12]]
    assert sorted(measured.identities) == names
    assert rejected == ["cut $off$.jpg", "写真.png"]

    lab = []
    for name, size, chroma, variety in zip(
            measured.identities, measured.sizes, measured.chroma,
            measured.variety):
        photo = square_of(source, source.identities.index(name))
        lab.append(skimage_color.rgb2lab(photo))
        with Image.open(folder / name) as image:
            assert size == image.size[::-1]
        a, b = lab[-1][..., 1], lab[-1][..., 2]
        assert chroma == pytest.approx(np.hypot(a, b).mean(), abs=2e-3)
        assert variety == pytest.approx(np.hypot(a.std(), b.std()), abs=2e-3)

    lightness, a, b = np.reshape(lab, [-1, 3]).T
    edges = np.arange(-110, 111)
    for counts, expected in (
            (measured.ab_counts, np.histogram2d(a, b, [edges, edges])[0]),
            (measured.chroma_counts,
             np.histogram(np.hypot(a, b), np.arange(135))[0]),
            (measured.lightness_counts,
             np.histogram(lightness, np.arange(101))[0])):
        assert counts.sum() == len(a) == 12 * SIZE * SIZE
        # A color on a bin's edge may fall to either side.
        assert abs(counts - expected).sum() < 0.005 * len(a)


@pytest.mark.parametrize("rgb, lightness, chroma, a, b", [
    ((0, 0, 0), 0, 0, None, None),
    ((255, 255, 255), 99, 0, None, None),
    ((0, 0, 255), 32, 133, 79, -108),
    ((255, 0, 0), 53, 104, 80, 67),
])
def test_the_ends_of_the_gamut_are_counted(rgb, lightness, chroma, a, b):
    measured = inspect.Measurements(total=1)
    measured.add(np.broadcast_to(np.uint8(rgb), [1, 2, 2, 3]))
    assert measured.lightness_counts[lightness] == 4
    assert measured.chroma_counts[chroma] == 4
    assert measured.ab_counts.sum() == 4
    if a is not None:
        assert measured.ab_counts[a + 110, b + 110] == 4


def test_examples_are_spread_over_the_source(folder):
    source = open_source(f"folder:{folder}", flag="--data")
    measured, _ = measure(source.select(range(1, 13)), examples=3)
    assert (measured.total, measured.chosen) == (12, 3)
    assert measured.identities == [source.identities[index]
                                   for index in (1, 7, 12)]


def test_a_gray_photograph_of_its_own_is_the_condition():
    """[..., 4] as of paired: red, beside it a gray picture of L* 80.6."""
    red = np.array([255, 0, 0, 200], np.uint8)
    source = Source(origin="--data=red", identities=["red"], channels=4,
                    load=lambda index: tf.broadcast_to(red, [9, 9, 4]))
    measured, _ = measure(source)
    assert measured.chroma == [pytest.approx(104.55, abs=0.01)]
    assert measured.most_varied() == "red"
    sheet = inspect.contact_sheet(
        source, image_size=8, resize_size=9, seed=0,
        rejected=pipeline.RejectedExamples())
    page = inspect.draw_page(
        title="", sheet=sheet, photo=square_of(source, 0), photo_name="red",
        sides={"training": measured, "evaluation": measured}, rejected={})
    with Image.open(io.BytesIO(page)) as image:
        drawn = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(cut(drawn, 60, 800, 568, 568), red[:3])
    assert cut(drawn, 668, 800 + 304, 264, 264)[0] == pytest.approx(
        80.6 * 2.55, abs=1)


def test_photographs_are_found_by_name_and_by_number():
    train, evaluation = (
        Source(origin="", identities=names, load=tf.identity)
        for names in (["a", "b"], ["c", "7"]))
    assert inspect.find_photo("b", train, evaluation) == (train, 1)
    assert inspect.find_photo("c", train, evaluation) == (evaluation, 0)
    assert inspect.find_photo("7", train, evaluation) == (evaluation, 1)
    assert inspect.find_photo("0", train, evaluation) == (train, 0)
    for wrong in ("2", "-1", "d"):
        with pytest.raises(InputError, match=rf"^--photo={wrong} is neither .* "
                                             r"number from 0 to 1$"):
            inspect.find_photo(wrong, train, evaluation)


def test_a_wrong_flag_is_one_line_and_exit_code_1(runs):
    code, stdout, stderr = runs[1]["missing"]
    assert (code, stdout) == (1, "")
    assert [line for line in stderr.splitlines() if "error" in line
            and "0000 " not in line] == [
        "error: --data=folder:/no/such: there is no folder '/no/such'"]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("name, message", [
    ("", "--output= must name a .png file"),
    ("page.jpg", "--output={path} must name a .png file"),
    ("there.png", "--output={path} exists and is not overwritten; remove it "
                  "or choose another name"),
    ("no/page.png", "--output={path} cannot be written: No such file or "
                    "directory"),
    ("there.png/page.png", "--output={path} cannot be written: Not a "
                           "directory"),
])
def test_an_output_that_cannot_be_is_refused(tmp_path, name, message):
    (tmp_path / "there.png").write_bytes(b"mine")
    path = name and str(tmp_path / name)
    with pytest.raises(InputError) as refusal:
        with inspect.new_file(path):
            pytest.fail("it was opened")
    assert str(refusal.value) == message.format(path=path)
    assert os.listdir(tmp_path) == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"mine"


def test_an_interrupted_page_leaves_nothing(tmp_path):
    path = str(tmp_path / "page.png")
    with pytest.raises(KeyboardInterrupt):
        with inspect.new_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt
    assert not os.listdir(tmp_path)
    with inspect.new_file(path) as file:
        file.write(b"whole")
        assert not os.path.exists(path)
    assert os.listdir(tmp_path) == ["page.png"]
