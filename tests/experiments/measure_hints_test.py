"""Hints of a measurement are the photograph's own colors."""

import shutil
import types
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import color
from data_pipelines.sources import sample_photos
from experiments import measure_hints
from pix2pix_color.saved_model.module import trace_recolor


def test_hints_are_mean_colors_of_squares_and_fewer_are_the_first_of_many():
    lab = np.random.default_rng(0).uniform(-50, 50, (128, 128, 3))
    many, few = (measure_hints.draw_hints(lab, number, rng) for number, rng in (
        (200, np.random.default_rng(1)), (200, np.random.default_rng(1))))
    np.testing.assert_array_equal(many, few)
    y, x = (many[:, :2] * 128).astype(int).T
    for place in range(200):
        np.testing.assert_allclose(
            many[place, 2:], lab[y[place] - 1:y[place] + 2,
                                 x[place] - 1:x[place] + 2, 1:].mean((0, 1)),
            rtol=1e-4)
    assert 56 < y.mean() < 72 and 24 < y.std() < 34


def test_the_floor_spreads_hints_to_what_is_near_and_alike():
    lab = np.full((128, 128, 3), 50.0, np.float32)
    lab[:, 64:, 0] = 90
    field = measure_hints.spread(
        lab, np.array([[0.5, 0.25, 40, -30]], np.float32))
    np.testing.assert_allclose(field.intercept[64, 32], [40, -30], rtol=0.1)
    assert np.abs(field.intercept[64, 70]).max() < 10
    assert np.abs(field.intercept[2, 126]).max() < 1


def test_a_model_that_follows_every_hint_gains_by_each(tmp_path):
    for name in ("skimage_coffee", "gcompris_bee", "lomiri_sunset"):
        shutil.copy(f"{sample_photos.DIRECTORY}/{name}.jpg", tmp_path)

    def follow_hints(_, hints, rgb):
        return measure_hints.spread(
            color.rgb_to_lab(tf.constant(rgb)).numpy(), hints)

    def likely_colors(rgb, points):
        ab = np.full((len(points), 8, 2), 500.0)
        ab[:, 3] = color.rgb_to_lab(tf.constant(rgb)).numpy()[
            (points[:, 0] * 128).astype(int), (points[:, 1] * 128).astype(int),
            1:] + 6.0
        return ab, np.zeros((len(points), 8))

    recolor = trace_recolor()
    model: Any = types.SimpleNamespace(
        predict_field=lambda rgb: None, follow_hints=follow_hints,
        offers_likely_colors=True, likely_colors=likely_colors,
        recolor=lambda rgb, field: recolor(
            tf.constant(rgb), *map(tf.constant, field)).numpy())
    measured = measure_hints.measure(model, data=f"folder:{tmp_path}")
    assert measured["photographs"] == 3
    psnr = list(measured["psnr_db"].values())
    assert psnr == sorted(psnr) and psnr[-1] > psnr[0] + 5
    assert measured["floor_db"] == measured["psnr_db"]
    assert measured["likely_share"] == 1.0
    assert 8 < measured["nearest_median"] < 9  # the length of (6, 6)
    assert measured["plain_median"] > measured["nearest_median"]
