"""The loop: an interrupted run and a whole one do and see the same."""

import dataclasses
import os
import re
import signal
from typing import Any, cast

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color, pipeline, split
from data_pipelines.errors import Interrupted, UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color.config import Config, Data, Networks, Reporting, Training
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.summaries import Summaries
from pix2pix_color.training import loop
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.distribution import Workers
from pix2pix_color.training.interruption import Interruption
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.schedules import adversarial_objective
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import Objective, StepLosses


class Recorded:
    """A reporter that keeps what it is told, and when.

    Each evaluation gives another ab_l1, from a list.
    """

    def __init__(self, state, metrics=(9.0,) * 100):
        self._state, self._metrics = state, iter(metrics)
        self.done: list[str] = []
        self.losses, self.rates, self.stages = {}, {}, {}

    def _note(self, what):
        self.done.append(f"{what} {self._state.step_number}")

    def draw_losses(self, means, *, stage, images_per_second):
        self._note("losses")
        self.stages[self._state.step_number] = stage
        self.losses[self._state.step_number] = means
        self.rates[self._state.step_number] = images_per_second

    def draw_samples(self):
        self._note("samples")

    def evaluate(self):
        self._note("evaluation")
        return Measured(next(self._metrics))

    def flush(self):
        self._note("flush")


class Measured:
    """An evaluation that gave this ab_l1."""

    def __init__(self, value):
        self._value = value

    def means(self):
        return {"ab_l1": self._value}


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


def open_training(run, *, state=None, metrics=(9.0,) * 100, **others):
    """A training from the newest checkpoint below run's folder."""
    state = state or TrainState.create(run, precision="float32")
    checkpoints = Checkpoints(
        state, config=run, keep=9,
        directory=os.path.join(run.reporting.workdir, "checkpoints"))
    journal = checkpoints.restore_latest() or Journal()
    parts: dict[str, Any] = dict(
        reporter=Recorded(state, metrics), interruption=Interruption(),
        rejected=RejectedExamples(known=journal.rejected), **others)
    return loop.TrainingLoop(
        config=run, state=state, journal=journal, workers=Workers(run),
        checkpoints=checkpoints, **parts)


def interrupt(training, source, *, update):
    """Runs a training that a signal comes to during the numbered update."""
    batches = training._batches

    def interrupted_batches(source):
        for number, batch in enumerate(batches(source), 1):
            if number == update:
                signal.raise_signal(signal.SIGTERM)
            yield batch

    training._batches = interrupted_batches
    with training.interruption.handled(), pytest.raises(Interrupted) as raised:
        training.run(source)
    return str(raised.value)


# With real updates; killed_test.py does the same with whole runs, to the bit.


@pytest.mark.slow
def test_a_resumed_run_goes_on_where_stream_noise_and_curves_stood(tmp_path):
    def begin(name):
        return open_training(config(5, tmp_path / name, log_every=2))

    whole = begin("whole")
    whole.run(sources()[0])
    first = begin("parts")
    interrupt(first, sources()[0], update=3)
    second = begin("parts")
    assert second.state.step_number == 3
    assert int(second.state.next_ordinals[0]) == 9
    second.run(sources()[0])
    assert int(second.state.next_ordinals[0]) == 15

    expected, parts = (cast(Any, whole.reporter).losses, {
        **cast(Any, first.reporter).losses,
        **cast(Any, second.reporter).losses})
    assert list(cast(Any, first.reporter).losses) == [2]
    assert list(parts) == list(expected) == [2, 4, 5]
    for step, losses in expected.items():
        for name, value in losses.items():
            assert parts[step][name] == pytest.approx(value, rel=1e-3), step
    assert expected[2] != expected[4]


# Stage, plateau, turns and average all change on the way: two updates of
# pretraining, cuts from step 4 on, the discriminator every second time.
COURSE = dict(
    pretrain_epochs=0.8, lr_schedule="plateau", plateau_patience=1,
    learning_rate=1e-3, discriminator_steps=0.5, ema_decay=0.9)


