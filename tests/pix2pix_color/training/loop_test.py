"""The loop: an interrupted run does and reports what a whole one does."""

import dataclasses
import os
import types
from typing import Any, cast

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color, pipeline, split
from data_pipelines.errors import Interrupted, UserError
from data_pipelines.rejected import RejectedExamples, TooManyRejectedError
from data_pipelines.sources import Source
from pix2pix_color.config import Config, Data, Networks, Reporting, Training
from pix2pix_color.training import loop
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.distribution import Workers
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.schedules import adversarial_objective
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import Objective, StepLosses


class Recorded:
    """A reporter that keeps what it is told, and when.

    Each evaluation gives the next ab_l1 of a list.
    """

    def __init__(self, state, metrics=(9.0,) * 100):
        self._state, self._metrics = state, iter(metrics)
        self.done: list[str] = []
        self.losses, self.rates, self.stages = {}, {}, {}

    def _note(self, what):
        self.done.append(f"{what} {self._state.step_number}")

    def write_losses(self, means, *, stage, images_per_second):
        self._note("losses")
        step = self._state.step_number
        self.stages[step], self.losses[step] = stage, means
        self.rates[step] = images_per_second

    def write_samples(self):
        self._note("samples")

    def evaluate(self):
        self._note("evaluation")
        means = {"ab_l1": next(self._metrics)}
        return types.SimpleNamespace(means=lambda: means)

    def flush(self):
        self._note("flush")


def config(steps, workdir="run", training=None, **reporting):
    every = dict(log_every=1, checkpoint_every=100, sample_every=100,
                 eval_every=100)
    return Config(
        data=Data(image_size=32, batch_size=3, train_examples=7),
        networks=Networks(base_filters=2, dropout=0.5),
        training=Training(steps=steps, precision="float32",
                          **(training or {})),
        reporting=Reporting(workdir=str(workdir), **{**every, **reporting}))


def sources():
    return split.open_train_and_eval(
        data="sample_photos", eval_data="", eval_fraction=0.1,
        train_examples=7, eval_examples=2)


class StopAt:
    """A signal that comes during the update of a step."""

    def __init__(self, state, step):
        self._state, self._step = state, step

    @property
    def requested(self):
        return self._step is not None and self._state.step_number >= self._step


def open_training(run, *, state=None, metrics=(9.0,) * 100, stop_at=None):
    """A training from the newest checkpoint below run's folder."""
    state = state or TrainState.create(run, precision="float32")
    checkpoints = Checkpoints(
        state, config=run, keep=9,
        directory=os.path.join(run.reporting.workdir, "checkpoints"))
    journal = checkpoints.restore_latest() or Journal()
    parts: dict[str, Any] = dict(
        reporter=Recorded(state, metrics), interruption=StopAt(state, stop_at),
        rejected=RejectedExamples())
    return loop.TrainingLoop(
        config=run, state=state, journal=journal, workers=Workers(run),
        checkpoints=checkpoints, **parts)


def interrupted(run, source, *, at, **options):
    """A training that a signal has stopped at a step, and its message."""
    training = open_training(run, stop_at=at, **options)
    with pytest.raises(Interrupted) as raised:
        training.run(source)
    return training, str(raised.value)


def told(training):
    """The training's reporter."""
    return cast(Any, training.reporter)


# With real updates; killed_test.py does the same with whole runs, to the bit.

# Stage, plateau, turns and average all change on the way: two updates of
# pretraining, cuts from step 4 on, the discriminator every second time.
COURSE = dict(
    pretrain_epochs=0.8, lr_schedule="plateau", plateau_patience=1,
    learning_rate=1e-3, discriminator_steps=0.5, ema_decay=0.9)


