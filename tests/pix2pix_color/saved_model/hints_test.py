"""A person's hints: what is asked for is what is seen, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import color
from data_pipelines.sources import sample_photos
from pix2pix_color.networks import encoder_unet
from pix2pix_color.saved_model import hints
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.saved_model.recolor import ChromaField
from pix2pix_color.saved_model.write import write_saved_model

PADDING = [np.nan] * 4


def settle(ab, given, gray=None):
    """Colors settled in a photograph of the same size; even gray by default."""
    if gray is None:
        gray = np.full(ab.shape[:2], 119)
    rgb = tf.constant(np.repeat(gray[..., np.newaxis], 3, -1), tf.uint8)
    lightness = color.scale_lightness(color.rgb_to_lab(rgb)[..., :1])
    slope, intercept = hints.settle(
        ChromaField(tf.zeros(ab.shape), tf.constant(ab, tf.float32)),
        lightness, tf.constant(given, tf.float32), rgb)
    return (slope * lightness + intercept).numpy()


def test_hints_are_met_even_if_they_are_neighbors():
    ab = np.full((100, 80, 2), 5.0)
    given = [[0.505, 0.506, 40, -10], [0.535, 0.506, -30, 20], PADDING,
             [0.1, 0.9, 0, 60]]
    settled = settle(ab, given)
    for y, x, *wanted in np.array(given)[[0, 1, 3]]:
        np.testing.assert_allclose(
            settled[int(y * 100), int(x * 80)], wanted, atol=0.5)
    # Nowhere are the colors stronger than those that were asked for.
    assert np.abs(settled).max() < 66


def test_hints_fade_with_distance_and_end_at_edges():
    ab, gray = np.zeros((100, 100, 2)), np.full((100, 100), 60)
    gray[:, 52:] = 200
    settled = settle(ab, [[0.505, 0.505, 40, 40]], gray)[..., 0]
    assert settled[50, 45] > 20
    assert abs(settled[50, 53]) < 0.1  # beyond the edge
    assert abs(settled[50, 10]) < 0.1  # far away


def test_hints_of_one_place_give_their_mean_and_none_change_nothing():
    ab = np.ones((20, 20, 2))
    settled = settle(ab, [[0.51, 0.51, 40, 0], [0.51, 0.51, 20, 0]])
    np.testing.assert_allclose(settled[10, 10], [30, 0], atol=0.5)
    for nothing in ([PADDING], np.zeros((0, 4))):
        np.testing.assert_array_equal(settle(ab, nothing), ab)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A loaded SavedModel of arbitrary weights."""
    generator = encoder_unet.build_encoder_unet(
        "lite0", image_size=64, condition_channels=1, target_channels=2,
        base_filters=8, dropout=0.0, hints=True)
    return LoadedModel(write_saved_model(
        generator, str(tmp_path_factory.mktemp("model"))))


@pytest.fixture(scope="module")
def photo():
    with Image.open(f"{sample_photos.DIRECTORY}/skimage_coffee.jpg") as image:
        gray = np.asarray(image.convert("L").resize((96, 80)))
    return np.repeat(gray[..., np.newaxis], 3, axis=-1)


def with_hints(model, rgb, given):
    return model.module.signatures["colorize_with_hints"](
        rgb=tf.constant(rgb[np.newaxis]),
        hints=tf.constant(np.array([given], np.float32)))["rgb"].numpy()[0]


def test_no_hints_give_the_bytes_of_colorize(model, photo):
    plain = model.module.signatures["colorize"](
        rgb=tf.constant(photo[np.newaxis]))["rgb"].numpy()[0]
    for given in ([PADDING], np.zeros((0, 4))):
        np.testing.assert_array_equal(with_hints(model, photo, given), plain)
    np.testing.assert_array_equal(model.colorize(photo), plain)