@pytest.mark.slow
def test_a_resumed_run_goes_on_in_its_stage_plateau_turns_and_average(
        tmp_path):
    def begin(name):
        return open_training(config(7, tmp_path / name, COURSE, eval_every=1))

    whole, parts = begin("whole"), []
    initial = whole.state.variables_of_all()[0].numpy()
    whole.run(sources()[0])
    for update in (1, 3, None):
        parts.append(begin("parts"))
        if update:
            interrupt(parts[-1], sources()[0], update=update)
        else:
            parts[-1].run(sources()[0])
    assert [part.state.step_number for part in parts] == [1, 4, 7]

    ended = parts[-1]
    assert ended.journal.plateau == whole.journal.plateau == {
        "best": 9.0, "waited": 0, "cuts": 4}
    for one in (whole, ended):
        assert float(one.state.generator_optimizer.learning_rate
                     ) == pytest.approx(1e-3 / 2**3)
        assert int(one.state.generator_optimizer.iterations) == 5
        assert int(one.state.discriminator_optimizer.iterations) == 3
    stages = {step: stage for part in parts
              for step, stage in cast(Any, part.reporter).stages.items()}
    assert stages == cast(Any, whole.reporter).stages == {
        1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1}
    assert "discriminator" not in cast(Any, whole.reporter).losses[2]
    assert "discriminator" in cast(Any, whole.reporter).losses[3]
    for expected, found in zip(whole.state.variables_of_all(),
                               ended.state.variables_of_all(), strict=True):
        np.testing.assert_allclose(
            found.numpy(), expected.numpy(), rtol=2e-3, atol=2e-5)
    assert np.abs(whole.state.variables_of_all()[0].numpy()
                  - initial).max() > 1e-3


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """The message of a run whose first update is not finite."""
    workdir = tmp_path_factory.mktemp("diverged")
    training = open_training(config(5, workdir))
    kernel = training.state.generator.get_layer("decoder1").kernel
    kernel.assign(tf.fill(kernel.shape, np.inf))
    with pytest.raises(UserError) as refusal:
        training.run(sources()[0])
    return workdir, str(refusal.value)


def test_a_run_that_diverges_ends_with_its_message(diverged):
    workdir, message = diverged
    assert re.match(r"step \d: not finite: weight .* checkpoint is none$",
                    message)
    assert not (workdir / "checkpoints").exists()


def test_a_run_that_diverges_names_the_step(diverged):
    workdir, message = diverged
    assert message.startswith("step 1: not finite")
    assert os.listdir(workdir / "diverged") == ["step-0000001"]


# With updates that do nothing but count.


@pytest.fixture(scope="module")
def shared_state():
    return TrainState.create(config(1), precision="float32")


@pytest.fixture
def updates():
    """Objective and both learning rates of each update that was made."""
    return []


@pytest.fixture
def compiled():
    """Of each step that was made, whether by XLA."""
    return []


@pytest.fixture
def num_shown():
    """Of each update, how many conditions beside the clean one it was given."""
    return []


@pytest.fixture
def state(shared_state, monkeypatch, updates, compiled, num_shown):
    """A state whose updates take no time; losses are the step's number."""
    def make_train_step(state, objective, *, jit_compile, **_):
        compiled.append(jit_compile)

        def train_step(condition, target, *shown):
            updates.append((objective, *(
                float(optimizer.learning_rate) for optimizer in
                (state.generator_optimizer, state.discriminator_optimizer))))
            assert condition.shape == (3, 32, 32, 1)
            assert target.shape == (3, 32, 32, 2)
            assert all(each.shape == condition.shape for each in shown)
            num_shown.append(len(shown))
            state.step.assign_add(1)
            return StepLosses(*[tf.constant(float(state.step_number))] * 6)

        return train_step

    monkeypatch.setattr(loop, "make_train_step", make_train_step)
    shared_state.step.assign(0)
    shared_state.next_ordinals.assign([0])
    return shared_state


def flat_source(num_examples=7):
    def load(index):
        return tf.fill([40, 40, 3], tf.cast(10 * index, tf.uint8))

    return Source(origin="--data=flat", load=load,
                  identities=[str(index) for index in range(num_examples)])


def done(training):
    return cast(Any, training.reporter).done


