"""The commands as users run them: real processes, real folders."""

import concurrent.futures
import fcntl
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import command
from pix2pix_color import summaries

ROOT = pathlib.Path(__file__).parents[2]
PHOTOS = ROOT / "data_pipelines" / "sample_photos"
SMALL = ("--image_size=32", "--base_filters=4", "--batch_size=4",
         "--log_every=5", "--sample_every=10", "--eval_every=10",
         "--checkpoint_every=10")
# Of the U-Net for 32 px with two base filters.
GENERATOR_PARAMETERS = sum(16 * given * made for given, made in (
    (1, 2), (2, 4), (4, 8), (8, 16), (16, 16),
    (16, 16), (32, 8), (16, 4), (8, 2), (4, 2))) + (
        2 + 16 + 2) + 4 * (4 + 8 + 16 + 16 + 8 + 4 + 2)


def run(module, *arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", f"pix2pix_color.{module}", *map(str, arguments)],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=200, check=False)


def error_of(process):
    """All lines on standard error."""
    return process.stderr.splitlines()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 20 steps on a folder of photographs, one of them corrupt."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(PHOTOS.glob("*.jpg"))[:24]:
        shutil.copy(path, folder)
    (folder / "corrupt.jpg").write_bytes(path.read_bytes()[:3000])
    workdir = tmp_path_factory.mktemp("runs") / "one"
    arguments = (f"--data=folder:{folder}", "--eval_fraction=0.25",
                 f"--workdir={workdir}", *SMALL)
    process = run("fit", *arguments, "--steps=20")
    assert process.returncode == 0, process.stderr
    return workdir, arguments, process


def test_fit_fills_the_folder_of_the_run(trained):
    workdir, _, process = trained
    assert sorted(os.listdir(workdir)) == [
        ".lock", "checkpoints", "config.flags", "eval", "export",
        "photographs.npz", "run.json", "samples", "train"]
    assert sorted(os.listdir(workdir / "checkpoints")) == [
        "step-0000010", "step-0000020"]
    for line in (r"time        waiting for data \d+\.\d s \(\d+%\), step .*",
                 r"best        step [12]0, ab_l1 \d+\.\d\d"):
        assert re.search(f"^{line}$", process.stdout, re.M)
    assert sorted(os.listdir(workdir / "samples")) == [
        "step-0000010.png", "step-0000020.png", "training-0000020.png"]
    assert re.search(r"precision   (float32|mixed_bfloat16)\n", process.stdout)
    assert "judges      patches of 70 x 70 px\n" in process.stdout
    assert "TensorFlow 2." in process.stdout
    assert f"SavedModel  {workdir}/export/1\n" in process.stdout
    for line in ("colorize --model={} PHOTO", "demo --model={}",
                 "main --logdir {}"):
        assert f".{line.format(workdir)}\n" in process.stdout
    assert re.search(r"evaluation photographs, gray image +\d+\.\d\d",
                     process.stdout)
    assert re.search(r"^step 5/20  D \d.+ images/s .+ left$", process.stderr,
                     re.M)


def test_a_corrupt_photograph_is_skipped_counted_and_named(trained):
    workdir, _, process = trained
    facts = json.loads((workdir / "run.json").read_text())
    (name, reason), = facts["rejected"].items()
    assert re.fullmatch(r"--data=folder:.*: corrupt.jpg", name) and reason
    assert f"skipped {name}: {reason}" in process.stderr
    assert "skipped     1 photograph(s)" in process.stdout
    assert (facts["evaluation"]["photographs"]
            + facts["training"]["photographs"]) == 24


def test_run_json_holds_what_one_needs_to_compare_runs(trained):
    facts = json.loads((trained[0] / "run.json").read_text())
    assert facts["step"] == 20
    assert facts["versions"]["TensorFlow"].startswith("2.")
    assert set(facts["evaluation"]["colorized"]) == {
        "ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness",
        "colorfulness_gap", "field_colorfulness", "field_colorfulness_gap"}
    assert facts["evaluation"]["gray_image"]["colorfulness"] == 0
    assert facts["data"]["train_photographs"] > 0
    best = facts["best"]
    assert best["step"] in (10, 20) and best["metric"] == "ab_l1"
    assert best["value"] <= facts["evaluation"]["colorized"]["ab_l1"]
    assert facts["seconds"]["step"] > 0


def test_the_same_command_continues_and_the_curves_too(trained):
    workdir, arguments, _ = trained
    again = run("fit", *arguments, "--steps=20")
    assert again.returncode == 0 and "changed" not in again.stdout
    assert "resuming    at step 20 of 20" in again.stdout
    longer = run("fit", *arguments, "--steps=30")
    assert "resuming    at step 20 of 30" in longer.stdout
    assert "step 30/30" in longer.stderr and "step 20/30" not in longer.stderr
    facts = json.loads((workdir / "run.json").read_text())
    assert facts["step"] == 30
    curves = summaries.read_curves(str(workdir / "train"))
    assert list(curves["loss/generator"]) == [5, 10, 15, 20, 25, 30]
    # Nothing was trained the second time, so nothing was exported.
    assert (workdir / "export" / "2" / "saved_model.pb").exists()
    assert sorted(os.listdir(workdir / "export")) == ["1", "2"]


@pytest.mark.parametrize("changed, expected", [
    (("--steps=40", "--base_filters=8"),
     "--workdir=.* holds a run made with other flags: --base_filters is 8 now "
     "and was 4. Choose another --workdir, or the same flags"),
    (("--steps=3",), r"--steps=3, --epochs=200: the run in .* has done \d+ "
                     "steps already, more than 3")])
def test_other_flags_and_fewer_steps_are_refused(trained, changed, expected):
    workdir, arguments, _ = trained
    before = (workdir / "config.flags").read_bytes()
    process = run("fit", *arguments, *changed)
    assert process.returncode == 1
    assert re.fullmatch(f"error: {expected}", error_of(process)[-1])
    assert (workdir / "config.flags").read_bytes() == before


@pytest.mark.slow
def test_evaluate_repeats_the_run_s_own_evaluation(trained, tmp_path):
    workdir, _, _ = trained
    output = tmp_path / "new" / "metrics.json"
    process = run("evaluate", f"--model={workdir}", f"--output={output}")
    assert process.returncode == 0, process.stderr
    told = json.loads(output.read_text())
    card = json.loads(pathlib.Path(
        told["model"], "assets.extra", "model_card.json").read_text())
    assert told["step"] == card["step"] == json.loads(
        (workdir / "run.json").read_text())["step"]
    assert told["photographs"] == card["metrics"]["photographs"]
    assert told["colorized"] == pytest.approx(
        card["metrics"]["colorized"], rel=0.02)  # bfloat16 while training
    assert "95 % intervals: ab_l1" in process.stdout
    assert str(output.with_suffix(".html")) in process.stdout


@pytest.mark.slow
def test_evaluate_takes_the_trained_colorizer_and_the_embedded_photographs(
        tmp_path):
    output = tmp_path / "metrics.json"
    process = run("evaluate", "--image_size=64", "--degrade",
                  "--judge_weights=imagenet", f"--output={output}")
    assert process.returncode == 0, process.stderr
    told = json.loads(output.read_text())
    assert told["model"] == "colorizer" and told["degraded"]
    assert told["photographs"] == told["image_size"] == 64
    assert told["judge"] == "efficientnet_lite2"
    assert 0 < told["colorized"]["kl"] and 0 < told["colorized"]["agreement"]
    assert told["colorized"]["ab_l1"] < told["gray_image"]["ab_l1"]
    assert output.with_suffix(".html").read_text().count("<figure>") == 48


@pytest.mark.slow
def test_an_export_remembers_whom_its_run_was_trained_to_please(tmp_path):
    process = run(
        "fit", "--data=sample_photos", f"--workdir={tmp_path}/run",
        "--image_size=64", "--base_filters=2", "--batch_size=2", "--steps=1",
        "--semantic_weight=1")
    assert process.returncode == 0, process.stderr
    assert run("export", f"--run={tmp_path}/run").returncode == 0
    for version in (1, 2):
        judged = run("evaluate", f"--model={tmp_path}/run/export/{version}",
                     "--judge_weights=imagenet")
        assert judged.returncode == 1
        assert error_of(judged)[-1].startswith(
            "error: --judge_weights=imagenet is efficientnet_lite2, which the "
            "model was trained to please")


def test_a_photograph_is_colored_without_any_training(tmp_path):
    photo = tmp_path / "old.jpg"
    Image.open(PHOTOS / "gcompris_red_panda.jpg").convert("L").save(photo)
    process = run("colorize", photo)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    colored = np.asarray(Image.open(tmp_path / "old_colorized.png"), int)
    assert colored.shape[1::-1] == Image.open(photo).size
    assert np.ptp(colored, axis=-1).mean() > 10


@pytest.mark.slow
def test_fine_tuning_begins_where_the_trained_colorizer_stands(tmp_path):
    process = run(
        "fit", "--flagfile=experiments/fine_tune.flags", "--data=sample_photos",
        f"--workdir={tmp_path}/run", "--steps=1", "--batch_size=2",
        "--learning_rate=0", "--eval_examples=8")
    assert process.returncode == 0, process.stderr
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    other = run("fit", "--flagfile=experiments/fine_tune.flags",
                "--data=sample_photos", f"--workdir={tmp_path}/other",
                "--initial_weights=nowhere")
    assert other.returncode == 1
    assert error_of(other)[-1].startswith(
        "error: --initial_weights=nowhere must be colorizer, the folder of a")
    assert not (tmp_path / "other").exists()
    evaluation = told["evaluation"]
    assert (evaluation["colorized"]["ab_l1"]
            < evaluation["gray_image"]["ab_l1"])


def test_export_writes_the_next_version_of_the_best_checkpoint(trained):
    workdir, _, _ = trained
    process = run("export", f"--run={workdir}", "--checkpoint=best",
                  "--max_pixels=1000")
    assert process.returncode == 0, process.stderr
    best = json.loads((workdir / "run.json").read_text())["best"]["step"]
    found = re.match(r"step (\d+) exported to (.+)\n", process.stdout)
    assert found and int(found[1]) == best
    card = json.loads(pathlib.Path(
        found[2], "assets.extra", "model_card.json").read_text())
    assert card["step"] == best and card["max_pixels"] == 1000
    assert "--image_size=32" in card["flags"] and card["metrics"]["colorized"]


@pytest.mark.slow
def test_export_names_the_checkpoints_that_there_are(trained):
    process = run("export", f"--run={trained[0]}", "--checkpoint=3")
    assert process.returncode == 1
    assert re.search(r"error: --checkpoint=3: .* one of the steps (\d+, )*\d+$",
                     process.stderr.strip())


def test_colorize_keeps_size_and_lightness_and_overwrites_nothing(
        trained, tmp_path):
    photo = tmp_path / "some photo.jpg"
    Image.open(PHOTOS / "skimage_coffee.jpg").convert("L").save(photo)
    (tmp_path / "broken.png").write_bytes(b"no image")
    process = run("colorize", f"--model={trained[0]}", photo,
                  tmp_path / "broken.png", tmp_path / "missing.jpg")
    assert process.returncode == 1
    output = tmp_path / "some photo_colorized.png"
    assert process.stdout == f"{output}\n"
    assert [line.partition(" (")[0] for line in error_of(process)[-3:]] == [
        "1 colored, 2 with errors",
        f"error: {tmp_path}/broken.png: not an image that can be read",
        f"error: {tmp_path}/missing.jpg: No such file or directory"]
    gray = np.asarray(Image.open(photo).convert("RGB"))
    colored = np.asarray(Image.open(output))
    assert colored.shape == gray.shape
    difference = np.abs(skimage_color.rgb2lab(colored)[..., 0]
                        - skimage_color.rgb2lab(gray)[..., 0])
    assert difference.mean() < 0.5
    again = run("colorize", f"--model={trained[0]}", photo)
    assert "exists and is not overwritten" in error_of(again)[-1]


@pytest.mark.parametrize("arguments, message", [
    (("--model=M", "--samples=2", "film.mp4"),
     "--samples and --side_by_side cannot be used with videos; color "
     "photographs and videos separately"),
    (("--model=", "a.jpg"), "flag --model=: must name a SavedModel, a run's "
     "folder, or colorizer")], ids=["videos", "model"])
def test_wrong_flags_are_refused_before_tensorflow_is_loaded(
        arguments, message):
    process = run("colorize", *arguments)
    assert process.returncode == 1
    assert error_of(process) == [f"error: {message}"]


@pytest.mark.slow
def test_colorize_stands_in_a_pipe(trained):
    photo = (PHOTOS / "skimage_coffee.jpg").read_bytes()
    process = subprocess.run(
        [sys.executable, "-m", "pix2pix_color.colorize",
         f"--model={trained[0]}", "--format=jpeg", "--samples=1", "-"],
        cwd=ROOT, input=photo, capture_output=True, timeout=200, check=False)
    assert process.returncode == 0, process.stderr
    colored = Image.open(io.BytesIO(process.stdout))
    assert colored.format == "JPEG"
    assert colored.size == Image.open(io.BytesIO(photo)).size


def wrong_inputs(tmp_path):
    """Arguments of fit, and the line that each must be answered with."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"no image")
    (tmp_path / "bad" / "b.jpg").write_bytes(b"")
    (tmp_path / "file").write_text("in the way")
    new = f"--workdir={tmp_path}/new"
    return {
        (f"--data=folder:{tmp_path}/nowhere", new):
            rf"--data=folder:{tmp_path}/nowhere: there is no folder",
        (f"--data=folder:{tmp_path}/empty", new): "no image file below",
        ("--image_sise=64", new): "Unknown command line flag 'image_sise'",
        ("--image_size=248", new): "--image_size=248 must be a power of two",
        (f"--workdir={tmp_path}/file/run",):
            "--workdir=.*/file/run cannot be written: Not a directory",
        (f"--data=folder:{tmp_path}/bad", "--eval_data=sample_photos",
         f"--workdir={tmp_path}/bad_run", *SMALL):
            r"2 of 2 photographs cannot be read, more than --max_bad_fraction="
            r"0.01 allows: a.jpg \(the format is none of JPEG.*\), b.jpg",
    }


def test_wrong_input_gets_one_clear_line_and_exit_code_1(tmp_path):
    cases = wrong_inputs(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        processes = pool.map(lambda arguments: run("fit", *arguments), cases)
        for (arguments, expected), process in zip(cases.items(), processes):
            assert process.returncode == 1, arguments
            *before, last = error_of(process)
            assert re.match(f"error: .*{expected}", last), process.stderr
            assert all("] skipped --data=" in line for line in before)
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize(
    "module", ["fit", "evaluate", "export", "colorize", "demo"])
def test_help_names_every_flag(module):
    process = run(module, "--help")
    flags = {"fit": "--image_size --workdir --[no]dry_run",
             "evaluate": "--model --data --inception_weights --judge_weights "
                         "--image_size --[no]degrade",
             "export": "--run --checkpoint",
             "demo": "--model --host --port",
             "colorize": "--model --output_dir --chroma_size"}
    assert process.returncode == 0 and process.stderr == ""
    assert set(flags[module].split()) <= set(
        re.findall(r"--[\w\[\]]+", process.stdout))


@pytest.mark.slow
def test_a_run_that_diverges_stops_and_keeps_what_was_good(tmp_path):
    process = run("fit", f"--workdir={tmp_path}/run", *SMALL, "--steps=30",
                  "--checkpoint_every=1", "--learning_rate=1e30")
    assert process.returncode == 1
    message = re.fullmatch(
        r"error: step \d: \S+ is not finite. The training has diverged; .* The "
        r"newest good checkpoint is (.+/run/checkpoints/step-000000\d)",
        error_of(process)[-1])
    assert message
    assert os.path.isdir(message.group(1))
    assert os.path.basename(message.group(1)) == max(
        os.listdir(tmp_path / "run" / "checkpoints"))


def start_endless(workdir, *arguments):
    """Starts a run without end; returns it after its tenth update."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pix2pix_color.fit", f"--workdir={workdir}",
         *SMALL, "--steps=100000", "--checkpoint_every=100000",
         "--sample_every=100000", "--eval_every=100000", *arguments], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("step 10/"):
            break
    return process