def test_a_hint_s_color_is_seen_at_its_place(model, photo):
    lightness = color.rgb_to_lab(tf.constant(photo)).numpy()[..., 0]
    # Where any moderate color is in the gamut.
    y, x = np.argwhere(abs(lightness - 55) < 2)[40]
    given = [[(y + 0.5) / 80, (x + 0.5) / 96, 25, -20], PADDING]
    shown = with_hints(model, photo, given)
    lab = color.rgb_to_lab(tf.constant(shown)).numpy()
    np.testing.assert_allclose(lab[y, x, 1:], [25, -20], atol=2)
    np.testing.assert_allclose(lab[..., 0], lightness, atol=1.5)
    field = model.predict_field(photo, hints=np.array(given, np.float32))
    np.testing.assert_array_equal(model.recolor(photo, field), shown)


def test_image_bytes_with_hints_give_the_same_picture(model, photo):
    given = [[0.5, 0.5, 30, 30]]
    answer = model.module.signatures["colorize_bytes_with_hints"](
        image_bytes=tf.io.encode_png(photo)[tf.newaxis],
        hints=tf.constant([given], tf.float32))["colorized_bytes"]
    np.testing.assert_array_equal(
        tf.io.decode_png(answer[0]), with_hints(model, photo, given))


def test_likely_colors_are_offered_for_each_point(model, photo):
    answer = model.module.signatures["likely_colors"](
        rgb=tf.constant(np.stack([photo, photo[::-1]])),
        points=tf.constant([[[0.1, 0.2], [0.999, 0.999]]] * 2))
    assert answer["ab"].shape == (2, 2, 8, 2)
    probabilities = answer["probabilities"].numpy()
    assert (np.diff(probabilities, axis=-1) <= 1e-6).all()
    assert (probabilities > 0).all() and (probabilities.sum(-1) <= 1).all()
    ab, of_first = model.likely_colors(photo, np.array([[0.1, 0.2]]))
    np.testing.assert_allclose(ab[0], answer["ab"][0, 0], atol=1e-3)
    np.testing.assert_allclose(of_first[0], probabilities[0, 0], atol=1e-5)


def test_the_card_says_whether_a_model_takes_hints(model):
    assert model.takes_hints
    assert model.card["takes_hints"] is True
    assert model.offers_likely_colors


def spread(ab, given, gray):
    """Predicted colors of a photograph, changed by spreading hints."""
    rgb = tf.constant(np.repeat(gray[..., np.newaxis], 3, -1), tf.uint8)
    lightness = color.scale_lightness(color.rgb_to_lab(rgb)[..., :1])
    slope, intercept = hints.spread(
        ChromaField(tf.zeros(ab.shape), tf.constant(ab, tf.float32)),
        lightness, tf.constant(given, tf.float32))
    return (slope * lightness + intercept).numpy()


def test_a_hint_spreads_over_what_is_alike_and_only_there():
    ab, gray = np.zeros((60, 90, 2)), np.full((60, 90), 110)
    ab[:, 30:60] = [60, 0]  # another predicted color
    gray[:30] = 250  # another lightness
    found = spread(ab, [[0.9, 0.1, -40, 30], PADDING], gray) - ab
    assert np.abs(found[54, 9] - [-40, 30]).max() < 3
    assert found[54, 80, 0] < -10  # far away, but alike
    assert np.abs(found[54, 45]).max() < 1  # another color
    assert np.abs(found[5, 9]).max() < 12  # another lightness
    np.testing.assert_allclose(spread(ab, [PADDING], gray), ab, atol=1e-5)


def test_a_second_hint_holds_the_first_back():
    ab, gray = np.zeros((60, 90, 2)), np.full((60, 90), 110)
    red, blue = [0.5, 0.1, 40, 0], [0.5, 0.9, 0, -40]
    alone, both = (spread(ab, given, gray)[30]
                   for given in ([red], [red, blue]))
    assert alone[80, 0] > 10 > abs(both[80, 0])
    assert both[80, 1] < -30 and both[9, 0] > 30
