"""Whose hints a photograph is colored with: its own, or a reference's."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_pipelines import color
from data_pipelines.errors import UserError
from pix2pix_color.colorizing import one_file
from pix2pix_color.colorizing.jobs import Job, Options
from pix2pix_color.colorizing.reference import Reference
from pix2pix_color.colorizing.requirements import require_hints_fit
from pix2pix_color.saved_model.recolor import ChromaField

RED = [{"x": 3, "y": 1, "color": "#ff0000"}]
BLUE = [{"x": 0, "y": 0, "color": "#0000ff"}]


class Model:
    """Takes hints and remembers them; each 16 px are a place of their own."""

    takes_hints, directory = True, "stub"

    def __init__(self) -> None:
        self.hints: Any = "none yet"

    def colorize(self, rgb, *, hints, **_):
        self.hints = hints
        return rgb

    def predict_field(self, rgb, *, hints, **_):
        self.hints = [*self.hints, hints]
        return ChromaField(*np.zeros((2, 8, 8, 2), np.float32))

    def recolor(self, rgb, field):
        return rgb

    def features(self, rgb):
        """The gray value's level, one out of eight, of each place."""
        levels = rgb[8::16, 8::16, 0] // 32
        return np.eye(8, dtype=np.float32)[levels]


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (8, 4)).save(tmp_path / "old.png")
    (tmp_path / "old.hints.json").write_text(json.dumps(RED))
    (tmp_path / "other.json").write_text(json.dumps(BLUE))
    return tmp_path


def hints_used(folder, **options):
    model: Any = Model()
    one_file.colorize_file(
        model, Job(str(folder / "old.png"), (str(folder / "new.png"),)),
        Options(**options))
    return model.hints


def test_hints_beside_a_photograph_are_used_when_asked_for(folder):
    assert hints_used(folder) is None
    hints = hints_used(folder, use_hints=True)
    np.testing.assert_allclose(hints, [[0.375, 0.4375, 80, 67]], atol=0.5)
    hints = hints_used(folder, use_hints=True, hints=str(folder / "other.json"))
    assert hints[0, 3] < -90
    (folder / "old.hints.json").unlink()
    assert hints_used(folder, use_hints=True) is None


def test_wrong_hints_are_an_error_and_nothing_is_written(folder):
    (folder / "old.hints.json").write_text("[1]")
    with pytest.raises(UserError, match="old.hints.json: hint 1 must have"):
        hints_used(folder, use_hints=True)
    assert not (folder / "new.png").exists()


def pictures():
    """A gray picture of three stripes, and a colored one of two of them."""
    gray = np.zeros((48, 48, 3), np.uint8)
    gray[:16], gray[16:32], gray[32:] = 16, 112, 240
    colored = np.zeros((32, 48, 3), np.uint8)
    colored[:16], colored[16:] = [112, 40, 40], [16, 16, 90]
    return gray, colored


def test_what_is_alike_takes_the_reference_s_colors():
    gray, colored = pictures()
    model: Any = Model()
    hints = Reference(model, colored).find_hints(gray)
    lab = color.rgb_to_lab(colored[::16, :1]).numpy()[:, 0, 1:]
    # The stripes of 112 and 16; nothing is like the one of 240.
    rows = hints[:, 0] * 3
    assert set(np.floor(rows).astype(int)) == {0, 1}
    for row, stripe in ((1, 0), (0, 1)):
        mean = hints[np.floor(rows) == row][:, 2:].mean(axis=0)
        distances = np.linalg.norm(lab - mean, axis=-1)
        assert distances[stripe] < distances[1 - stripe] / 2


def test_nothing_alike_gives_no_hints():
    gray, _ = pictures()
    model: Any = Model()
    unlike = np.full((32, 32, 3), 80, np.uint8)
    assert Reference(model, unlike).find_hints(gray[32:]).shape == (0, 4)


def test_a_photograph_s_own_hints_count_before_the_reference_s(folder):
    _, colored = pictures()
    Image.fromarray(colored).save(folder / "reference.png")
    given = str(folder / "reference.png")
    assert hints_used(folder, use_hints=True, reference=given)[0, 2] > 70
    with pytest.raises(UserError, match="--reference=.*not an image"):
        hints_used(folder, reference=str(folder / "other.json"))


@pytest.mark.parametrize("file_format, outputs", [
    ("tiff", ["new.tif"]), ("png", ["new_1.png", "new_2.png"])])
def test_every_page_takes_the_reference_s_colors_and_no_hints_of_one(
        folder, file_format, outputs):
    gray, colored = pictures()
    Image.fromarray(colored).save(folder / "reference.png")
    Image.fromarray(gray).save(folder / "old.tif", save_all=True,
                               append_images=[Image.fromarray(gray)])
    model: Any = Model()
    remark, = one_file.colorize_file(model, Job(
        str(folder / "old.tif"), tuple(str(folder / name) for name in outputs),
        num_pages=2), Options(file_format=file_format, use_hints=True,
                              reference=str(folder / "reference.png")))
    assert len(model.hints) > 1
    assert remark.endswith(
        "old.hints.json is not used: hints are for one photograph, not for 2 "
        "pages")


def test_every_frame_of_a_video_takes_the_reference_s_colors(folder):
    av = pytest.importorskip("av", reason="needs the extra video")
    gray, colored = pictures()
    Image.fromarray(colored).save(folder / "reference.png")
    with av.open(str(folder / "film.mp4"), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width = stream.height = 48
        for _ in range(3):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(gray)))
        target.mux(stream.encode(None))
    model: Any = Model()
    model.hints = []
    one_file.colorize_file(
        model, Job(str(folder / "film.mp4"), (str(folder / "new.mp4"),),
                   is_video=True),
        Options(reference=str(folder / "reference.png")))
    assert [len(hints) > 1 for hints in model.hints] == [True] * 3


@pytest.mark.parametrize("given, jobs, takes_hints, message", [
    (dict(use_hints=True), 1, False,
     "--use_hints needs an efficientnet_unet, and m is none"),
    (dict(hints="a.json"), 2, True, "--hints=a.json is for one photograph"),
    (dict(use_hints=True, seeds=(1, 2)), 1, True,
     "--use_hints cannot be used with --samples")])
def test_hints_are_refused_where_they_cannot_be_used(
        given, jobs, takes_hints, message):
    with pytest.raises(UserError, match=message):
        require_hints_fit(
            Options(**given), [Job("a.jpg", ("b.png",))] * jobs, model="m",
            takes_hints=takes_hints)
