"""Going through folders: what is found and what is passed over, and why."""

import os

import pytest
from PIL import Image

from data_pipelines.errors import UserError
from pix2pix_color.colorizing.folders import Found, PassedOver, find_files
from pix2pix_color.colorizing.summary import summarize


def photo(path, file_format="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path, file_format)


def found(folder, output_dir="", pattern=""):
    return [os.path.relpath(file.path, folder) for file in find_files(
        os.path.join(folder, pattern) if pattern else str(folder),
        str(output_dir)) if isinstance(file, Found)]


def passed_over(folder, output_dir=""):
    return {os.path.relpath(file.path, folder): file.reason.name
            for file in find_files(str(folder), str(output_dir))
            if isinstance(file, PassedOver)}


def test_content_decides_not_the_ending(tmp_path):
    photo(tmp_path / "a.jfif", "JPEG")
    photo(tmp_path / "b", "JPEG2000")
    photo(tmp_path / "c.avif", "AVIF")
    photo(tmp_path / "d.txt", "PPM")
    (tmp_path / "text.jpg").write_text("<html>")  # coloring says what it is
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / "raw.dng").write_bytes(b"\0\0\0\x18ftypcrx isom")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert found(tmp_path) == ["a.jfif", "b", "c.avif", "d.txt", "text.jpg"]
    assert passed_over(tmp_path) == {"notes.txt": "OTHER", "raw.dng": "RAW",
                                     "pipe.jpg": "OTHER"}


def test_links_are_followed_and_every_folder_is_seen_once(tmp_path):
    """The real folder before a link to it; no circle; links to nowhere."""
    top, elsewhere = tmp_path / "top", tmp_path / "elsewhere"
    photo(top / "real" / "a.png")
    photo(elsewhere / "deep" / "b.png")
    photo(elsewhere / ".hidden" / "c.png")
    (top / "alias").symlink_to("real")
    (top / "real" / "up").symlink_to("..")
    (top / "away").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(top)
    (top / "again").symlink_to(elsewhere / "deep")
    (top / "lost.jpg").symlink_to("nowhere")
    (top / "lost").symlink_to("nowhere")
    assert found(top) == ["lost.jpg", "real/a.png", "again/b.png"]
    assert passed_over(top) == {"lost": "OTHER"}


def test_a_result_is_passed_over_while_its_photograph_is_there(tmp_path):
    for name in ("a.jpg", "a_colorized.png", "a_colorized_2.jpg",
                 "a_colorized_page2.tif", "a.jpg_colorized.webp",
                 "a_colorized_by_hand.png", "b_colorized.png",
                 "c/a_colorized.png", "notes_colorized.png",
                 "a_colorized.bmp", "x_colorized_colorized.png",
                 "x_colorized.png"):
        photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / "a_colorized.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    (tmp_path / "a_colorized.png.00ff.unfinished").touch()
    assert found(tmp_path) == [
        "a.jpg", "a_colorized.bmp", "a_colorized.mp4",
        "a_colorized_by_hand.png", "b_colorized.png", "notes_colorized.png",
        "x_colorized.png", "c/a_colorized.png"]
    assert passed_over(tmp_path) == {
        "a_colorized.png": "RESULT", "a_colorized_2.jpg": "RESULT",
        "a_colorized_page2.tif": "RESULT", "a.jpg_colorized.webp": "RESULT",
        "x_colorized_colorized.png": "RESULT", "notes.txt": "OTHER",
        "a_colorized.png.00ff.unfinished": "UNFINISHED"}
    # A pattern that leaves the photograph out changes nothing.
    assert "a_colorized.png" not in found(tmp_path, pattern="*.png")
    (tmp_path / "a.jpg").unlink()
    assert "a_colorized.png" in found(tmp_path)


def test_results_in_a_folder_of_their_own_inside_are_known(tmp_path):
    for name in ("deep/a.jpg", "out/deep/a_colorized.png", "out/mine.jpg",
                 "out/b_colorized.png", "outside/c.png"):
        photo(tmp_path / name)
    assert found(tmp_path, tmp_path / "out") == ["deep/a.jpg", "outside/c.png"]
    assert passed_over(tmp_path, tmp_path / "out") == {
        "out/deep/a_colorized.png": "RESULT",
        "out/b_colorized.png": "IN_OUTPUT_DIR",
        "out/mine.jpg": "IN_OUTPUT_DIR"}
    # The same folder for both is a folder like any other.
    assert "out/mine.jpg" in found(tmp_path, tmp_path)


def test_a_folder_that_cannot_be_read_is_not_passed_over(
        tmp_path, monkeypatch):
    photo(tmp_path / "deep" / "a.png")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="deep: Permission denied"):
        found(tmp_path)


def test_the_summary_counts_and_names_a_few(tmp_path):
    for name in ("a.png", "a_colorized.png"):
        photo(tmp_path / name)
    for number in range(5):
        (tmp_path / f"note{number}.txt").touch()
    files = [file for file in find_files(str(tmp_path), "")
             if isinstance(file, PassedOver)]
    assert summarize(12, 1, files) == (
        "12 colored, 1 with errors, 6 passed over: 5 not photographs or "
        "videos (note0.txt, note1.txt, note2.txt, ...), 1 result of an "
        "earlier run (a_colorized.png)")
    assert summarize(2, 0, []) == "2 colored"
