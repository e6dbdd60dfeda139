"""The loop: an interrupted run and a whole one see the same photographs."""

from typing import Any, cast

import numpy as np
import pytest

from data_pipelines import pipeline, split
from pix2pix_color.config import Config, Data, Networks, Reporting, Training
from pix2pix_color.summaries import Summaries
from pix2pix_color.training import loop
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.run_folder import RunFolder
from pix2pix_color.training.train_state import TrainState


class Recorded:
    """Summaries that keep the losses instead of writing them."""

    def __init__(self):
        self.losses = {}

    def write_losses(self, losses, *, step, **others):
        self.losses[step] = losses

    def flush(self):
        pass


def config(steps, batch_size=3):
    return Config(
        data=Data(image_size=32, batch_size=batch_size, train_examples=7),
        networks=Networks(base_filters=2, dropout=0.0),
        training=Training(steps=steps, precision="float32"),
        reporting=Reporting(log_every=1, checkpoint_every=100,
                            sample_every=100, eval_every=100))


def sources():
    return split.open_train_and_eval(
        data="sample_photos", eval_data="", eval_fraction=0.1,
        train_examples=7, eval_examples=2)


def train(directory, steps):
    """Trains to a step from the newest checkpoint; returns losses and state."""
    state = TrainState.create(config(steps), precision="float32")
    checkpoints = Checkpoints(state, directory=str(directory))
    checkpoints.restore_latest()
    recorded = Recorded()
    loop.train(config=config(steps), state=state, train_source=sources()[0],
               checkpoints=checkpoints, summaries=cast(Any, recorded),
               reporter=cast(Any, None), rejected=pipeline.RejectedExamples())
    return recorded.losses, state


def test_a_resumed_run_goes_on_where_the_stream_stood(tmp_path):
    whole, state = train(tmp_path / "whole", 5)
    assert sorted(whole) == [1, 2, 3, 4, 5]
    assert int(state.next_ordinal) == 15
    first, state = train(tmp_path / "parts", 3)
    assert int(state.next_ordinal) == 9
    second, state = train(tmp_path / "parts", 5)
    assert int(state.next_ordinal) == 15 and sorted(second) == [4, 5]
    for step, losses in {**first, **second}.items():
        for name, value in losses.items():
            assert value == pytest.approx(whole[step][name], rel=1e-3), step


def test_a_finished_run_is_left_as_it_is(tmp_path):
    train(tmp_path, 1)
    losses, state = train(tmp_path, 1)
    assert losses == {} and int(state.step) == 1


def test_looking_at_the_generator_changes_nothing_in_it(tmp_path):
    folder = RunFolder(str(tmp_path / "run"))
    run = Config(data=Data(image_size=64), networks=Networks(base_filters=2),
                 reporting=Reporting(workdir=folder.path))
    folder.claim(run)
    state = TrainState.create(run, precision="float32")
    summaries = Summaries(folder.path)
    train_source, eval_source = sources()
    reporter = Reporter(
        config=run, state=state, eval_source=eval_source, folder=folder,
        summaries=summaries, rejected=pipeline.RejectedExamples())
    before = [variable.numpy() for variable in state.generator.variables]
    one = reporter.evaluate().means()
    reporter.draw_samples()
    reporter.draw_training(train_source)
    assert reporter.measure(eval_source).means() == pytest.approx(one)
    summaries.close()
    for old, variable in zip(before, state.generator.variables):
        np.testing.assert_array_equal(old, variable.numpy())
