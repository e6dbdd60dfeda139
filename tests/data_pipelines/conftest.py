"""Photographs that several tests look at, and disks that fill up."""

import pathlib
import subprocess

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


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of so many KiB and returns its folder."""
    mounted: list[pathlib.Path] = []

    def mount(kibibytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs",
             folder], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no right to mount a small disk: {done.stderr}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
