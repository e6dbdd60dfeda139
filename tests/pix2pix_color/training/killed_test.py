"""Real runs, killed at any moment: nothing is lost and nothing is repeated."""

import os
import random
import signal
import time

import numpy as np
import pytest

from data_pipelines.command import INTERRUPTED_EXIT_CODE
from tests.pix2pix_color.training import processes

STEPS = 16


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing happened to."""
    directory = tmp_path_factory.mktemp("whole")
    process = processes.start(deterministic(directory / "run"),
                              directory / "log")
    process.join()
    assert process.exitcode == 0, (directory / "log").read_text()
    return directory / "run"


def deterministic(workdir):
    return processes.config(
        workdir, steps=STEPS, deterministic=True, lr_schedule="plateau",
        plateau_patience=1, **processes.COURSE)


def checkpoints(workdir):
    try:
        return os.listdir(workdir / "checkpoints")
    except FileNotFoundError:
        return []


def kill_when(process, happens, *, number=signal.SIGKILL):
    """Sends a signal once something happens; returns the exit code."""
    while process.is_alive() and not happens():
        time.sleep(0.0005)
    if process.is_alive():
        os.kill(process.pid, number)
    process.join()
    return process.exitcode


def is_writing_a_checkpoint(workdir):
    return lambda: any(name.endswith(".unfinished")
                       for name in checkpoints(workdir))


def has_steps(workdir, least):
    return lambda: any(name.startswith("step-") and int(name[5:]) >= least
                       for name in checkpoints(workdir))


def after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def assert_same_run(workdir, whole):
    ours, theirs = map(processes.saved_variables, (workdir, whole))
    assert ours.keys() == theirs.keys() and len(ours) > 50
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)
    assert sorted(processes.events(workdir)) == sorted(processes.events(whole))
    pictures = sorted(os.listdir(whole / "samples"))
    assert sorted(os.listdir(workdir / "samples")) == pictures
    for name in pictures:
        assert ((workdir / "samples" / name).read_bytes()
                == (whole / "samples" / name).read_bytes()), name


def test_a_killed_run_ends_as_if_nothing_had_happened(whole, tmp_path):
    workdir, log = tmp_path / "run", tmp_path / "log"
    run = deterministic(workdir)
    assert kill_when(processes.start(run, log),
                     is_writing_a_checkpoint(workdir)) == -signal.SIGKILL
    assert kill_when(processes.start(run, log), has_steps(workdir, 5),
                     number=signal.SIGTERM) == INTERRUPTED_EXIT_CODE
    assert "which is saved; the same command goes on" in log.read_text()
    process = processes.start(run, log)
    process.join()
    assert process.exitcode == 0, log.read_text()
    assert "resuming" in log.read_text()
    assert_same_run(workdir, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_may_be_killed_at_any_moment_and_often(seed, whole, tmp_path):
    workdir, log = tmp_path / "run", tmp_path / "log"
    chance = random.Random(seed)
    for _ in range(6):
        moment = chance.choice([
            after(chance.uniform(2, 12)), is_writing_a_checkpoint(workdir),
            has_steps(workdir, chance.randrange(STEPS))])
        kill_when(processes.start(deterministic(workdir), log), moment,
                  number=chance.choice(
                      [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
    process = processes.start(deterministic(workdir), log)
    process.join()
    assert process.exitcode == 0, log.read_text()
    assert_same_run(workdir, whole)