@pytest.mark.slow
def test_a_resumed_run_ends_as_a_whole_one(tmp_path):
    """In its stream, noise, curves, stage, plateau, turns and average."""
    def run(name):
        return config(7, tmp_path / name, COURSE, eval_every=1, log_every=2)

    whole = open_training(run("whole"))
    initial = whole.state.shared_variables()[0].numpy()
    whole.run(sources()[0])
    parts = [interrupted(run("parts"), sources()[0], at=step)[0]
             for step in (1, 5)]
    parts.append(open_training(run("parts")))
    assert parts[-1].state.step_number == 5
    assert int(parts[-1].state.next_ordinals[0]) == 15
    parts[-1].run(sources()[0])

    ended = parts[-1]
    assert ended.journal.plateau == whole.journal.plateau == {
        "best": 9.0, "waited": 0, "cuts": 4}
    for one in (whole, ended):
        assert float(one.state.generator_optimizer.learning_rate
                     ) == pytest.approx(1e-3 / 2**3)
        assert int(one.state.generator_optimizer.iterations) == 5
        assert int(one.state.discriminator_optimizer.iterations) == 3
    expected, found = told(whole), {
        name: {step: value for part in parts
               for step, value in getattr(told(part), name).items()}
        for name in ("stages", "losses")}
    assert found["stages"] == expected.stages == {2: 0, 4: 1, 6: 1, 7: 1}
    for step, losses in expected.losses.items():
        assert found["losses"][step] == pytest.approx(losses, rel=1e-3), step
    assert "discriminator" not in expected.losses[2]
    assert "discriminator" in expected.losses[4]
    for expected, found in zip(whole.state.shared_variables(),
                               ended.state.shared_variables(), strict=True):
        np.testing.assert_allclose(
            found.numpy(), expected.numpy(), rtol=2e-3, atol=2e-5)
    assert np.abs(whole.state.shared_variables()[0].numpy()
                  - initial).max() > 1e-3


# With updates that do nothing but count.


@pytest.fixture(scope="module")
def shared_state():
    return TrainState.create(config(1), precision="float32")


@pytest.fixture
def made():
    """The updates that were made.

    Attributes:
      updates: objective and both learning rates of each update.
      compiled: for each compiled step, whether XLA compiled it.
      is_shown: for each update, whether the generator sees a degraded one.
      third: loss -> value that replaces it in the third update.
    """
    return types.SimpleNamespace(updates=[], compiled=[], is_shown=[], third={})


@pytest.fixture
def state(shared_state, monkeypatch, made):
    """A state whose updates take no time; losses are the step's number."""
    def make_train_step(state, objective, *, jit_compile, **_):
        made.compiled.append(jit_compile)

        def train_step(condition, target, shown, hints):
            made.updates.append((objective, *(
                float(optimizer.learning_rate) for optimizer in
                (state.generator_optimizer, state.discriminator_optimizer))))
            assert condition.shape == (3, 32, 32, 1)
            assert target.shape == (3, 32, 32, 2)
            assert hints is None
            made.is_shown.append(shown is not None)
            state.step.assign_add(1)
            losses = StepLosses(*[tf.constant(float(state.step_number))] * 6)
            return losses._replace(
                **made.third if state.step_number == 3 else {})

        return train_step

    monkeypatch.setattr(loop, "make_train_step", make_train_step)
    shared_state.step.assign(0)
    shared_state.next_ordinals.assign([0])
    return shared_state


def flat_source(num_examples=7):
    def load(index):
        return tf.tile(tf.reshape(tf.cast(
            [10 * index, 90, 200], tf.uint8), [1, 1, 3]), [40, 40, 1])

    return Source(origin="--data=flat", load=load,
                  identities=[str(index) for index in range(num_examples)])


def test_what_is_due_is_done_before_the_checkpoint_is_saved(state, tmp_path):
    training = open_training(
        config(6, tmp_path, log_every=3, sample_every=2, eval_every=4,
               checkpoint_every=5), state=state)
    training.run(flat_source())
    assert told(training).done == [
        "samples 2", "losses 3", "samples 4", "evaluation 4",
        "flush 4",  # the first evaluation is the best so far
        "flush 5", "losses 6", "samples 6", "evaluation 6", "flush 6"]
    assert training.checkpoints.steps() == [4, 5, 6]
    assert training.checkpoints.restore(6).evaluated_step == 6
    losses = told(training).losses
    assert [losses[step]["generator"] for step in (3, 6)] == [2.0, 5.0]


def test_the_rate_leaves_out_what_was_not_counted(state, tmp_path):
    training = open_training(config(3, tmp_path), state=state)
    training.run(flat_source())
    rates = told(training).rates
    assert rates[1] == 0.0 and rates[2] > 0.0 and rates[3] > 0.0
    seconds = training.journal.seconds
    assert seconds["step"] > 0 and seconds["waiting for data"] > 0
    assert seconds["checkpoints"] > 0


