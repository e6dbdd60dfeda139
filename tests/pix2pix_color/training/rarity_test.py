"""Weights of colors, against equation 4 written out anew."""

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color
from data_pipelines.sources import Source
from pix2pix_color import losses
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.training import rarity, train_step
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

SIDE = rarity.NUM_BINS


def place(a, b):
    return (a // 10 + 11) * SIDE + b // 10 + 11


def counts_of(**pixels):
    counts = np.zeros(SIDE**2, np.int64)
    for name, number in pixels.items():
        counts[{"gray": place(0, 0), "red": place(70, 50),
                "blue": place(30, -80)}[name]] = number
    return counts


@pytest.mark.parametrize("ab, expected", [
    ((0.0, 0.0), place(0, 0)), ((4.9, -4.9), place(0, 0)),
    ((5.1, -5.1), place(10, -10)), ((98.2, 94.5), place(100, 90)),
    ((-86.2, -107.9), place(-90, -110))])
def test_bins_are_10_wide_around_gray(ab, expected):
    target = tf.constant(ab, tf.float32) / color.AB_SCALE
    assert int(rarity.bin_of(target)) == expected


def test_weights_are_those_of_equation_4():
    counts = counts_of(gray=900, red=90, blue=10)
    weights = rarity.color_weights(counts, rarity_weight=0.5)
    # A bin gives its neighbors exp(-(10 / 5)^2 / 2) of what it keeps.
    gives = [math.exp(-(10 * steps)**2 / 50) for steps in range(3)]
    total, shares = 0.0, {}
    reached = rarity._bins_in_gamut()
    for a, b, number in ((0, 0, 900), (70, 50, 90), (30, -80, 10)):
        shares[place(a, b)] = number
        total += sum(
            number * gives[abs(da)] * gives[abs(db)]
            for da in range(-2, 3) for db in range(-2, 3)
            if reached[place(a + 10 * da, b + 10 * db)])
    inverse = {bin_: 1 / (0.5 * number / total + 0.5 / reached.sum())
               for bin_, number in shares.items()}
    mean = sum(inverse[bin_] * number / 1000
               for bin_, number in shares.items())
    for bin_, expected in inverse.items():
        assert weights[bin_] == pytest.approx(expected / mean, rel=1e-4)
    assert weights[place(30, -80)] > weights[place(70, 50)] > 1 > (
        weights[place(0, 0)])


def test_the_mean_weight_of_a_pixel_is_1():
    counts = counts_of(gray=900, red=90, blue=10)
    for rarity_weight in (0.1, 0.5, 0.99):
        weights = rarity.color_weights(counts, rarity_weight=rarity_weight)
        assert weights @ counts / counts.sum() == pytest.approx(1, rel=1e-5)


def test_without_rarity_all_weights_are_1():
    weights = rarity.color_weights(counts_of(gray=900, red=90),
                                   rarity_weight=0.0)
    np.testing.assert_allclose(weights, 1.0, rtol=1e-6)


def test_srgb_reaches_about_as_many_bins_as_the_paper_found():
    # 313 by Zhang et al., of another grid of the same width.
    assert 250 < rarity._bins_in_gamut().sum() < 340


def test_a_color_that_was_seen_counts_though_srgb_does_not_reach_its_bin():
    beyond = place(-110, -110)
    assert not rarity._bins_in_gamut()[beyond]
    counts = counts_of(gray=500)
    counts[beyond] = 500
    weights = rarity.color_weights(counts, rarity_weight=0.5)
    assert weights[beyond] == pytest.approx(weights[place(0, 0)])


def test_pixels_are_counted_of_a_sample_spread_evenly(monkeypatch):
    monkeypatch.setattr(rarity, "MAX_COUNTED", 3)

    def load(index):
        red = tf.constant([255, 0, 0], tf.uint8)
        gray = tf.constant([90, 90, 90], tf.uint8)
        return tf.broadcast_to(tf.where(index == 3, red, gray), [40, 40, 3])

    source = Source(origin="--data=flat", load=load,
                    identities=list("abcdefg"))  # a, d and g are counted
    counts = rarity.count_colors(source, image_size=32)
    assert {int(bin_): int(counts[bin_]) for bin_ in np.flatnonzero(counts)
            } == {place(0, 0): 2 * 32**2, place(80, 70): 32**2}


def test_l1_counts_each_pixel_by_its_weight():
    real, fake = tf.zeros([1, 1, 2, 2]), tf.constant([[[[1.0, 3.0],
                                                        [0.5, 0.5]]]])
    weights = tf.constant([[[[0.5], [4.0]]]])
    assert float(losses.l1_loss(real, fake, weights=weights)) == (
        (0.5 + 1.5 + 2 + 2) / 4)


def config(rarity_weight):
    return Config(data=Data(image_size=32),
                  networks=Networks(base_filters=2, dropout=0.0),
                  training=Training(rarity_weight=rarity_weight))


def test_the_update_weighs_by_what_its_checkpoint_kept(tmp_path):
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3))
    condition, target = tf.split(tf.constant(noise, tf.float32), [1, 2], -1)
    state = TrainState.create(config(0.5), precision="float32")
    weights = np.random.default_rng(1).uniform(0, 2, SIDE**2).astype("f4")
    assert state.color_weights is not None
    state.color_weights.assign(weights)
    Checkpoints(state, config=config(0.5), directory=str(tmp_path)).save(
        Journal())
    restored = TrainState.create(config(0.5), precision="float32")
    Checkpoints(restored, config=config(0.5),
                directory=str(tmp_path)).restore_latest()
    assert any(variable is restored.color_weights
               for variable in restored.variables_of_all())
    fake = restored.generator(condition, training=True)
    result: Any = train_step.make_train_step(restored)(condition, target)
    a, b = np.moveaxis(np.round(target.numpy() * 11).astype(int) + 11, -1, 0)
    expected = 100 * np.mean(weights[a * SIDE + b][..., np.newaxis]
                             * np.abs(target - fake))
    np.testing.assert_allclose(result.generator_l1, expected, rtol=1e-4)
    assert TrainState.create(config(0.0),
                             precision="float32").color_weights is None
