"""The command that writes shards, from files on disk to pictures read back."""

import collections
import fcntl
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import extras, photo_file
from data_pipelines.errors import UserError
from data_pipelines.preparation.settings import ENCODINGS
from data_pipelines.sources import sample_photos
from tests.data_pipelines.preparation.scenes import (assert_is_scene, prepare,
                                                     read_back, read_report,
                                                     save_scenes, scene)

ROOT = pathlib.Path(__file__).parents[2]


def command(*flags, cwd=ROOT, first_path=ROOT):
    """Starts the command, which looks for modules in first_path first."""
    return subprocess.Popen(
        [sys.executable, "-m", "data_pipelines.prepare", *flags], cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{first_path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def mess(tmp_path_factory):
    """A folder as people have them."""
    folder = tmp_path_factory.mktemp("mess")
    scene(0).save(folder / "a.png")
    (folder / "sub folder").mkdir()
    scene(1).save(folder / "sub folder" / "写真 1.jpg", quality=95)
    scene(2).save(folder / "scan.TIF", "TIFF")
    scene(3).save(folder / "no_extension", "PNG")
    scene(4).save(folder / "really_a_png.jpg", "PNG")
    with open(os.fsencode(folder) + b"/caf\xe9.png", "wb") as file:
        scene(5).save(file, "PNG")
    scene(6, (400, 100)).save(folder / "wide.webp", lossless=True)
    scene(7, (41, 50)).save(folder / "small.bmp")
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(8, (120, 90)).save(folder / "turned.jpg", quality=95, exif=exif)

    scene(0).save(folder / "copy of a.bmp")  # the same pixels, after a.png
    scene(0).save(folder / "sub folder" / "again.tiff")
    scene(1, (240, 180)).save(folder / "sub folder" / "写真 2.jpg", quality=60)
    scene(9).convert("L").save(folder / "gray.jpg")
    scene(9).convert("LA").save(folder / "gray_alpha.png")
    Image.new("RGB", (99, 99), "#cc4422").save(folder / "blank.png")
    scene(10, (120, 39)).save(folder / "tiny.png")
    (folder / "notes.txt").write_text("no photograph")
    (folder / "empty.jpg").write_bytes(b"")
    data = (folder / "sub folder" / "写真 1.jpg").read_bytes()
    (folder / "cut,\"off\".jpg").write_bytes(data[:len(data) // 2])
    os.mkfifo(folder / "pipe.jpg")
    (folder / "broken_link.jpg").symlink_to("nowhere.jpg")

    (folder / "sub folder" / "up").symlink_to(folder)
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def prepared(mess, tmp_path_factory):
    """The mess, prepared by the command; the directory and what it printed."""
    output_dir = tmp_path_factory.mktemp("prepared") / "shards"
    process = command(
        f"--data=folder:{mess}", f"--output_dir={output_dir}",
        "--shorter_side=64", "--min_size=40")
    printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    assert [line for line in complaints.splitlines()
            if not line.startswith("examined ")] == ["writing 9 photographs"]
    return output_dir, printed


@pytest.fixture(scope="module")
def prepared_raw(mess, tmp_path_factory):
    """The mess, prepared with undecoded pixels; the directory."""
    output_dir = tmp_path_factory.mktemp("prepared_raw") / "shards"
    prepare(f"folder:{mess}", output_dir, encoding="raw")
    return output_dir


def test_photographs_come_out_under_their_paths(prepared):
    pictures = read_back(prepared[0])
    assert {name: rgb.shape[:2] for name, rgb in pictures.items()} == {
        "a.png": (64, 85), "sub folder/写真 1.jpg": (64, 85),
        "scan.TIF": (64, 85), "no_extension": (64, 85),
        "really_a_png.jpg": (64, 85), os.fsdecode(b"caf\xe9.png"): (64, 85),
        "wide.webp": (64, 256), "small.bmp": (50, 41), "turned.jpg": (85, 64)}


def test_pictures_are_those_of_the_files(prepared):
    pictures = read_back(prepared[0])
    assert_is_scene(pictures["a.png"], 0)
    assert_is_scene(pictures["scan.TIF"], 2)
    assert_is_scene(pictures["wide.webp"], 6, (400, 100))
    upright = np.asarray(scene(8).transpose(
        Image.Transpose.ROTATE_270).resize((64, 85)))
    assert np.abs(pictures["turned.jpg"].astype(int) - upright).mean() < 6


def test_every_rejected_file_is_in_the_report(prepared):
    rows = read_report(prepared[0])
    assert {path: reason for path, (reason, _) in rows.items()} == {
        "copy of a.bmp": "duplicate", "sub folder/again.tiff": "duplicate",
        "sub folder/写真 2.jpg": "near_duplicate",
        "gray.jpg": "colorless", "gray_alpha.png": "colorless",
        "blank.png": "blank", "tiny.png": "too_small",
        "notes.txt": "not_an_image", "empty.jpg": "not_an_image",
        "cut,\"off\".jpg": "unreadable", "pipe.jpg": "not_an_image",
        "broken_link.jpg": "unreadable"}
    assert rows["copy of a.bmp"][1] == "same pixels as a.png"
    assert rows["sub folder/写真 2.jpg"][1].startswith(
        "looks like sub folder/写真 1.jpg, ")
    assert rows["gray.jpg"][1].startswith("mean chroma 0.")
    assert rows["broken_link.jpg"][1] == "No such file or directory"
    assert rows["tiny.png"][1] == (
        "120 x 39 pixels, the shorter side must be at least 40")


def test_summary_adds_up(prepared, mess):
    output_dir, printed = prepared
    summary = json.loads((output_dir / "summary.json").read_text())
    assert summary["files_in"] == 21
    assert summary["photographs_out"] == 9
    assert summary["rejected"] == dict(collections.Counter(
        reason for reason, _ in read_report(output_dir).values()))
    assert summary["bytes_in"] == sum(
        os.path.getsize(os.path.join(parent, name))
        for parent, _, names in os.walk(mess) for name in names
        if name[0] != "." and os.path.isfile(os.path.join(parent, name)))
    assert summary["bytes_out"] == sum(
        path.stat().st_size for path in output_dir.iterdir()
        if path.name != "summary.json")
    assert summary["shorter_side"] == 64 and summary["min_chroma"] == 4.0
    assert f"9 photographs of 21 files are in {output_dir}; left out: " in (
        printed)


def test_raw_pixels_are_exactly_those_that_a_jpeg_is_made_of(
        mess, prepared, prepared_raw):
    pictures, lossy = read_back(prepared_raw), read_back(prepared[0])
    assert sorted(pictures) == sorted(lossy)
    for name, rgb in pictures.items():
        with open(mess / name, "rb") as file:
            given = photo_file.read_rgb(file, shorter_side=64)
        np.testing.assert_array_equal(rgb, np.asarray(given))
        jpeg = photo_file.encode_rgb(given, encoding="jpeg", jpeg_quality=95)
        np.testing.assert_array_equal(lossy[name], tf.io.decode_jpeg(jpeg))
    assert read_report(prepared_raw) == read_report(prepared[0])
    summaries = [json.loads((directory / "summary.json").read_text())
                 for directory in (prepared[0], prepared_raw)]
    assert [summary["encoding"] for summary in summaries] == ["jpeg", "raw"]
    assert summaries[1]["bytes_out"] > sum(
        rgb.nbytes for rgb in pictures.values())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_process_with_tfds_can_read_the_directory(
        prepared, prepared_raw, encoding, tmp_path):
    directory = {"jpeg": prepared[0], "raw": prepared_raw}[encoding]
    script = """
import json, sys
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
split = builder.info.splits["train"]
source = (list(builder.as_dataset(split="train").as_numpy_iterator())
          if sys.argv[2] == "raw" else builder.as_data_source("train"))
print(json.dumps({
    "own": "data_pipelines" in sys.modules,
    "features": sorted(builder.info.features),
    "num_examples": split.num_examples, "num_bytes": split.num_bytes,
    "sizes": {one["identity"].hex(): [int(one["height"]), int(one["width"])]
              for one in source},
    "pictures": {one["identity"].hex(): one["image"].tolist()
                 for one in source}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory), encoding],
        cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = {os.fsencode(name).hex(): rgb
                for name, rgb in read_back(directory).items()}
    pictures = found.pop("pictures")
    assert pictures.keys() == expected.keys()
    for name, rgb in expected.items():
        # TFDS's data source decodes JPEGs with another library.
        np.testing.assert_allclose(
            pictures[name], rgb, rtol=0, atol=0 if encoding == "raw" else 12)
    assert found == {
        "own": False, "features": ["height", "identity", "image", "width"],
        "num_examples": 9, "num_bytes": sum(
            path.stat().st_size for path in
            directory.glob("photographs-train.*record-*")),
        "sizes": {name: list(rgb.shape[:2]) for name, rgb in expected.items()}}


def test_nothing_but_the_dataset_is_left(prepared):
    output_dir, _ = prepared
    assert os.listdir(output_dir.parent) == ["shards"]
    assert sorted(path.name for path in output_dir.iterdir()) == [
        "dataset_info.json", "features.json", "identities.csv",
        "photographs-train.array_record-00000-of-00001", "report.csv",
        "summary.json"]


def test_result_does_not_depend_on_the_workers(mess, prepared, tmp_path):
    prepare(f"folder:{mess}", tmp_path / "again", beam=[
        "--direct_num_workers=3", "direct_running_mode=multi_threading"])
    for name in ("photographs-train.array_record-00000-of-00001",
                 "identities.csv", "report.csv"):
        assert ((tmp_path / "again" / name).read_bytes()
                == (prepared[0] / name).read_bytes())


def test_shards_are_as_many_as_their_bytes_ask_for(tmp_path):
    save_scenes(tmp_path / "in", 30)
    prepare(f"folder:{tmp_path / 'in'}", tmp_path / "out", shard_bytes=30_000)
    assert len(list((tmp_path / "out").glob("*array_record-*"))) > 1
    pictures = read_back(tmp_path / "out")
    assert sorted(pictures) == [f"{seed:03d}.png" for seed in range(30)]
    for seed in range(30):
        assert_is_scene(pictures[f"{seed:03d}.png"], seed)


def test_settings_change_what_is_dropped(tmp_path):
    save_scenes(tmp_path / "in", 2)
    scene(0, (240, 180)).save(tmp_path / "in" / "like_0.png")
    scene(5).convert("L").save(tmp_path / "in" / "gray.png")
    Image.new("RGB", (20, 30), "#112233").save(tmp_path / "in" / "small.png")
    data = f"folder:{tmp_path / 'in'}"
    prepare(data, tmp_path / "strict")
    assert sorted(read_back(tmp_path / "strict")) == ["000.png", "001.png"]
    summary = prepare(data, tmp_path / "lax", near_duplicate_distance=-1,
                      min_chroma=0.0, min_size=1, shorter_side=0)
    assert summary["rejected"] == {"blank": 1}
    pictures = read_back(tmp_path / "lax")
    assert {name: rgb.shape for name, rgb in pictures.items()} == {
        "000.png": (90, 120, 3), "001.png": (90, 120, 3),
        "gray.png": (90, 120, 3), "like_0.png": (180, 240, 3)}


def test_chain_of_near_duplicates_names_the_first_of_each(tmp_path):
    (tmp_path / "in").mkdir()
    china = Image.open(
        os.path.join(sample_photos.DIRECTORY, "sklearn_china.jpg"))
    for number, quality in enumerate((95, 70, 40)):
        china.save(tmp_path / "in" / f"{number}.jpg", quality=quality)
    prepare(f"folder:{tmp_path / 'in'}", tmp_path / "out")
    assert sorted(read_back(tmp_path / "out")) == ["0.jpg"]
    rows = read_report(tmp_path / "out")
    assert set(rows) == {"1.jpg", "2.jpg"}
    for reason, detail in rows.values():
        assert reason == "near_duplicate"
        assert detail.startswith("looks like 0.jpg, ")


def test_killed_run_leaves_no_output_and_the_next_one_starts_over(tmp_path):
    save_scenes(tmp_path / "in", 30, (900, 700), "jpg")
    output_dir = tmp_path / "out"
    process = command(f"--data=folder:{tmp_path / 'in'}",
                      f"--output_dir={output_dir}", "--shorter_side=64",
                      "--beam_options=direct_num_workers=1")
    progress = tmp_path / "out.unfinished" / "progress"
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in progress.glob("*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not output_dir.exists()
    leftovers = list((tmp_path / "out.unfinished").glob("pictures-*"))
    assert leftovers

    summary = prepare(f"folder:{tmp_path / 'in'}", output_dir)
    assert (summary["files_in"], summary["photographs_out"]) == (30, 30)
    assert len(read_back(output_dir)) == 30
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """30 pictures that make JPEGs of 10 kB each, which nothing compresses."""
    folder = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    for number in range(30):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(
            folder / f"{number}.png")
    return folder


# Room for some of the pictures, for all of them, and for the shards too.
@pytest.mark.parametrize("kibibytes, has_pictures, has_shards", [
    (150, False, False), (450, True, False), (1500, True, True)])
def test_a_full_disk_is_one_line_and_leaves_nothing(
        noise, small_disk, capsys, kibibytes, has_pictures, has_shards):
    disk = small_disk(kibibytes)
    if has_shards:
        prepare(f"folder:{noise}", disk / "out")
        assert os.listdir(disk) == ["out"]
        return
    with pytest.raises(UserError) as caught:
        prepare(f"folder:{noise}", disk / "out")
    assert re.fullmatch(
        rf"--output_dir={disk}/out: No space left on device: [\d,]+ bytes are "
        rf"free on the disk at {disk}, and .* another disk", str(caught.value))
    assert ("writing 30 photographs" in capsys.readouterr().err
            ) == has_pictures
    assert os.listdir(disk) == []


@pytest.mark.parametrize("workers", [
    "multi_threading",
    pytest.param("multi_processing", marks=pytest.mark.slow)])
def test_command_on_a_full_disk_ends_with_one_line_and_1(
        noise, small_disk, workers):
    disk = small_disk(150)
    process = command(
        f"--data=folder:{noise}", f"--output_dir={disk}/out",
        f"--beam_options=direct_num_workers=2,direct_running_mode={workers}")
    printed, complaints = process.communicate(timeout=120)
    assert (process.returncode, printed) == (1, "")
    assert re.fullmatch(
        rf"error: --output_dir={disk}/out: No space left on device: .*\n",
        complaints)
    assert os.listdir(disk) == []


@pytest.mark.slow
def test_worker_processes_do_the_same_in_silence(mess, prepared, tmp_path):
    process = command(
        f"--data=folder:{mess}", f"--output_dir={tmp_path}/out",
        "--shorter_side=64", "--min_size=40",
        "--beam_options=direct_num_workers=2,direct_running_mode="
        "multi_processing")
    _, complaints = process.communicate(timeout=120)
    assert process.returncode == 0
    assert [line for line in complaints.splitlines()
            if not line.startswith("examined ")] == ["writing 9 photographs"]
    for name in ("photographs-train.array_record-00000-of-00001",
                 "identities.csv", "report.csv"):
        assert ((tmp_path / "out" / name).read_bytes()
                == (prepared[0] / name).read_bytes())


def test_two_runs_do_not_work_in_one_place(tmp_path):
    save_scenes(tmp_path / "in", 1)
    (tmp_path / "out.unfinished").mkdir()
    with open(tmp_path / "out.unfinished" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another run is working in "):
            prepare(f"folder:{tmp_path / 'in'}", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["in", "out.unfinished"]


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_is_at_output_dir_is_not_touched(tmp_path, kind):
    save_scenes(tmp_path / "in", 1)
    output_dir = tmp_path / "out"
    {"folder": output_dir.mkdir, "file": output_dir.touch,
     "dangling link": lambda: output_dir.symlink_to("nowhere")}[kind]()
    with pytest.raises(UserError, match="^--output_dir=.*/out exists already"):
        prepare(f"folder:{tmp_path / 'in'}", output_dir)
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


def test_collection_of_which_nothing_is_left_says_why(tmp_path):
    (tmp_path / "in").mkdir()
    for seed in range(3):
        scene(seed).convert("L").save(tmp_path / "in" / f"{seed}.png")
    (tmp_path / "in" / "a.txt").write_text("")
    with pytest.raises(UserError) as caught:
        prepare(f"folder:{tmp_path / 'in'}", tmp_path / "out")
    assert str(caught.value).startswith(
        f"--data=folder:{tmp_path / 'in'}: none of its 4 file(s) can be used: "
        f"3 colorless, 1 not_an_image; the first, '0.png', is colorless: mean "
        f"chroma 0.")
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("flags, message", [
    ([], "--data and --output_dir must be given\n"),
    (["--data=folder:/no/such", "--output_dir=out"],
     "--data=folder:/no/such: there is no folder '/no/such'\n"),
])
def test_the_command_ends_with_one_line_and_1(tmp_path, flags, message):
    process = command(*flags, cwd=tmp_path)
    printed, complaints = process.communicate(timeout=60)
    assert (process.returncode, printed) == (1, "")
    assert re.fullmatch(f"error: {message}", complaints)
    assert not os.listdir(tmp_path)


def test_without_beam_the_line_says_what_to_install(tmp_path):
    (tmp_path / "apache_beam.py").write_text(
        "raise ModuleNotFoundError('none', name='apache_beam')")
    process = command("--data=sample_photos", f"--output_dir={tmp_path}/out",
                      first_path=tmp_path)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    assert complaints == (
        "error: preparing shards needs Apache Beam: "
        + extras.how_to_install("prepare") + "\n")


def test_progress_is_a_bar_on_a_terminal(tmp_path):
    save_scenes(tmp_path / "in", 3)
    reader, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ,
                struct.pack("HHHH", 25, 80, 0, 0))  # rows and columns
    own_stderr = os.dup(2)
    os.dup2(terminal, 2)
    try:
        prepare(f"folder:{tmp_path / 'in'}", tmp_path / "out")
    finally:
        os.dup2(own_stderr, 2)
        os.close(own_stderr)
        os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(reader, 4096)
        except OSError:  # the other side is closed
            break
    os.close(reader)
    assert b"100%" in shown and b"3/3" in shown and b"file/s" in shown