def test_each_update_has_its_objective_and_its_rates(state, tmp_path, made):
    state.set_learning_rates(generator=9.0, discriminator=9.0)  # restored
    weights: dict[str, Any] = dict(
        l1_weight=5.0, psnr_weight=6.0, colorfulness_weight=7.0)
    run = config(5, tmp_path, dict(
        pretrain_epochs=0.4, pretrain_learning_rate=1.0, gan_loss="lsgan",
        gan_weight=8.0, **weights, learning_rate=0.8,
        discriminator_learning_rate=0.4,
        lr_schedule="linear", discriminator_steps=0.5))
    open_training(run, state=state).run(flat_source())
    both = Objective(gan_loss="lsgan", gan_weight=8.0, **weights)
    pretraining = both._replace(gan_weight=0.0, discriminator_updates=0)
    alone = both._replace(discriminator_updates=0)
    assert [update[0] for update in made.updates] == [
        pretraining, both, alone, both, alone]
    np.testing.assert_allclose(
        [update[1:] for update in made.updates],
        [(1.0, 0.0), (0.8, 0.4), (0.8, 0.4), (0.8, 0.4), (0.4, 0.2)],
        rtol=1e-6)


@pytest.mark.parametrize("degrade, jit_compile", [
    (True, "off"), (False, "on")])
def test_updates_are_compiled_and_shown_what_the_flags_say(
        state, tmp_path, made, degrade, jit_compile):
    run = config(2, tmp_path, dict(jit_compile=jit_compile))
    run = dataclasses.replace(run, data=dataclasses.replace(
        run.data, degrade=degrade))
    open_training(run, state=state).run(flat_source())
    assert made.is_shown == [degrade] * 2
    assert made.compiled == [jit_compile == "on"]


# The options of Data and Training that the stream depends on.
STREAM = dict(batch_size=3, image_size=32, resize_size=36, seed=0)


@pytest.mark.parametrize("options, expected", [
    ({}, {}), (dict(resize_size=32), dict(resize_size=32)),
    (dict(resize_size=48), dict(resize_size=48)),
    (dict(resize_size=48, max_resize_size=90),
     dict(resize_size=48, max_resize_size=90)),
    (dict(image_size=64), dict(image_size=64, resize_size=72)),
    (dict(batch_size=5), dict(batch_size=5)), (dict(seed=4), dict(seed=4))])
def test_the_stream_is_that_of_the_flags(
        state, tmp_path, options, expected):
    run, source = config(1, tmp_path), sources()[0]
    run = dataclasses.replace(
        run, **{group: dataclasses.replace(getattr(run, group), **{
            name: value for name, value in options.items()
            if hasattr(getattr(run, group), name)})
            for group in ("data", "training")})

    def first(options):
        options = dict(options)
        part = pipeline.WorkerShard(batch_size=options.pop("batch_size"))
        return next(iter(pipeline.training_batches(
            source, part=part, first_ordinal=0, color_space=color.LAB,
            **options)))

    batch = next(open_training(run, state=state).batches(source))
    for found, wanted, plain in zip(batch, first(STREAM | expected),
                                    first(STREAM), strict=True):
        np.testing.assert_array_equal(found, wanted)
        # Only the places in the stream may be the same; there are no hints.
        assert (not options or found.dtype == tf.int64 or not tf.size(found)
                or not np.array_equal(found, plain))


def test_a_plateau_is_seen_by_its_own_metric(state, tmp_path, made):
    run = config(5, tmp_path, dict(
        lr_schedule="plateau", plateau_patience=2, plateau_factor=0.1,
        learning_rate=1.0), eval_every=1)
    training = open_training(run, state=state,
                             metrics=(5.0, 6.0, 5.5, 4.0, 3.0))
    training.run(flat_source())
    assert [update[1] for update in made.updates] == pytest.approx(
        [1.0, 1.0, 1.0, 0.1, 0.1])
    assert training.checkpoints.restore(5).plateau == {
        "best": 3.0, "waited": 0, "cuts": 1}


def test_timed_updates_are_of_the_adversarial_stage_and_not_saved(
        state, tmp_path, made):
    run = config(9, tmp_path, dict(pretrain_epochs=0.8))
    training = open_training(run, state=state)
    seconds = training.time_updates(flat_source(), 2)
    assert len(seconds) == 2 and min(seconds) > 0
    assert {update[0] for update in made.updates} == {
        adversarial_objective(run.training)}
    assert told(training).done == [] and os.listdir(tmp_path) == []


def test_the_best_evaluation_has_a_checkpoint(state, tmp_path):
    training = open_training(
        config(5, tmp_path, eval_every=1), state=state,
        metrics=(9.0, 7.0, 8.0, 6.0, 6.5))
    last = training.run(flat_source())
    assert last and last.means() == {"ab_l1": 6.5}
    assert training.journal.best == {
        "step": 4, "metric": "ab_l1", "value": 6.0}
    assert training.checkpoints.steps() == [1, 2, 4, 5]


