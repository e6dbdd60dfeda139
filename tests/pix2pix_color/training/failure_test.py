"""What a person is left with when an update fails."""

import dataclasses
import os
import re

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import pipeline
from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.config import Config, Data, Networks, Reporting
from pix2pix_color.training import failure, train_step
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

CONFIG = Config(data=Data(image_size=32, batch_size=2),
                networks=Networks(base_filters=2))


@pytest.fixture(scope="module")
def state():
    return TrainState.create(CONFIG, precision="float32")


@pytest.fixture
def found(monkeypatch):
    """What the search for the causes finds, without making it."""
    names: list[str] = []
    monkeypatch.setattr(train_step, "find_non_finite", lambda *_: names)
    return names


def make_batch(*, broken):
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3))
    if broken:
        noise[1, 4, 5, 2] = np.nan
    condition, target = tf.split(tf.constant(noise, tf.float32), [1, 2], -1)
    return pipeline.TrainingBatch(
        condition, target, tf.constant([6, 8], tf.int64), shown=condition)


def fail(state, workdir, error, *, broken, with_checkpoint=True):
    """An update after step 3 that fails with an error."""
    config = dataclasses.replace(
        CONFIG, reporting=Reporting(workdir=str(workdir)))
    checkpoints = Checkpoints(state, config=config,
                              directory=str(workdir / "checkpoints"))
    journal = Journal(sampled_step=3)
    state.step.assign(3)
    if with_checkpoint:
        checkpoints.save(journal)
    batch = make_batch(broken=broken)
    with failure.explained(
            config=config, state=state, journal=journal, batch=batch,
            checkpoints=checkpoints, find_non_finite=lambda: (
                train_step.find_non_finite(
                    state, batch.condition, batch.target))):
        raise error


REFUSED = tf.errors.InvalidArgumentError(None, None, "assertion failed: [nan]")


@pytest.fixture(scope="module")
def diverged(state, tmp_path_factory):
    """A run's folder after an update that was not finite, and the message."""
    workdir = tmp_path_factory.mktemp("run")
    before = [variable.numpy() for variable in state.variables_of_all()]
    with pytest.raises(UserError) as refusal:
        fail(state, workdir, REFUSED, broken=True)
    for variable, value in zip(state.variables_of_all(), before):
        variable.assign(value)  # the search has spoiled the averages
    return workdir, str(refusal.value), before


def test_the_message_names_step_causes_flags_and_folders(diverged):
    workdir, message, _ = diverged
    assert re.match(
        rf"step 4: not finite: target, .+ and \d+ more\. The training has "
        rf"diverged; a lower --learning_rate or --discriminator_learning_rate "
        rf"may help\. The batch, the state before it and all the names are in "
        rf"{workdir}/diverged/step-0000004; the newest good checkpoint is "
        rf"{workdir}/checkpoints/step-0000003$", message)


def test_all_names_are_in_a_file(diverged):
    workdir, message, _ = diverged
    folder = workdir / "diverged" / "step-0000004"
    names = (folder / "not_finite.txt").read_text().splitlines()
    assert names[0] == "target" and "loss generator_l1" in names
    assert ", ".join(names[:5]) in message
    assert f"and {len(names) - 5} more" in message


def test_the_batch_is_kept_as_it_was(diverged):
    batch = make_batch(broken=True)
    with np.load(diverged[0] / "diverged/step-0000004/batch.npz") as kept:
        assert sorted(kept) == ["condition", "ordinal", "shown", "target"]
        for name in kept:
            np.testing.assert_array_equal(kept[name], getattr(batch, name))


def test_the_state_before_it_can_be_restored(diverged, state):
    workdir, _, before = diverged
    for variable in state.variables_of_all():
        variable.assign(tf.zeros_like(variable))
    kept = Checkpoints(state, config=CONFIG,
                       directory=str(workdir / "diverged"))
    assert kept.restore_latest() == Journal(sampled_step=3)
    assert state.step_number == 3
    for variable, value in zip(state.variables_of_all(), before):
        if variable is not state.step:
            np.testing.assert_array_equal(variable, value)


def test_nothing_is_left_of_an_update_that_was_finite(state, tmp_path, found):
    with pytest.raises(tf.errors.InvalidArgumentError):
        fail(state, tmp_path, REFUSED, broken=False)
    assert os.listdir(tmp_path / "diverged") == []


def test_a_few_names_are_all_in_the_message(state, tmp_path, found):
    found += ["loss generator", "gradient a", "gradient b"]
    with pytest.raises(UserError, match=(
            "^step 4: not finite: loss generator, gradient a, gradient b. The "
            "training")):
        fail(state, tmp_path, REFUSED, broken=True)


def test_without_a_checkpoint_the_message_says_so(state, tmp_path, found):
    found.append("target")
    with pytest.raises(UserError, match="newest good checkpoint is none$"):
        fail(state, tmp_path, REFUSED, broken=True, with_checkpoint=False)
    assert os.path.exists(tmp_path / "diverged/step-0000004/batch.npz")


def test_an_error_of_a_finite_update_is_a_bug_and_stays_one(
        state, tmp_path, found):
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        fail(state, tmp_path, REFUSED, broken=False)
    assert raised.value is REFUSED and found == []


def test_memory_that_ran_out_is_explained(state, tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "memory_bytes", lambda: 2**30)
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
    with pytest.raises(UserError, match=(
            r"^memory ran out with --batch_size=2 .* of 1\.0 GiB; ")):
        fail(state, tmp_path, error, broken=False)
    assert not (tmp_path / "diverged").exists()
