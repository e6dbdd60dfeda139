"""Photographs without color: recognized, named before training, left out."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import color, colorless, first_look, pipeline, split
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import open_source

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (300, 400, 1)).repeat(3, axis=-1)
NOISE = RNG.normal(0, 3, GRAY.shape)
SPOT = GRAY.copy()
SPOT[100:120, 200:220] = (200, 60, 40)
FOG = np.full((90, 120, 3), (200, 202, 206))


def has_color(rgb):
    return bool(colorless.has_color(
        tf.constant(np.clip(rgb, 0, 255).astype(np.uint8))))


@pytest.mark.parametrize("rgb, expected", [
    (GRAY, False), (GRAY + NOISE, False), (GRAY[:5, :4], False),
    (SPOT, True), (FOG, True), (FOG[:1, :1], True),
    (np.full((2000, 30, 3), 128), False),
    (np.concatenate([SPOT, GRAY[..., :1]], -1), True),
    (np.concatenate([GRAY, GRAY[..., :1] // 2], -1), False),
], ids=["gray", "noise", "small", "spot", "fog", "pixel", "tall", "spot4",
        "gray4"])
def test_noise_is_no_color_and_a_small_thing_or_a_tint_is(rgb, expected):
    assert has_color(rgb) == expected


def test_every_embedded_photograph_has_color():
    source = open_source("sample_photos", flag="--data")
    assert all(bool(colorless.has_color(photo)) for photo in
               tf.data.Dataset.range(len(source)).map(source.load, 2))


def save(folder, name, rgb, **options):
    folder.mkdir(exist_ok=True)
    Image.fromarray(rgb.astype(np.uint8)).save(folder / name, **options)


def fill(folder, *, gray, colored):
    """Writes gray JPEGs in every form, and colored ones."""
    for number in range(gray):
        if number % 2:
            save(folder, f"gray{number}.jpg", GRAY[:60, :80, 0])
        else:
            save(folder, f"gray{number}.jpg", GRAY[:60, :80], quality=80)
    for number in range(colored):
        save(folder, f"some{number}.png", FOG + [20 * number % 40, 0, 0])


def open_train(folder):
    return split.open_train_and_eval(
        data=f"folder:{folder}", eval_data="sample_photos", eval_fraction=0,
        train_examples=0, eval_examples=0)[0]


def test_gray_photographs_are_named_counted_and_never_trained_on(tmp_path):
    fill(tmp_path, gray=7, colored=3)
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    source, rejected = open_train(tmp_path), RejectedExamples(0.01)
    assert first_look.FirstLook(source, "training", rejected).finish() == (
        "7 of the 11 photographs left out of training: gray0.jpg, gray1.jpg, "
        "gray2.jpg, gray3.jpg, gray4.jpg, ...")
    # One unreadable photograph is allowed; gray ones are not counted as such.
    assert len(rejected) == 8
    batches = rejected.watch_training(
        lambda first: pipeline.training_batches(
            source, part=pipeline.WorkerShard(1), color_space=color.LAB,
            image_size=32, resize_size=32, seed=0, first_ordinal=first,
            num_ordinals=22), source, seed=0, first_ordinal=0)
    for _ in range(2):  # two epochs
        assert sorted(
            source.identities[int(pipeline.example_index(
                next(batches).ordinal[0], num_examples=11, seed=0))]
            for _ in range(3)) == ["some0.png", "some1.png", "some2.png"]


def test_nothing_is_said_where_all_have_color(tmp_path):
    fill(tmp_path, gray=0, colored=3)
    rejected = RejectedExamples()
    assert first_look.FirstLook(
        open_train(tmp_path), "training", rejected).finish() == ""
    assert not rejected.reasons


def test_a_folder_of_nothing_else_is_refused(tmp_path):
    fill(tmp_path, gray=2, colored=0)
    with pytest.raises(UserError) as caught:
        first_look.FirstLook(
            open_train(tmp_path), "training", RejectedExamples())
    assert str(caught.value) == (
        f"--data=folder:{tmp_path}: none of the 2 photographs for training has "
        f"any color: gray0.jpg, gray1.jpg")


def test_of_many_photographs_some_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(first_look, "MAX_EXAMPLES", 4)
    fill(tmp_path, gray=6, colored=6)
    look = first_look.FirstLook(
        open_train(tmp_path), "training", RejectedExamples())
    assert look.finish() == (
        "2 of the 4 photographs looked at (there are 12) left out of training: "
        "gray0.jpg, gray3.jpg")