def test_a_finished_run_is_left_as_it_is(state, tmp_path):
    run = config(2, tmp_path)
    open_training(run, state=state).run(flat_source())
    state.step.assign(0)
    again = open_training(run, state=state)
    assert again.run(flat_source()) is None
    assert told(again).done == [] and state.step_number == 2


@pytest.mark.parametrize("loss, value", [
    ("generator_l1", np.nan), ("discriminator_real", np.inf)])
def test_a_loss_that_is_not_finite_ends_the_run_with_its_name(
        state, tmp_path, made, loss, value):
    made.third[loss] = tf.constant(value)
    training = open_training(
        config(9, tmp_path, checkpoint_every=2), state=state)
    with pytest.raises(UserError) as refusal:
        training.run(flat_source())
    assert str(refusal.value) == (
        f"step 3: {loss} is not finite. The training has diverged; a lower "
        f"--learning_rate or --discriminator_learning_rate may help. The "
        f"newest good checkpoint is {tmp_path}/checkpoints/step-0000002")
    assert training.checkpoints.steps() == [2]
    assert told(training).done[-1] == "flush 2"


def test_a_signal_ends_the_update_and_saves(state, tmp_path):
    training, message = interrupted(
        config(9, tmp_path), flat_source(), at=4, state=state)
    assert message == (
        "interrupted at step 4, which is saved; the same command goes on from "
        "there")
    assert told(training).done[-2:] == ["losses 4", "flush 4"]
    assert training.checkpoints.steps() == [4]
    state.step.assign(0)
    again = open_training(config(9, tmp_path), state=state)
    assert state.step_number == 4 and int(state.next_ordinals[0]) == 12
    again.run(flat_source())
    assert list(told(again).losses) == [5, 6, 7, 8, 9]


def test_what_is_due_is_done_before_a_signal_ends_the_run(state, tmp_path):
    run = config(3, tmp_path, eval_every=2, sample_every=2)
    training, _ = interrupted(run, flat_source(), at=2, state=state)
    assert told(training).done == [
        "losses 1", "losses 2", "samples 2", "evaluation 2", "flush 2"]
    again = open_training(run, state=state)
    again.run(flat_source())
    assert told(again).done == [
        "losses 3", "samples 3", "evaluation 3", "flush 3"]


def test_a_run_may_be_ended_at_the_step_where_it_was_interrupted(
        state, tmp_path):
    interrupted(config(9, tmp_path), flat_source(), at=2, state=state)
    training = open_training(config(2, tmp_path), state=state)
    last = training.run(flat_source())
    assert last and last.means() == {"ab_l1": 9.0}
    assert told(training).done == ["samples 2", "evaluation 2", "flush 2"]
    assert open_training(config(2, tmp_path), state=state).journal.best == {
        "step": 2, "metric": "ab_l1", "value": 9.0}


def test_photographs_that_vanish_leave_what_was_learned(state, tmp_path):
    training = open_training(config(9, tmp_path), state=state)
    batches = training.batches

    def vanishing(source):
        yield from (next(batches(source)) for _ in range(2))
        raise TooManyRejectedError("none of them can be read")

    cast(Any, training).batches = vanishing
    with pytest.raises(UserError, match="none of them can be read"):
        training.run(flat_source())
    assert training.checkpoints.steps() == [2]


def test_rejected_photographs_are_in_the_journal(state, tmp_path):
    def load(index):
        tf.debugging.Assert(index != 4, ["cut off"])
        return tf.fill([40, 40, 3], tf.cast(index, tf.uint8))

    broken = Source(origin="--data=flat", identities=list("abcdefg"),
                    load=load)
    run = config(4, tmp_path)
    open_training(run, state=state).run(broken)
    again = open_training(run, state=state)
    assert list(again.journal.rejected) == ["--data=flat: e"]


@pytest.mark.parametrize("first, last, num_records", [
    (0, 8, 1), (3, 8, 1), (0, 4, 1), (5, 8, 0)],
    ids=["whole", "resumed_within", "ended_within", "resumed_behind"])
def test_the_named_steps_are_recorded(
        state, tmp_path, first, last, num_records):
    state.step.assign(first)
    run = config(last, tmp_path, profile_steps="3,5")
    open_training(run, state=state).run(flat_source())
    records = list(tmp_path.glob("train/plugins/profile/*/*.xplane.pb"))
    assert len(records) == num_records
