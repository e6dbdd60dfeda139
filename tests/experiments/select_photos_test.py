"""Photographs to train on are selected by hash, color and source."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import ExifTags, Image, ImageOps

from data_pipelines.errors import UserError
from data_pipelines.sources import sample_photos
from experiments import select_photos


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """The folders that the command made, and what it printed."""
    folder = tmp_path_factory.mktemp("select")
    photos = folder / "photos"
    photos.mkdir()
    name = "gcompris_red_panda.jpg"
    with Image.open(os.path.join(sample_photos.DIRECTORY, name)) as panda:
        panda.resize((150, 150)).save(photos / "coco_copy.png")
        ImageOps.mirror(panda).save(photos / "x_coco_mirrored.jpg", quality=70)
        panda.convert("L").save(photos / "sun_gray.png")
        lying = Image.Exif()
        lying[ExifTags.Base.Orientation] = 6  # turned by a quarter to show
        panda.rotate(90, expand=True).save(photos / "sun_lying.jpg", exif=lying)
    # More pixels than are ever decoded.
    Image.new("1", (20_000, 10_000)).save(photos / "sun_bomb.png")
    rng = np.random.default_rng(0)
    for name in ("coco_one.png", "x_coco_two.png", "x_flickr_three.png"):
        small = rng.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(small).resize((96, 96)).save(photos / name)
    pale = Image.fromarray(rng.integers(0, 256, (6, 6), np.uint8))
    pale.resize((96, 96)).save(photos / "sun_pale.png")
    (photos / "sun_broken.jpg").write_bytes(b"nothing")
    run = subprocess.run(
        [sys.executable, "-m", "experiments.select_photos",
         f"--photos={photos}", f"--output_dir={folder / 'chosen'}",
         "--leave_out=flickr"], capture_output=True, text=True, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert run.returncode == 0, run.stderr
    yield folder, run
    shutil.rmtree(folder)


def test_copies_of_embedded_photographs_and_pale_ones_are_passed_over(chosen):
    folder, run = chosen
    assert sorted(os.listdir(folder / "chosen")) == [
        "coco_one.png", "x_coco_two.png"]
    assert "like an embedded photograph: coco_copy.png" in run.stdout
    assert "like an embedded photograph: x_coco_mirrored.jpg" in run.stdout
    assert run.stdout.splitlines()[-1] == (
        "2 kept, 1 left out, 4 like an embedded photograph, 1 hardly any "
        "color, 2 unreadable")
    assert "like an embedded photograph: sun_lying.jpg" in run.stdout
    assert "unreadable: sun_bomb.png" in run.stdout
    assert "unreadable: sun_broken.jpg" in run.stdout
    assert run.stderr == ""


def test_a_source_is_left_out_whole_and_links_lead_to_the_photographs(chosen):
    folder, _ = chosen
    left_out = folder / "chosen-left_out" / "x_flickr_three.png"
    assert os.path.realpath(left_out) == str(
        folder / "photos" / "x_flickr_three.png")


@pytest.mark.parametrize("name, source", [
    ("x_coco_1.jpg", "coco"), ("sun_a_b.png", "sun"),
    ("below/x_voc_1.webp", "voc")])
def test_a_source_is_the_first_part_of_a_name(name, source):
    assert select_photos.source_of(name) == source


@pytest.mark.parametrize("flag, value, message", [
    ("leave_out", "flikr", "--leave_out=flikr: no photograph in .* has this"),
    ("output_dir", "{folder}/chosen", "chosen exists already"),
    ("photos", "", "--photos must name a folder")])
def test_wrong_flags_are_refused(chosen, flag, value, message):
    folder, _ = chosen
    values = {"photos": f"{folder}/photos", "output_dir": f"{folder}/other",
              flag: value.format(folder=folder)}
    with flagsaver.as_parsed(**values), pytest.raises(UserError,
                                                      match=message):
        select_photos.main(["select_photos"])
    assert not (folder / "other").exists()
