"""Photographs that several tests look at."""

import pathlib

import pytest

PHOTOS = pathlib.Path(__file__).parents[2] / "data_pipelines" / "sample_photos"


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """12 photographs, and two files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(PHOTOS.glob("g*.jpg"))[:12]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "cut $off$.jpg").write_bytes(
        (PHOTOS / "gcompris_bee.jpg").read_bytes()[:3000])
    (folder / "写真.png").write_bytes(b"no image")
    return folder
