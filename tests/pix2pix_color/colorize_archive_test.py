"""The command that colors archives, killed and started again."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from pix2pix_color.colorizing.photograph import (read_photograph,
                                                 write_photograph)
from pix2pix_color.saved_model.load import LoadedModel
from tests.pix2pix_color.vivid_model import smooth_photo

ROOT = pathlib.Path(__file__).parents[2]


def start(*flags, cwd):
    """Starts the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pix2pix_color.colorize_archive", *flags],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def results_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*_colorized.png")}


@pytest.mark.slow
def test_killed_with_its_workers_it_goes_on(export_dir, tmp_path):
    for number in range(40):
        folder = tmp_path / "scans" / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        smooth_photo(300, 400, seed=number).save(folder / f"{number}.png")
    flags = ["--input=scans/**.png", f"--model={export_dir}", "--threads=1",
             "--beam_options=direct_num_workers=1,"
             "direct_running_mode=multi_processing"]
    process = start(*flags, "--output_dir=out", cwd=tmp_path)
    deadline = time.monotonic() + 120
    while len(results_of(tmp_path)) < 4:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = len(results_of(tmp_path))
    assert 4 <= left < 40

    process = start(*flags, "--output_dir=out", cwd=tmp_path)
    printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    assert printed == (f"{40 - left} colored, {left} had results, 0 refused; "
                       f"see {tmp_path}/out/report/*.csv\n")
    report = b"".join(path.read_bytes() for path in sorted(
        (tmp_path / "out" / "report").glob("*.csv")))
    assert report.count(b"\n") == 41
    assert not list(tmp_path.rglob("*.unfinished"))

    model = LoadedModel(str(export_dir))
    for name, content in list(results_of(tmp_path / "out").items())[::8]:
        scan = tmp_path / "scans" / name.replace("_colorized", "")
        photograph = read_photograph(scan.read_bytes(), max_pixels=10**6)
        assert content == write_photograph(dataclasses.replace(
            photograph, rgb=model.colorize(photograph.rgb)),
            file_format="png")


def test_a_dry_run_says_what_all_would_take_and_writes_nothing(
        export_dir, tmp_path):
    (tmp_path / "scans").mkdir()
    for number in range(30):
        (tmp_path / "scans" / f"{number}.txt").write_text("no photograph")
    smooth_photo().save(tmp_path / "scans" / "a.png")
    process = start("--input=scans", "--output_dir=out", "--dry_run",
                    f"--model={export_dir}", cwd=tmp_path)
    printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    first, second, third = printed.splitlines()
    assert first.startswith("31 files, ")
    assert first.endswith(f" KiB, below {tmp_path}/scans/")
    assert second.startswith("tried 20, of which ")
    assert " on this machine in one process, " in third
    assert os.listdir(tmp_path) == ["scans"]


@pytest.mark.parametrize("flags, message", [
    ([], "either --input or --input_list must be given"),
    (["--input=a"], "--output_dir must be given"),
    (["--input=a", "--output_dir=b", "--chroma_size=100"],
     "--chroma_size=100 must be a multiple of this model's image size, 256, "
     "or 0"),
    (["--input=no://a/**", "--output_dir=b"],
     "--input=no://a/**: no file system for no:// is installed; apache-beam "
     "has them as extras: gcp for gs://, aws for s3://, azure for azfs://, "
     "hadoop for hdfs://"),
    (["--input=a", "--output_dir=b"], "--input={}/a matches no file"),
    (["--input=c", "--output_dir=."], "--input={}/c matches no file"),
])
def test_wrong_flags_are_one_line(tmp_path, flags, message):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.png").touch()
    process = start(*flags, cwd=tmp_path)
    assert process.communicate(timeout=60) == (
        "", f"error: {message.format(tmp_path)}\n")
    assert process.returncode == 1
    assert os.listdir(tmp_path) == ["c"]