@pytest.mark.parametrize("number", [
    signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_run_saves_where_it_stands(tmp_path, number):
    process = start_endless(tmp_path / "run")
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75 == command.INTERRUPTED_EXIT_CODE
    step = int(re.fullmatch(  # type: ignore[index]
        r"interrupted at step (\d+), which is saved; the same command goes on "
        r"from there", stderr.splitlines()[-1])[1])
    assert step >= 10
    assert os.listdir(tmp_path / "run/checkpoints") == [f"step-{step:07d}"]


def everything_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("exists", [
    True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_dry_run_tells_the_cost_and_changes_nothing(
        trained, tmp_path, exists):
    # The existing run was made with other flags, which does not matter.
    folder = trained[0] if exists else tmp_path / "new"
    before = everything_below(folder) if exists else {}
    process = run("fit", "--dry_run", f"--workdir={folder}", "--image_size=32",
                  "--base_filters=2", "--batch_size=2")
    assert process.returncode == 0, process.stderr
    facts = {line[:12].strip(): line[12:]
             for line in process.stdout.splitlines()}
    assert facts["generator"] == f"{GENERATOR_PARAMETERS:,} parameters"
    assert re.fullmatch(r"[\d,]+ parameters", facts["discrim."])
    step = re.fullmatch(r"(\d+\.\d\d) s \((\d+\.\d) images/s\), the first "
                        r"one (\d+\.\d) s with tracing", facts["step"])
    assert step
    second, _, first = map(float, step.groups())
    assert second < first
    assert re.fullmatch(r"\d\.\d\d GiB at the peak, of \d+\.\d\d GiB",
                        facts["memory"])
    assert facts["dry run"] == f"nothing was written to {folder}"
    assert folder.exists() == exists
    assert not exists or everything_below(folder) == before


@pytest.mark.slow
def test_photographs_that_vanish_end_the_run_with_a_line(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(PHOTOS.glob("*.jpg"))[:12]:
        shutil.copy(path, photos)
    process = start_endless(
        tmp_path / "run", f"--data=folder:{photos}",
        "--eval_data=sample_photos", "--max_bad_fraction=1")
    for path in photos.iterdir():
        path.unlink()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search("error: .*none of its 12 photograph.s. can be read",
                     stderr.splitlines()[-1])
    (folder,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert int(folder.name.removeprefix("step-")) >= 10


def test_a_second_process_in_the_same_folder_is_refused(trained):
    workdir, arguments, _ = trained
    with open(workdir / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = run("fit", *arguments, "--steps=50")
    assert process.returncode == 1
    assert error_of(process) == [
        f"error: --workdir={workdir} is in use: another process trains in it"]
