"""Checkpoints hold everything that training changes, or are not there."""

import errno
import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color import config_flags
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.training import checkpoints as checkpoints_lib
from pix2pix_color.training import train_step
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

# 32 px has one layer of dropout.
CONFIG = Config(data=Data(image_size=32, batch_size=2),
                networks=Networks(base_filters=2))
FILES = ["config.flags", "journal.json", "state.data-00000-of-00001",
         "state.index"]


@pytest.fixture(scope="module")
def shared_state():
    return make_state()


def make_state(config=CONFIG):
    return TrainState.create(config, precision="float32")


@pytest.fixture
def state(shared_state):
    """A state at its first step, for tests that do not look at the weights."""
    stand_at(shared_state, 0)
    return shared_state


def stand_at(state, step):
    """Brings a state to a step, so that every part of it tells which one."""
    state.step.assign(step)
    state.next_ordinals.assign([2 * step])
    for variable in (state.generator.variables[0],
                     state.discriminator.variables[0],
                     state.generator_optimizer.variables[-1],
                     state.discriminator_optimizer.variables[-1]):
        variable.assign(tf.fill(variable.shape, float(step)))


def stands_at(state, step):
    """Tells whether every part of a state is that of a step."""
    return [int(state.step), int(state.next_ordinals[0]), *(
        float(np.mean(part.variables[place])) for part, place in (
            (state.generator, 0), (state.discriminator, 0),
            (state.generator_optimizer, -1),
            (state.discriminator_optimizer, -1)))] == [
                step, 2 * step, step, step, step, step]


def open_checkpoints(state, directory, *, config=CONFIG, keep=3):
    return Checkpoints(state, config=config, directory=str(directory),
                       keep=keep)


def save_at(checkpoints, state, *steps, best=None):
    """Saves these steps, each with a journal that can be told from others."""
    for step in steps:
        stand_at(state, step)
        checkpoints.save(Journal(
            evaluated_step=step,
            best={"step": best, "metric": "ab_l1", "value": 1.0}
            if best else {}))


