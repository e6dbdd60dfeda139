"""Image files below a folder."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import photo_file
from data_pipelines.errors import UserError
from data_pipelines.sources import folder, source


def fill(directory, *names):
    """Creates an empty file at each path, relative to the folder."""
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def identities(directory):
    return list(folder.open_folder(
        str(directory), origin=f"--data=folder:{directory}").identities)


def save_photograph(path, red):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (red, 0, 0)).save(path)


def index_tensor(index):
    return tf.constant(index, tf.int64)


def test_files_are_found_recursively_and_sorted(tmp_path):
    fill(tmp_path, "b.jpg", "a/z.png", "a/b/c.png", "c/a.bmp", "a.webp",
         "B.jpeg")
    assert identities(tmp_path) == [
        "B.jpeg", "a.webp", "b.jpg", os.path.join("a", "z.png"),
        os.path.join("a", "b", "c.png"), os.path.join("c", "a.bmp")]


def test_other_files_are_passed_over(tmp_path):
    fill(tmp_path, "a.jpg", "notes.txt", "b.jpg.part", "jpg", "c.psd",
         "d.gif", "e.jpg~")
    assert identities(tmp_path) == ["a.jpg"]


def test_results_of_colorize_are_left_out_and_counted(tmp_path, caplog):
    fill(tmp_path, "a.jpg", "a_colorized.png", "a_colorized_2.jpg",
         "b.tif", "b_colorized_page1.png", "c.jpg", "c.jpg_colorized.png",
         "mine/d_colorized.png", "other/a_colorized.png")
    assert identities(tmp_path) == [
        "a.jpg", "b.tif", "c.jpg", os.path.join("mine", "d_colorized.png"),
        os.path.join("other", "a_colorized.png")]
    assert f"--data=folder:{tmp_path}: 4 results of colorize are left out" in (
        caplog.text)


@pytest.mark.parametrize("extension", [
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".JPG", ".Jpeg", ".PNG", ".BMP",
    ".WebP", ".tif", ".TIFF"])
def test_extension_counts_in_any_case(tmp_path, extension):
    fill(tmp_path, "photo" + extension)
    assert identities(tmp_path) == ["photo" + extension]


@pytest.mark.parametrize("mode, options", [
    ("RGB", {"compression": "tiff_lzw"}), ("CMYK", {}), ("I;16", {}),
    ("RGBA", {"tiffinfo": {274: 6}})])  # orientation
def test_tiff_is_the_picture_that_colorize_sees(tmp_path, mode, options):
    levels = np.arange(12 * 16 * 4, dtype=np.uint8).reshape(12, 16, 4)
    pixels = (levels[..., 0].astype("<u2") * 257 if mode == "I;16"
              else levels[..., :len(mode)])
    Image.frombytes(mode, (16, 12), pixels.tobytes()).save(
        tmp_path / "a.tif", **options)
    photographs = folder.open_folder(str(tmp_path), origin="--data=folder:x")
    with open(tmp_path / "a.tif", "rb") as file:
        expected = np.asarray(photo_file.read_rgb(file))
    assert np.ptp(expected) > 100
    np.testing.assert_array_equal(photographs.load(index_tensor(0)), expected)


@pytest.mark.parametrize("name", [
    "with spaces in it.jpg", "Zürich, früh.jpg", "写真/东京 1.jpg",
    "quote'\"and[brackets]*?.jpg", "emoji 🙂.png", "-dash.jpg", "per%20cent.jpg",
])
def test_unusual_names_are_listed_and_read(tmp_path, name):
    save_photograph(tmp_path / name, red=200)
    photographs = folder.open_folder(str(tmp_path), origin="--data=folder:x")
    assert list(photographs.identities) == [name]
    np.testing.assert_array_equal(
        photographs.load(index_tensor(0))[..., 0].numpy() > 190,
        np.ones((3, 4), bool))


def test_name_that_is_not_utf_8_is_listed_and_read(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        with open(path, "wb") as file:
            Image.new("RGB", (4, 3)).save(file, "PNG")
    except OSError:
        pytest.skip("this file system takes no such name")
    photographs = folder.open_folder(str(tmp_path), origin="--data=folder:x")
    assert list(photographs.identities) == [os.fsdecode(b"caf\xe9.png")]
    assert photographs.load(index_tensor(0)).shape == (3, 4, 3)


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    fill(tmp_path, "a.jpg", ".hidden.jpg", "._a.jpg", ".thumbnails/b.jpg",
         "c/.d/e.jpg", "c/f.jpg")
    assert identities(tmp_path) == ["a.jpg", os.path.join("c", "f.jpg")]


def test_folder_that_is_named_like_a_photograph_is_entered(tmp_path):
    fill(tmp_path, "album.jpg/a.jpg")
    assert identities(tmp_path) == [os.path.join("album.jpg", "a.jpg")]


def test_link_back_up_ends_and_each_file_is_listed_once(tmp_path):
    fill(tmp_path, "a.jpg", "b/c.jpg", "b/d/e.jpg")
    (tmp_path / "b" / "d" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "self").symlink_to(tmp_path / "b")
    assert identities(tmp_path) == [
        "a.jpg", os.path.join("b", "c.jpg"), os.path.join("b", "d", "e.jpg")]


def test_linked_files_and_folders_are_followed_once(tmp_path):
    fill(tmp_path, "elsewhere/a.jpg")
    (tmp_path / "photos").mkdir()
    for name in ("first", "second"):
        (tmp_path / "photos" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "b.jpg").symlink_to(tmp_path / "elsewhere/a.jpg")
    assert identities(tmp_path / "photos") == [
        "b.jpg", os.path.join("first", "a.jpg")]


def test_moving_the_folder_changes_no_identity(tmp_path):
    fill(tmp_path / "here", "a.jpg", "b/c.jpg")
    before = identities(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert identities(tmp_path / "there") == before
    assert identities(str(tmp_path / "there") + os.sep) == before


def test_relative_folder_works(tmp_path, monkeypatch):
    save_photograph(tmp_path / "photos" / "a.png", red=9)
    monkeypatch.chdir(tmp_path)
    photographs = folder.open_folder("photos", origin="--data=folder:photos")
    assert list(photographs.identities) == ["a.png"]
    np.testing.assert_array_equal(
        photographs.load(index_tensor(0))[0, 0], [9, 0, 0])


@pytest.mark.parametrize("name", ["/nowhere", "/a.jpg", ""],
                         ids=["missing", "file", "empty"])
def test_another_path_is_refused(tmp_path, name):
    fill(tmp_path, "a.jpg")
    path = name and f"{tmp_path}{name}"
    with pytest.raises(UserError) as caught:
        identities(path)
    assert str(caught.value) == (
        f"--data=folder:{path}: there is no folder {path!r}")


@pytest.mark.parametrize("names", [[], ["notes.txt", "b/.hidden.jpg"]],
                         ids=["empty", "no_image"])
def test_folder_without_images_is_refused(tmp_path, names):
    fill(tmp_path, *names)
    with pytest.raises(UserError, match=r"^--data=folder:.*: there is no image "
                       r"file below '.*'; looked for \.jpg, .*\.webp"):
        identities(tmp_path)


def test_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    fill(tmp_path, "a.jpg", "locked/b.jpg")
    scandir = os.scandir

    def refuse_locked(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_locked)
    with pytest.raises(
            UserError, match=r"cannot list '.*locked': Permission denied"):
        identities(tmp_path)


def test_each_index_loads_its_own_file(tmp_path):
    for red, name in enumerate(["c.png", "a.bmp", "b/d.png"]):
        save_photograph(tmp_path / name, red)
    photographs = folder.open_folder(str(tmp_path), origin="--data=folder:x")
    assert list(photographs.identities) == [
        "a.bmp", "c.png", os.path.join("b", "d.png")]
    eager = [int(photographs.load(index_tensor(index))[0, 0, 0])
             for index in range(3)]
    mapped = [int(rgb[0, 0, 0]) for rgb in
              tf.data.Dataset.range(3).map(photographs.load)]
    assert eager == mapped == [1, 0, 2]


def test_file_that_is_gone_raises_when_it_is_loaded(tmp_path):
    fill(tmp_path, "a.jpg")
    photographs = folder.open_folder(str(tmp_path), origin="--data=folder:x")
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(tf.errors.NotFoundError):
        photographs.load(index_tensor(0))


def numbered_source(*names, held_out=frozenset()):
    return source.Source(
        origin="--data=numbers", identities=names, held_out=held_out,
        load=lambda index: tf.fill([1, 1, 3], tf.cast(index, tf.uint8)))


def test_select_keeps_these_examples_in_this_order():
    selected = numbered_source(
        "a", "b", "c", "d", held_out=frozenset("c")).select([3, 1, 0])
    assert len(selected) == 3
    assert list(selected.identities) == ["d", "b", "a"]
    assert selected.origin == "--data=numbers"
    assert selected.held_out == frozenset("c")
    for source_, numbers in ((selected, [3, 1, 0]),
                             (selected.select([2, 0]), [0, 3])):
        assert [int(rgb[0, 0, 0]) for rgb in tf.data.Dataset.range(
            len(numbers)).map(source_.load)] == numbers
    assert list(selected.select([2, 0]).identities) == ["a", "d"]


def test_select_of_nothing_is_empty():
    assert len(numbered_source("a", "b").select([])) == 0
