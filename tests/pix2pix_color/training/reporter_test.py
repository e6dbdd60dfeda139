"""Curves, evaluations and sample grids of a training."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import augment, split
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import open_source
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.evaluation import sample_grid
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.summaries import Summaries, read_curves
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.train_state import TrainState

CONFIG = Config(data=Data(image_size=32), networks=Networks(base_filters=2),
                training=Training(ema_decay=0.9))


@pytest.fixture(scope="module")
def sources():
    """Six photographs to train on, two to evaluate on."""
    return split.open_train_and_eval(
        data="sample_photos", eval_data="", eval_fraction=0.1,
        train_examples=6, eval_examples=2)


@pytest.fixture
def state():
    return TrainState.create(CONFIG, precision="float32")


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(str(tmp_path / "run"))
    folder.claim(CONFIG)
    return folder


@pytest.fixture
def reporter(state, folder, sources):
    return Reporter(config=CONFIG, state=state, eval_source=sources[1],
                    folder=folder, summaries=Summaries(folder.path),
                    rejected=RejectedExamples())


def grid_of(path):
    """uint8 [3, N, 32, 32, 3]: gray, colorized, real."""
    grid = np.asarray(Image.open(path))[:, sample_grid.LABELS:]
    step = (len(grid) + sample_grid.GAP) // 3
    factor = (step - sample_grid.GAP) // 32
    return np.stack([[
        grid[row:row + 32 * factor:factor, left:left + 32 * factor:factor]
        for left in range(0, grid.shape[1], step)]
        for row in range(0, len(grid), step)])


def test_reports_leave_the_generator_as_it_is(reporter, state, sources):
    before = state.generator.get_weights()
    one = reporter.evaluate().means()
    reporter.write_samples()
    reporter.write_training_samples(sources[0])
    assert len(reporter.measure()) == 2
    assert reporter.measure(sources[1]).means() == pytest.approx(one)
    for old, new in zip(before, state.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("unreadable", [(), (8, 16)])
def test_samples_are_spread_over_all_photographs(reporter, unreadable):
    whole = open_source("sample_photos", flag="--data", tfds_data_dir="")

    def load(index):
        with tf.control_dependencies([tf.debugging.Assert(
                tf.reduce_all(index != tf.constant([-1, *unreadable],
                                                   tf.int64)), [index])]):
            return whole.load(tf.identity(index))

    _, _, real = grid_of(reporter.write_training_samples(
        dataclasses.replace(whole, load=load)))
    # Every eighth of 64; then the first ones, where some cannot be read.
    places = [place for place in (*range(0, 64, 8), 1, 2)
              if place not in unreadable][:8]
    for found, place in zip(real, places, strict=True):
        np.testing.assert_array_equal(found, augment.center_square(
            whole.load(tf.constant(place, tf.int64)), image_size=32))


def test_the_average_is_evaluated_and_sampled(reporter, state):
    def reports():
        reporter.write_samples()
        return reporter.measure().means(), grid_of(reporter.sample_path(0))[1]

    means, pictures = reports()
    for moved, differs in ((state.generator, False), (state.average, True)):
        for variable in moved.trainable_variables:
            variable.assign(variable + 0.05)
        other_means, other_pictures = reports()
        assert (other_means != pytest.approx(means)) == differs
        assert np.any(other_pictures != pictures) == differs


def test_each_learning_rate_has_its_own_curve(reporter, state, folder):
    state.set_learning_rates(generator=0.25, discriminator=0.5)
    reporter.write_losses({"generator": 3.0}, stage=1, images_per_second=2.0)
    reporter.flush()
    assert read_curves(f"{folder.path}/train") == {
        tag: {0: value} for tag, value in (
            ("loss/generator", 3.0), ("learning_rate/generator", 0.25),
            ("learning_rate/discriminator", 0.5), ("stage", 1.0),
            ("images_per_second", 2.0), ("rejected_photographs", 0.0))}