def contents(folder):
    """Every file below a folder and what is in it."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def every_variable(state):
    return [np.asarray(variable) for variable in state.shared_variables()]


def train(state, step, *, seeds):
    for seed in seeds:
        noise = np.random.default_rng(seed).uniform(-1, 1, (2, 32, 32, 3))
        step(*tf.split(tf.constant(noise, tf.float32), [1, 2], axis=-1))
        state.next_ordinals.assign(state.next_ordinals + 2)


def test_a_restored_state_goes_on_as_if_never_interrupted(tmp_path):
    whole = make_state()
    step = train_step.make_train_step(whole)
    train(whole, step, seeds=range(3))
    open_checkpoints(whole, tmp_path).save(Journal(evaluated_step=3))

    resumed = make_state(CONFIG)
    resumed.generator.variables[0].assign_add(
        tf.ones_like(resumed.generator.variables[0]))
    journal = open_checkpoints(resumed, tmp_path).restore_latest()
    assert journal == Journal(evaluated_step=3)
    assert resumed.step_number == 3 and int(resumed.next_ordinals[0]) == 6
    for saved, restored in zip(every_variable(whole), every_variable(resumed)):
        np.testing.assert_array_equal(saved, restored)

    train(whole, step, seeds=range(3, 5))
    train(resumed, train_step.make_train_step(resumed), seeds=range(3, 5))
    # Equal up to the order of additions across threads; the noise of dropout,
    # which is saved nowhere, is the same too.
    for one, other in zip(every_variable(whole), every_variable(resumed)):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_a_step_has_a_folder_of_state_journal_and_flags(state, tmp_path):
    stand_at(state, 10)
    checkpoints = open_checkpoints(state, tmp_path / "new" / "checkpoints")
    path = checkpoints.save(Journal(evaluated_step=7))
    assert path == f"{tmp_path}/new/checkpoints/step-0000010"
    assert path == checkpoints.path(10) == checkpoints.latest
    assert os.listdir(os.path.dirname(path)) == ["step-0000010"]
    assert sorted(os.listdir(path)) == FILES
    with open(os.path.join(path, "journal.json"), encoding="utf-8") as file:
        assert Journal.from_json(json.load(file)) == Journal(evaluated_step=7)
    assert config_flags.config_from_file(
        os.path.join(path, "config.flags")) == CONFIG
    saved = tf.train.load_checkpoint(os.path.join(path, "state"))
    assert saved.get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE") == 10


def test_an_empty_folder_restores_nothing(state, tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        checkpoints = open_checkpoints(state, folder)
        assert checkpoints.restore_latest() is None
        assert checkpoints.latest == "" and checkpoints.steps() == []
    assert stands_at(state, 0)


def test_what_is_no_checkpoint_is_left_alone(state, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".step-0000030.unfinished").mkdir()
    checkpoints = open_checkpoints(state, tmp_path, keep=1)
    save_at(checkpoints, state, 10, 20)
    assert checkpoints.steps() == [20]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    stand_at(state, 0)
    assert checkpoints.restore_latest() and stands_at(state, 20)


@pytest.mark.parametrize("keep, best, kept", [
    (1, None, [50]), (2, None, [40, 50]), (9, None, [10, 20, 30, 40, 50]),
    (1, 20, [20, 50]), (2, 10, [10, 40, 50]), (2, 50, [40, 50])])
def test_the_newest_and_the_best_are_kept(state, tmp_path, keep, best, kept):
    checkpoints = open_checkpoints(state, tmp_path, keep=keep)
    save_at(checkpoints, state, 10, 20, 30, 40, 50, best=best)
    assert checkpoints.steps() == kept
    assert sorted(os.listdir(tmp_path)) == [
        f"step-{step:07d}" for step in kept]
    save_at(checkpoints, state, 60, best=60)  # a better one
    assert checkpoints.steps() == [10, 20, 30, 40, 50, 60][-keep:]


def test_saving_the_step_that_was_restored_rewrites_its_journal_alone(
        state, tmp_path):
    save_at(open_checkpoints(state, tmp_path), state, 10)
    folder = tmp_path / "step-0000010"
    before = contents(folder)
    times = {name: (folder / name).stat().st_mtime_ns for name in FILES}
    checkpoints = open_checkpoints(state, tmp_path)
    checkpoints.restore_latest()
    assert checkpoints.save(Journal(evaluated_step=99)) == str(folder)
    after = contents(folder)
    assert json.loads(after.pop("journal.json"))["evaluated_step"] == 99
    assert before.pop("journal.json") and after == before
    assert [name for name in FILES
            if (folder / name).stat().st_mtime_ns != times[name]] == [
                "journal.json"]


def test_a_state_that_is_not_finite_is_not_saved(state, tmp_path):
    checkpoints = open_checkpoints(state, tmp_path)
    save_at(checkpoints, state, 10)
    before = contents(tmp_path)
    stand_at(state, 20)
    kernel = state.generator.variables[0]
    kernel.assign(tf.fill(kernel.shape, np.inf))
    with pytest.raises(UserError, match=(
            rf"^step 20: .*kernel.* is not finite\. The training has diverged; "
            rf".* The newest good checkpoint is {tmp_path}/step-0000010$")):
        checkpoints.save(Journal())
    assert contents(tmp_path) == before


# A full disk.


@pytest.fixture
def full_disk(monkeypatch):
    """A function that makes one call of a writing function fail."""
    def fill(name, call=1):
        module = (checkpoints_lib if hasattr(checkpoints_lib, name)
                  else os)
        real, left = getattr(module, name), [call]

        def failing(*arguments):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        monkeypatch.setattr(module, name, failing)

    return fill


NO_ROOM = (r"^step 20 could not be saved in {folder} \(No space left on "
           r"device; \d+ MiB are free there\)\. The newest good checkpoint is "
           r"{newest}; make room, or lower --keep_checkpoints, and run the "
           r"same command again$")


@pytest.mark.parametrize("name, call", [
    ("write_atomically", 1), ("write_atomically", 2), ("sync", 1), ("sync", 4),
    ("rename", 1)])
def test_a_save_that_fails_leaves_the_earlier_ones_and_nothing_else(
        state, tmp_path, full_disk, monkeypatch, name, call):
    checkpoints = open_checkpoints(state, tmp_path, keep=1)
    save_at(checkpoints, state, 10)
    before = contents(tmp_path)
    full_disk(name, call)
    with pytest.raises(UserError, match=NO_ROOM.format(
            folder=tmp_path, newest=f"{tmp_path}/step-0000010")):
        save_at(checkpoints, state, 20)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == ["step-0000010"]
    monkeypatch.undo()
    save_at(checkpoints, state, 20)
    assert checkpoints.steps() == [20]
    stand_at(state, 0)
    assert open_checkpoints(state, tmp_path).restore_latest()
    assert stands_at(state, 20)


def test_the_first_save_that_fails_leaves_nothing(state, tmp_path, full_disk):
    full_disk("sync")
    with pytest.raises(UserError, match=NO_ROOM.format(
            folder=tmp_path, newest="none")):
        save_at(open_checkpoints(state, tmp_path), state, 20)
    assert os.listdir(tmp_path) == []


def test_a_really_full_disk_keeps_the_checkpoint_before(state, small_disk):
    disk = small_disk(4096)
    checkpoints = open_checkpoints(state, disk / "checkpoints")
    save_at(checkpoints, state, 10)
    before = contents(disk)
    size = sum(map(len, before.values()))
    for room in (0, 8192, size // 2, size - 8192):
        free = shutil.disk_usage(disk).free
        (disk / "filler").write_bytes(bytes(free - room))
        with pytest.raises(UserError) as refusal:
            save_at(checkpoints, state, 20)
        assert re.match(
            rf"step 20 could not be saved in {disk}/checkpoints \(.*No space "
            rf"left on device.*; 0 MiB are free there\)\. The newest good "
            rf"checkpoint is {disk}/checkpoints/step-0000010;",
            str(refusal.value))
        (disk / "filler").unlink()
        assert contents(disk) == before
        assert os.listdir(disk / "checkpoints") == ["step-0000010"]
    save_at(checkpoints, state, 20)
    assert checkpoints.steps() == [10, 20]


# Damage.


@pytest.fixture(scope="module")
def saved(shared_state, tmp_path_factory):
    """A folder with checkpoints of steps 10 and 20."""
    folder = tmp_path_factory.mktemp("saved")
    save_at(open_checkpoints(shared_state, folder), shared_state, 10, 20)
    return folder


@pytest.fixture
def copied(saved, tmp_path):
    """A copy of these checkpoints that may be damaged."""
    return shutil.copytree(saved, tmp_path / "checkpoints")


def flipped(content, share):
    """Flips two bits of the byte at this share of a file's length."""
    place = min(int(len(content) * share), len(content) - 1)
    return (content[:place] + bytes([content[place] ^ 0x81])
            + content[place + 1:])