def test_what_is_due_is_done_before_the_checkpoint_is_saved(state, tmp_path):
    training = open_training(
        config(6, tmp_path, log_every=3, sample_every=2, eval_every=4,
               checkpoint_every=5), state=state)
    training.run(flat_source())
    assert done(training) == [
        "samples 2", "losses 3", "samples 4", "evaluation 4",
        "flush 4",  # the first evaluation is the best so far
        "flush 5", "losses 6", "samples 6", "evaluation 6", "flush 6"]
    assert training.checkpoints.steps() == [4, 5, 6]
    saved = training.checkpoints.restore(6)
    assert (saved.evaluated_step, saved.sampled_step) == (6, 6)
    losses = cast(Any, training.reporter).losses
    assert [losses[step]["generator"] for step in (3, 6)] == [2.0, 5.0]


def test_the_rate_leaves_out_what_was_not_counted(state, tmp_path):
    training = open_training(config(3, tmp_path), state=state)
    training.run(flat_source())
    rates = cast(Any, training.reporter).rates
    assert rates[1] == 0.0 and rates[2] > 0.0 and rates[3] > 0.0
    seconds = training.journal.seconds
    assert seconds["step"] > 0 and seconds["waiting for data"] > 0
    assert seconds["checkpoints"] > 0


def test_each_update_has_its_objective_and_its_rates(
        state, tmp_path, updates):
    state.set_learning_rates(generator=9.0, discriminator=9.0)  # restored
    weights: dict[str, Any] = dict(
        l1_weight=5.0, psnr_weight=6.0, colorfulness_weight=7.0)
    run = config(5, tmp_path, dict(
        pretrain_epochs=0.4, pretrain_learning_rate=1.0, gan_loss="lsgan",
        gan_weight=8.0, **weights, learning_rate=0.8,
        discriminator_learning_rate=0.4,
        lr_schedule="linear", discriminator_steps=0.5))
    open_training(run, state=state).run(flat_source())
    pretraining = Objective(gan_weight=0.0, discriminator_updates=0, **weights)
    both = Objective(gan_loss="lsgan", gan_weight=8.0, **weights)
    alone = both._replace(discriminator_updates=0)
    assert [update[0] for update in updates] == [
        pretraining, both, alone, both, alone]
    np.testing.assert_allclose(
        [update[1:] for update in updates],
        [(1.0, 0.0), (0.8, 0.4), (0.8, 0.4), (0.8, 0.4), (0.4, 0.2)],
        rtol=1e-6)


@pytest.mark.parametrize("degrade", [True, False])
def test_an_update_is_given_what_is_shown_where_it_is_degraded(
        state, tmp_path, num_shown, degrade):
    run = config(2, tmp_path)
    run = dataclasses.replace(run, data=dataclasses.replace(
        run.data, degrade=degrade))
    open_training(run, state=state).run(flat_source())
    assert num_shown == [int(degrade)] * 2


@pytest.mark.parametrize("jit_compile", ["on", "off"])
def test_steps_are_compiled_as_the_flag_says(
        state, tmp_path, compiled, jit_compile):
    run = config(2, tmp_path, dict(jit_compile=jit_compile))
    open_training(run, state=state).run(flat_source())
    assert compiled == [jit_compile == "on"]


# Of options of Data and Training, what the stream is made with.
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

    batch = next(open_training(run, state=state)._batches(source))
    for found, wanted, plain in zip(batch, first(STREAM | expected),
                                    first(STREAM), strict=True):
        np.testing.assert_array_equal(found, wanted)
        # Only the places in the stream may be the same.
        assert (not options or found.dtype == tf.int64
                or not np.array_equal(found, plain))


def test_a_plateau_is_seen_by_its_own_metric(state, tmp_path, updates):
    run = config(5, tmp_path, dict(
        lr_schedule="plateau", plateau_patience=2, plateau_factor=0.1,
        learning_rate=1.0), eval_every=1)
    training = open_training(run, state=state,
                             metrics=(5.0, 6.0, 5.5, 4.0, 3.0))
    training.run(flat_source())
    assert [update[1] for update in updates] == pytest.approx(
        [1.0, 1.0, 1.0, 0.1, 0.1])
    assert training.checkpoints.restore(5).plateau == {
        "best": 3.0, "waited": 0, "cuts": 1}


def test_updates_are_timed_in_the_adversarial_stage(state, tmp_path, updates):
    run = config(9, tmp_path, dict(pretrain_epochs=0.8))
    open_training(run, state=state).time_updates(flat_source(), 1)
    assert [update[0] for update in updates] == [
        adversarial_objective(run.training)]


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
    assert done(again) == [] and state.step_number == 2


