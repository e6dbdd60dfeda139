"""Naming results, and what is refused."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from data_pipelines.errors import UserError
from pix2pix_color.colorizing.jobs import find_jobs


def find(*arguments, output_dir="", file_format="png", samples=0,
         overwrite=False, skip_existing=False):
    return find_jobs([str(argument) for argument in arguments],
                     output_dir=str(output_dir), file_format=file_format,
                     samples=samples, overwrite=overwrite,
                     skip_existing=skip_existing)


def outputs_of(*arguments, **options):
    return {job.path: job.outputs for job in find(*arguments, **options)[0]}


def write_pages(path, count=3):
    first, *others = [Image.new("L", (8, 8), page) for page in range(count)]
    first.save(path, "TIFF", save_all=True, append_images=others)


@pytest.fixture
def folder(tmp_path):
    for name in ("in/b.jpg", "in/deep/er/a.PNG", "in/c.mp4", "in/notes.txt",
                 "in/.hidden/d.jpg", "in/.e.jpg", "in/b_colorized.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_files_are_found_without_tensorflow():
    program = ("import sys; import pix2pix_color.colorizing.jobs; "
               "sys.exit('tensorflow' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program],
                          check=False).returncode == 0


def test_results_go_beside_the_files(tmp_path):
    assert outputs_of(tmp_path / "a.b.jpg", "old.tif", file_format="jpeg") == {
        f"{tmp_path}/a.b.jpg": (f"{tmp_path}/a.b_colorized.jpg",),
        "old.tif": ("old_colorized.jpg",)}


def test_a_folder_keeps_its_structure(folder):
    assert outputs_of(folder / "in", output_dir=folder / "out") == {
        f"{folder}/in/b.jpg": (f"{folder}/out/b_colorized.png",),
        f"{folder}/in/c.mp4": (f"{folder}/out/c_colorized.mp4",),
        f"{folder}/in/deep/er/a.PNG": (
            f"{folder}/out/deep/er/a_colorized.png",)}


def test_a_pattern_keeps_the_structure_below_its_folder(folder):
    assert outputs_of(f"{folder}/in/**/*.[jP]*", output_dir="out") == {
        f"{folder}/in/b.jpg": ("out/b_colorized.png",),
        f"{folder}/in/deep/er/a.PNG": ("out/deep/er/a_colorized.png",)}
    (folder / "in" / "deep" / "b.jpg").touch()
    # A folder that matches is gone through, as if a shell had named it.
    assert list(outputs_of(f"{folder}/in/*", output_dir="out").values()) == [
        ("out/b_colorized.png",), ("out/c_colorized.mp4",),
        ("out/deep/b_colorized.png",), ("out/deep/er/a_colorized.png",)]
    (folder / "a[1].jpg").touch()  # a name that looks like a pattern
    assert list(outputs_of(folder / "a[1].jpg")) == [f"{folder}/a[1].jpg"]
    with pytest.raises(UserError, match=r"\*\.bmp matches no file"):
        outputs_of(f"{folder}/*.bmp")


def test_what_is_named_twice_is_colored_once(folder):
    (folder / "alias").symlink_to("in/deep")
    assert list(outputs_of(
        f"{folder}/in/b.jpg", f"{folder}/in/b.*", f"{folder}/in",
        f"{folder}/alias/er/a.PNG", f"{folder}/in/../in/b.jpg",
        overwrite=True)) == [
            f"{folder}/in/b.jpg", f"{folder}/in/c.mp4",
            f"{folder}/in/deep/er/a.PNG"]


def test_names_that_differ_in_their_endings_only_keep_them(tmp_path):
    """Unless one of the results is a video: then nothing is the same."""
    for name in ("a.jpg", "a.tif", "a.jpg.png", "b.jpg", "b.mp4", "c.mov",
                 "c.mp4", "sub/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    expected = {
        "a.jpg": "a.jpg_colorized.png", "a.tif": "a.tif_colorized.png",
        "a.jpg.png": "a.jpg.png_colorized.png", "b.jpg": "b_colorized.png",
        "b.mp4": "b_colorized.mp4", "c.mov": "c.mov_colorized.mp4",
        "c.mp4": "c.mp4_colorized.mp4", "sub/a.jpg": "sub/a_colorized.png"}
    assert outputs_of(tmp_path) == {
        f"{tmp_path}/{name}": (f"{tmp_path}/{output}",)
        for name, output in expected.items()}
    (tmp_path / "a.jpg_colorized.png").touch()
    jobs, passed_over = find(tmp_path, skip_existing=True)
    assert f"{tmp_path}/a.tif" in [job.path for job in jobs]
    assert [os.path.basename(file.path) for file in passed_over] == [
        "a.jpg_colorized.png", "a.jpg"]
    assert outputs_of("x/a.jpg", "y/a.png", output_dir="out") == {
        "x/a.jpg": ("out/a.jpg_colorized.png",),
        "y/a.png": ("out/a.png_colorized.png",)}


def test_pages_and_samples_are_numbered(tmp_path):
    write_pages(tmp_path / "scan.tif")
    stem = f"{tmp_path}/scan_colorized"
    scan = tmp_path / "scan.tif"
    assert outputs_of(scan) == {str(scan): (
        f"{stem}_page1.png", f"{stem}_page2.png", f"{stem}_page3.png")}
    assert outputs_of(scan, samples=2) == {str(scan): tuple(
        f"{stem}_page{page}_{sample}.png"
        for page in (1, 2, 3) for sample in (1, 2))}
    assert outputs_of(scan, file_format="tiff") == {
        str(scan): (f"{stem}.tif",)}
    assert outputs_of("a.jpg", samples=3, output_dir="out") == {"a.jpg": (
        "out/a_colorized_1.png", "out/a_colorized_2.png",
        "out/a_colorized_3.png")}
    assert outputs_of("-") == {"-": ("-",)}


def test_nothing_is_overwritten_but_on_request_and_an_input_never(tmp_path):
    photo, result = tmp_path / "a.png", tmp_path / "a_colorized.png"
    for path in (photo, result):
        path.touch()
    with pytest.raises(UserError, match="exists and is not overwritten"):
        outputs_of(photo)
    assert outputs_of(photo, overwrite=True) == {str(photo): (str(result),)}
    with pytest.raises(UserError, match="is one of the files to color"):
        outputs_of(photo, result, overwrite=True)


def test_names_are_followed_to_the_files_they_stand_for(folder):
    """Another name of an input, a link to nowhere."""
    photo = folder / "in" / "b.jpg"
    result = folder / "out" / "b_colorized.png"
    result.parent.mkdir()
    result.symlink_to("nowhere")
    with pytest.raises(UserError, match="exists and is not overwritten"):
        outputs_of(photo, output_dir=folder / "out")
    result.unlink()
    result.symlink_to(photo)
    with pytest.raises(UserError, match="is one of the files to color"):
        outputs_of(photo, output_dir=folder / "out", overwrite=True)


@pytest.mark.parametrize("arguments, samples, message", [
    ((), 0, "No photograph was named"), (("-", "a.jpg"), 0, "no other file"),
    (("-",), 2, "one sample"),
    (("tests/pix2pix_color/colorizing",), 0,
     r"tests/pix2pix_color/colorizing holds no photograph or video; \d+ "
     r"passed over: \d+ not photographs or videos \(.*_test.py, .*, \.\.\.\)"),
    (("x/a.jpg", "y/a.jpg"), 0,
     "Both x/a.jpg and y/a.jpg would be written to out/a.jpg_colorized.png; "
     "name the folder that both are in, whose structure is kept, or color "
     "them one after the other, with different --output_dir")])
def test_impossible_requests_are_refused(arguments, samples, message):
    with pytest.raises(UserError, match=message):
        outputs_of(*arguments, samples=samples, output_dir="out")


def test_an_unfinished_folder_can_be_continued(folder):
    def rest(**options):
        return list(outputs_of(folder / "in", output_dir=folder / "out",
                               skip_existing=True, **options))

    out = folder / "out"
    (out / "deep" / "er").mkdir(parents=True)
    (out / "deep" / "er" / "a_colorized.png").touch()
    assert rest() == [f"{folder}/in/b.jpg", f"{folder}/in/c.mp4"]
    for name in ("b", "c"):
        (out / f"{name}_colorized.png").touch()
    (out / "c_colorized.mp4").touch()
    assert rest() == []


def test_a_file_of_several_results_is_continued_where_it_stood(folder):
    scan = folder / "in" / "b.jpg"
    write_pages(scan)
    options = {"output_dir": folder / "out", "skip_existing": True}
    first, second, third = outputs_of(scan, **options)[str(scan)]
    (folder / "out").mkdir()
    for output in (first, third):
        open(output, "wb").close()
    job, = find(scan, **options)[0]
    assert job.finished == {first, third} and second in job.outputs
    open(second, "wb").close()
    jobs, passed_over = find(scan, **options)
    assert not jobs and [file.path for file in passed_over] == [str(scan)]