def assert_falls_back(state, folder, caplog):
    """Checks that 10 is restored and the warning names 20."""
    stand_at(state, 3)
    journal = open_checkpoints(state, folder).restore_latest()
    assert journal == Journal(evaluated_step=10)
    assert stands_at(state, 10)
    (warning,) = [record.getMessage() for record in caplog.records
                  if record.levelname == "WARNING"
                  and "damaged" in record.getMessage()]
    assert re.match(rf"checkpoint {folder}/step-0000020 is damaged \(step 20: "
                    rf".+\); taking the one before it$", warning)


def test_an_undamaged_newest_one_is_taken(state, copied, caplog):
    assert open_checkpoints(state, copied).restore_latest() == Journal(
        evaluated_step=20)
    assert stands_at(state, 20) and "damaged" not in caplog.text


def cut(content, share):
    return content[:int(len(content) * share)]


def first_lines(content, count):
    return b"".join(content.splitlines(True)[:count])


def replaced(content, words):
    return content.replace(*words, 1)


STATE = ("state.index", "state.data-00000-of-00001")


@pytest.mark.parametrize("name, damage, how", [
    *((name, cut, share) for name in (*STATE, "journal.json")
      for share in (0.0, 0.5, 0.999)),
    *(("config.flags", cut, share) for share in (0.5, 0.75)),
    *(("config.flags", first_lines, count) for count in (0, 1, 5)),
    *((name, flipped, share) for name in STATE
      for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    *(("journal.json", replaced, words) for words in (
        (b'"num_losses"', b'"mum_losses"'), (b"_l1", b"_m1"), (b"{", b"\xff"),
        (b":", b";"))),
    *(("config.flags", replaced, words) for words in (
        (b"--image_size", b"--imbge_size"),
        (b"--image_size=32", b"--image_size=33"),
        (b"--seed=0", b"--seed=\xff")))])
def test_a_damaged_file_makes_the_one_before_be_taken(
        state, copied, caplog, name, damage, how):
    path = copied / "step-0000020" / name
    before = path.read_bytes()
    path.write_bytes(damage(before, how))
    assert path.read_bytes() != before
    assert_falls_back(state, copied, caplog)


@pytest.mark.parametrize("missing", [*([name] for name in FILES), FILES])
def test_missing_files_make_the_one_before_be_taken(
        state, copied, caplog, missing):
    for name in missing:
        (copied / "step-0000020" / name).unlink()
    assert_falls_back(state, copied, caplog)


def test_nothing_but_damaged_checkpoints_is_an_error(state, copied):
    (copied / "step-0000010" / "state.index").unlink()
    (copied / "step-0000020" / "journal.json").write_text("{")
    with pytest.raises(UserError) as refusal:
        open_checkpoints(state, copied).restore_latest()
    assert re.match(
        rf"no checkpoint in {copied} can be read: step 20: .+; step 10: .+\. "
        rf"Move the folder away to start again$", str(refusal.value))


@pytest.mark.parametrize("step", [15, 20])
def test_a_damaged_one_is_no_obstacle_to_the_next(state, copied, step):
    (copied / "step-0000020" / "state.index").write_bytes(b"")
    checkpoints = open_checkpoints(state, copied, keep=1)
    checkpoints.restore_latest()
    save_at(checkpoints, state, step)
    assert step in checkpoints.steps()
    stand_at(state, 0)
    assert open_checkpoints(state, copied).restore_latest() == Journal(
        evaluated_step=step)
    assert stands_at(state, step)


def test_a_journal_that_cannot_be_rewritten_is_an_error_too(
        state, copied, full_disk):
    checkpoints = open_checkpoints(state, copied)
    checkpoints.restore_latest()
    before = contents(copied)
    full_disk("write_atomically")
    with pytest.raises(UserError, match="^step 20 could not be saved"):
        checkpoints.save(Journal(evaluated_step=99))
    assert contents(copied) == before


# Checkpoints of something else.


def test_other_flags_are_named_and_no_reason_to_fall_back(
        state, copied, caplog):
    other = Config(data=CONFIG.data, networks=CONFIG.networks,
                   training=Training(seed=7, epochs=3))
    with pytest.raises(UserError, match=(
            rf"^checkpoint {copied}/step-0000020 was saved with other flags: "
            rf"--seed is 7 now and was 0$")):
        open_checkpoints(state, copied, config=other).restore_latest()
    assert "damaged" not in caplog.text and stands_at(state, 0)


def test_a_checkpoint_that_lacks_a_part_of_the_state_is_refused(
        state, copied):
    parts = state.checkpointed()
    del parts["next_ordinals"]
    tf.train.Checkpoint(**parts).write(f"{copied}/step-0000020/state")
    with pytest.raises(UserError, match="step-0000020 cannot be restored: "
                       ".*next_ordinals"):
        open_checkpoints(state, copied).restore_latest()


@pytest.mark.parametrize("saved_by, restored_by, expected", [
    ([12], 1, [12]), ([12], 3, [4, 4, 4]), ([8, 4], 1, [12]),
    ([8, 4], 2, [8, 4])])
def test_another_number_of_workers_shares_the_stream_out_anew(
        state, tmp_path, saved_by, restored_by, expected):
    before = state.next_ordinals.numpy()
    try:
        state.next_ordinals.assign(saved_by)
        open_checkpoints(state, tmp_path).save(Journal())
        state.next_ordinals.assign([0] * restored_by)
        open_checkpoints(state, tmp_path).restore_latest()
        state.set_num_workers(restored_by)
        assert state.next_ordinals.numpy().tolist() == expected
    finally:
        state.next_ordinals.assign(before)


def test_a_state_of_another_shape_is_refused(copied):
    wider = make_state(Config(data=CONFIG.data,
                              networks=Networks(base_filters=3)))
    with pytest.raises(UserError, match="step-0000020 cannot be restored"):
        open_checkpoints(wider, copied).restore_latest()