def test_a_signal_ends_the_update_and_saves(state, tmp_path):
    training = open_training(config(9, tmp_path, log_every=1), state=state)
    assert interrupt(training, flat_source(), update=4) == (
        "interrupted at step 4, which is saved; the same command goes on from "
        "there")
    assert done(training)[-2:] == ["losses 4", "flush 4"]
    assert training.checkpoints.steps() == [4]
    state.step.assign(0)
    again = open_training(config(9, tmp_path), state=state)
    assert state.step_number == 4 and int(state.next_ordinals[0]) == 12
    again.run(flat_source())
    assert list(cast(Any, again.reporter).losses) == [5, 6, 7, 8, 9]


def interrupt_the_evaluation(training):
    """Runs a training that a signal comes to in its evaluation."""
    reporter = cast(Any, training.reporter)
    with training.interruption.handled(), pytest.raises(Interrupted):
        reporter.evaluate = lambda: signal.raise_signal(signal.SIGINT)
        training.run(flat_source())


def test_an_evaluation_that_was_interrupted_is_made_up_for(state, tmp_path):
    run = config(3, tmp_path, eval_every=2, sample_every=2)
    training = open_training(run, state=state)
    interrupt_the_evaluation(training)
    assert done(training) == ["losses 1", "losses 2", "samples 2", "flush 2"]
    state.step.assign(0)
    again = open_training(run, state=state)
    again.run(flat_source())
    assert done(again) == ["evaluation 2", "flush 2", "losses 3",
                           "samples 3", "evaluation 3", "flush 3"]


def test_an_evaluation_that_is_made_up_for_counts_as_the_best(
        state, tmp_path):
    run = config(2, tmp_path)
    interrupt_the_evaluation(open_training(run, state=state))
    again = open_training(run, state=state)
    again.run(flat_source())
    assert "evaluation 2" in done(again)
    assert again.journal.evaluated_step == 2
    assert again.journal.best == {
        "step": 2, "metric": "ab_l1", "value": 9.0}


def test_photographs_that_vanish_leave_what_was_learned(state, tmp_path):
    training = open_training(config(9, tmp_path), state=state)
    batches = training._batches

    def vanishing(source):
        yield from (next(batches(source)) for _ in range(2))
        raise UserError("none of them can be read")

    cast(Any, training)._batches = vanishing
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
    assert list(again.rejected.reasons) == ["--data=flat: e"]


def test_timing_updates_saves_nothing(state, tmp_path):
    training = open_training(config(9, tmp_path), state=state)
    seconds = training.time_updates(flat_source(), 3)
    assert len(seconds) == 3 and min(seconds) > 0
    assert state.step_number == 3 and done(training) == []
    assert os.listdir(tmp_path) == []


# What looks at the generator.


def test_looking_at_the_generator_changes_nothing_in_it(tmp_path):
    folder = RunFolder(str(tmp_path / "run"))
    run = config(1, folder.path)
    folder.claim(run)
    state = TrainState.create(run, precision="float32")
    summaries = Summaries(folder.path)
    train_source, eval_source = sources()
    reporter = Reporter(
        config=run, state=state, eval_source=eval_source, folder=folder,
        summaries=summaries, rejected=RejectedExamples())
    before = [variable.numpy() for variable in state.generator.variables]
    one = reporter.evaluate().means()
    reporter.draw_samples()
    reporter.draw_training(train_source)
    assert reporter.measure(eval_source).means() == pytest.approx(one)
    summaries.close()
    for old, variable in zip(before, state.generator.variables):
        np.testing.assert_array_equal(old, variable.numpy())


@pytest.mark.parametrize("steps, num_records", [
    (range(1, 9), 1), (range(4, 9), 1), (range(1, 5), 1), (range(6, 9), 0)],
    ids=["whole", "resumed_within", "ended_within", "resumed_behind"])
def test_the_named_steps_are_recorded_as_far_as_they_are_made(
        tmp_path, steps, num_records):
    profile = loop._Profile(Config(reporting=Reporting(
        workdir=str(tmp_path), profile_steps="3,5")))
    recorded = []
    for step in steps:
        profile.follow(step)
        recorded += [step] * profile._is_running
    profile.close()
    assert recorded == [step for step in steps if 3 <= step <= 5]
    records = list(tmp_path.glob("train/plugins/profile/*/*.xplane.pb"))
    assert len(records) == num_records
