"""Finding the files to color and naming their results."""

import os

import pytest

from data_pipelines.errors import UserError
from pix2pix_color.colorizing.jobs import find_jobs


def outputs_of(*arguments, output_dir="", ending=".png", samples=0,
               overwrite=False, skip_existing=False):
    jobs = find_jobs([str(argument) for argument in arguments],
                     output_dir=str(output_dir), ending=ending,
                     samples=samples, overwrite=overwrite,
                     skip_existing=skip_existing)
    return {job.path: job.outputs for job in jobs}


@pytest.fixture
def folder(tmp_path):
    for name in ("in/b.jpg", "in/deep/er/a.PNG", "in/c.mp4", "in/notes.txt",
                 "in/.hidden/d.jpg", "in/.e.jpg", "in/b_colorized.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_results_go_beside_the_files(tmp_path):
    assert outputs_of(tmp_path / "a.b.jpg", "old.tif", ending=".jpg") == {
        f"{tmp_path}/a.b.jpg": (f"{tmp_path}/a.b_colorized.jpg",),
        "old.tif": ("old_colorized.jpg",)}


def test_a_folder_keeps_its_structure(folder):
    assert outputs_of(folder / "in", output_dir=folder / "out") == {
        f"{folder}/in/b.jpg": (f"{folder}/out/b_colorized.png",),
        f"{folder}/in/c.mp4": (f"{folder}/out/c_colorized.mp4",),
        f"{folder}/in/deep/er/a.PNG": (
            f"{folder}/out/deep/er/a_colorized.png",)}
    # Results inside of the folder are not colored again.
    (folder / "in" / "out").mkdir()
    (folder / "in" / "out" / "z.jpg").touch()
    assert len(outputs_of(folder / "in", output_dir=folder / "in/out")) == 3


def test_patterns_are_expanded(folder):
    assert list(outputs_of(f"{folder}/in/**/*.[jP]*", output_dir="out")) == [
        f"{folder}/in/b.jpg", f"{folder}/in/deep/er/a.PNG"]
    (folder / "a[1].jpg").touch()  # a name that looks like a pattern
    assert list(outputs_of(folder / "a[1].jpg")) == [f"{folder}/a[1].jpg"]
    with pytest.raises(UserError, match=r"\*\.bmp matches no file"):
        outputs_of(f"{folder}/*.bmp")


def test_what_is_named_twice_is_colored_once(folder):
    assert list(outputs_of(f"{folder}/in/b.jpg", f"{folder}/in/b.*",
                           f"{folder}/in", output_dir=folder / "out")) == [
        f"{folder}/in/b.jpg", f"{folder}/in/c.mp4",
        f"{folder}/in/deep/er/a.PNG"]


def test_a_folder_that_cannot_be_read_is_not_passed_over(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="in/deep: Permission denied"):
        outputs_of(folder / "in")


def test_links_and_pipes_in_a_folder(folder):
    (folder / "in" / "deep" / "up").symlink_to("..")
    (folder / "in" / "lost.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "in" / "pipe.jpg")
    assert [os.path.relpath(path, folder / "in")
            for path in outputs_of(folder / "in", overwrite=True)] == [
        "b.jpg", "c.mp4", "lost.jpg", "deep/er/a.PNG"]


def test_samples_are_numbered_and_standard_input_goes_to_standard_output():
    assert outputs_of("-") == {"-": ("-",)}
    assert outputs_of("a.jpg", samples=3, output_dir="out") == {"a.jpg": (
        "out/a_colorized_1.png", "out/a_colorized_2.png",
        "out/a_colorized_3.png")}


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
    """Another name of an input, a link to nowhere, a folder by two names."""
    photo, other = folder / "in" / "b.jpg", folder / "in" / "deep"
    result = folder / "out" / "b_colorized.png"
    result.parent.mkdir()
    result.symlink_to("nowhere")
    with pytest.raises(UserError, match="exists and is not overwritten"):
        outputs_of(photo, output_dir=folder / "out")
    result.unlink()
    result.symlink_to(photo)
    with pytest.raises(UserError, match="is one of the files to color"):
        outputs_of(photo, output_dir=folder / "out", overwrite=True)
    (folder / "deep").symlink_to(other)
    with pytest.raises(UserError, match="Both .*deep/er/a.PNG and .* would"):
        outputs_of(other / "er" / "a.PNG", folder / "deep" / "er" / "a.PNG")


@pytest.mark.parametrize("arguments, samples, message", [
    ((), 0, "No photograph was named"), (("-", "a.jpg"), 0, "no other file"),
    (("-",), 2, "one sample"),
    (("tests/pix2pix_color/colorizing",), 0, "holds no image or video file"),
    (("x/a.jpg", "x/a.png"), 0,
     "Both x/a.jpg and x/a.png would be written to x/a_colorized.png")])
def test_impossible_requests_are_refused(arguments, samples, message):
    with pytest.raises(UserError, match=message):
        outputs_of(*arguments, samples=samples)


def test_an_unfinished_folder_can_be_continued(folder):
    def rest(**options):
        return list(outputs_of(folder / "in", output_dir=folder / "out",
                               skip_existing=True, **options))

    out = folder / "out"
    (out / "deep" / "er").mkdir(parents=True)
    (out / "deep" / "er" / "a_colorized.png").touch()
    assert rest() == [f"{folder}/in/b.jpg", f"{folder}/in/c.mp4"]
    # With samples, one of two is not all.
    (out / "b_colorized_1.png").touch()
    with pytest.raises(UserError, match="b_colorized_1.png exists"):
        rest(samples=2)
    (out / "b_colorized_2.png").touch()
    assert rest(samples=2) == [f"{folder}/in/c.mp4",
                               f"{folder}/in/deep/er/a.PNG"]
    for name in ("b", "c"):
        (out / f"{name}_colorized.png").touch()
    (out / "c_colorized.mp4").touch()
    assert rest() == []
