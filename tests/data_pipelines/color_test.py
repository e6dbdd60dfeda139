"""sRGB <-> CIELAB <-> scaled tensors, against scikit-image and known colors."""

import warnings

import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from data_pipelines import color

EVERY_SPACE = pytest.mark.parametrize(
    "space", color.COLOR_SPACES.values(), ids=color.COLOR_SPACES.keys())

# sRGB -> L*, a*, b* as published for IEC 61966-2-1 and D65.
KNOWN_COLORS = {
    "white": ([255, 255, 255], [100.0, 0.0, 0.0]),
    "black": ([0, 0, 0], [0.0, 0.0, 0.0]),
    "mid_gray": ([128, 128, 128], [53.5850, 0.0, 0.0]),
    "red": ([255, 0, 0], [53.2406, 80.0942, 67.2015]),
    "green": ([0, 255, 0], [87.7351, -86.1813, 83.1775]),
    "blue": ([0, 0, 255], [32.3009, 79.1952, -107.8554]),
}
KNOWN_COLOR = pytest.mark.parametrize(
    "rgb, lab", KNOWN_COLORS.values(), ids=KNOWN_COLORS.keys())


def rgb_cube():
    """Every fifth value of each channel, both ends included, as a picture."""
    values = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(values, values, values, indexing="ij"), -1)
    return cube.reshape(52, 52 * 52, 3)


def one_pixel(rgb):
    return np.asarray([[rgb]], np.uint8)


def random_rgb(*shape, seed=0):
    return np.random.default_rng(seed).integers(
        0, 256, (*shape, 3), dtype=np.uint8)


def lab_beyond_the_gamut():
    """A grid of Lab colors of which sRGB can show none."""
    grid = np.stack(np.meshgrid(
        np.arange(4.0, 100.0, 4.0), np.arange(-110.0, 111.0, 20.0),
        np.arange(-110.0, 111.0, 20.0), indexing="ij"), -1)
    shown = skimage.color.rgb2lab(skimage_lab_to_rgb(grid))
    beyond = np.linalg.norm(shown - grid, axis=-1) > 2.0
    return grid[beyond][np.newaxis].astype(np.float32)


def skimage_lab_to_rgb(lab):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Conversion from CIE-LAB")
        return skimage.color.lab2rgb(lab)


def chroma(lab):
    return np.hypot(lab[..., 1], lab[..., 2])


def test_rgb_to_lab_agrees_with_skimage_over_the_cube():
    rgb = rgb_cube()
    lab = color.rgb_to_lab(rgb)
    assert lab.dtype == tf.float32
    np.testing.assert_allclose(
        lab, skimage.color.rgb2lab(rgb), rtol=0, atol=1e-3)


@KNOWN_COLOR
def test_known_colors_have_their_published_lab(rgb, lab):
    result = color.rgb_to_lab(one_pixel(rgb))[0, 0]
    np.testing.assert_allclose(result, lab, rtol=0, atol=0.012)


def test_rgb_to_lab_to_rgb_is_exact_over_the_cube_and_for_every_gray():
    gray = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 1, 3))
    for rgb in (rgb_cube(), gray):
        np.testing.assert_array_equal(
            color.lab_to_rgb(color.rgb_to_lab(rgb)), rgb)


def test_lab_to_rgb_agrees_with_skimage_inside_the_gamut():
    real_rgb = np.random.default_rng(1).random((100, 100, 3))
    lab = skimage.color.rgb2lab(real_rgb)
    rgb = color.lab_to_rgb(lab.astype(np.float32)).numpy()
    assert rgb.dtype == np.uint8
    difference = np.abs(rgb - np.round(skimage.color.lab2rgb(lab) * 255.0))
    # A value that lies within float32's error of .5 may round either way.
    assert difference.max() <= 1
    assert difference.mean() < 1e-3


def test_colors_beyond_the_gamut_keep_their_lightness():
    lab = lab_beyond_the_gamut()
    shown = skimage.color.rgb2lab(color.lab_to_rgb(lab).numpy())
    assert lab.shape[1] > 1000
    np.testing.assert_allclose(shown[..., 0], lab[..., 0], rtol=0, atol=0.6)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0], ids=[
    "all_beyond", "some_beyond", "all_within"])
def test_chroma_is_the_same_where_xla_looks_for_it_everywhere(scale):
    lab = lab_beyond_the_gamut() * np.array([1.0, scale, scale], np.float32)
    expected = color.lab_to_rgb(lab).numpy()
    np.testing.assert_array_equal(
        color.lab_to_rgb(lab, compiled=True), expected)
    compiled = tf.function(
        lambda lab: color.lab_to_rgb(lab, compiled=True), jit_compile=True)
    difference = np.abs(compiled(lab).numpy().astype(int) - expected)
    assert difference.max() <= 1 and difference.mean() < 1e-3


def test_colors_beyond_the_gamut_keep_their_hue():
    lab = lab_beyond_the_gamut()
    shown = skimage.color.rgb2lab(color.lab_to_rgb(lab).numpy())
    colored = chroma(shown) > 10.0
    assert colored.mean() > 0.5
    turned = np.angle(np.exp(1j * (
        np.arctan2(shown[..., 2], shown[..., 1])
        - np.arctan2(lab[..., 2], lab[..., 1]))))
    # Rounding to 8 bits moves a color sideways by about one unit at most.
    assert np.abs(turned * chroma(shown))[colored].max() < 1.0


def test_colors_beyond_the_gamut_lose_no_more_chroma_than_they_must():
    lab = lab_beyond_the_gamut()
    rgb = color.lab_to_rgb(lab).numpy()
    assert (chroma(skimage.color.rgb2lab(rgb)) < chroma(lab)).all()
    # On the border of the gamut a channel stands at one of its ends, or a few
    # levels from it: near black a thousandth of the light is three levels.
    margin = np.minimum(rgb.min(axis=-1), 255 - rgb.max(axis=-1))
    assert margin.max() <= 5
    assert (margin <= 1).mean() > 0.95


@pytest.mark.parametrize("lab, rgb", [
    ([-5.0, 0.0, 0.0], [0, 0, 0]),
    ([0.0, 60.0, -60.0], [0, 0, 0]),
    ([100.0, 60.0, -60.0], [255, 255, 255]),
    ([120.0, 20.0, 20.0], [255, 255, 255]),
    ([50.0, 0.0, 0.0], [119, 119, 119]),
])
def test_lightness_is_clipped_and_its_ends_have_no_color(lab, rgb):
    np.testing.assert_array_equal(
        color.lab_to_rgb(np.asarray([[lab]], np.float32))[0, 0], rgb)


def test_scale_lightness_brings_0_and_100_to_minus_1_and_1():
    np.testing.assert_array_equal(
        color.scale_lightness(tf.constant([0.0, 25.0, 50.0, 100.0])),
        [-1.0, -0.5, 0.0, 1.0])


@KNOWN_COLOR
def test_lab_encodes_lightness_by_50_and_ab_by_110(rgb, lab):
    condition, target = color.LAB.encode(one_pixel(rgb))
    np.testing.assert_allclose(
        condition[0, 0], [lab[0] / 50.0 - 1.0], rtol=0, atol=2e-4)
    np.testing.assert_allclose(
        target[0, 0], [lab[1] / 110.0, lab[2] / 110.0], rtol=0, atol=2e-4)


def test_lab_decode_takes_lightness_from_condition_and_color_from_target():
    gray = color.LAB.decode(tf.zeros([1, 1, 1]), tf.zeros([1, 1, 2]))
    np.testing.assert_array_equal(gray[0, 0], [119, 119, 119])
    red = color.LAB.decode(
        tf.constant([[[53.2406 / 50.0 - 1.0]]]),
        tf.constant([[[80.0942 / 110.0, 67.2015 / 110.0]]]))
    np.testing.assert_allclose(red[0, 0], [255, 0, 0], rtol=0, atol=1)


def test_lab_decode_keeps_lightness_whatever_the_network_predicts():
    condition, _ = color.LAB.encode(random_rgb(32, 32))
    target = tf.random.stateless_uniform([32, 32, 2], [0, 1], -1.0, 1.0)
    again, _ = color.LAB.encode(color.LAB.decode(condition, target))
    np.testing.assert_allclose(again, condition, rtol=0, atol=0.6 / 50.0)


def test_lab_of_all_of_srgb_needs_the_scale_of_110():
    _, target = color.LAB.encode(rgb_cube())
    assert 100.0 < np.abs(target).max() * 110.0 < 110.0


@EVERY_SPACE
@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7)])
def test_decode_gives_the_encoded_picture_back(space, shape):
    rgb = random_rgb(*shape)
    condition, target = space.encode(rgb)
    assert condition.shape == (*shape, space.condition_channels)
    assert target.shape == (*shape, space.target_channels)
    assert condition.dtype == target.dtype == tf.float32
    decoded = space.decode(condition, target)
    assert decoded.dtype == tf.uint8
    np.testing.assert_array_equal(decoded, rgb)


@EVERY_SPACE
def test_encode_stays_within_minus_1_and_1_and_uses_both_sides(space):
    for tensor in space.encode(rgb_cube()):
        assert -1.0 <= tensor.numpy().min() < -0.7
        assert 0.7 < tensor.numpy().max() <= 1.0


@EVERY_SPACE
def test_a_picture_is_encoded_the_same_alone_and_in_a_batch(space):
    rgb = random_rgb(3, 8, 8)
    for stacked, alone in zip(space.encode(rgb), space.encode(rgb[1])):
        np.testing.assert_allclose(stacked[1], alone, rtol=0, atol=1e-6)


@EVERY_SPACE
def test_encode_and_decode_are_the_same_in_dataset_map(space):
    rgb = random_rgb(2, 16, 16)
    dataset = tf.data.Dataset.from_tensors(rgb).map(space.encode)
    encoded = next(iter(dataset))
    for mapped, eager in zip(encoded, space.encode(rgb)):
        np.testing.assert_allclose(mapped, eager, rtol=0, atol=1e-6)
    target = tf.random.stateless_uniform(encoded[1].shape, [0, 2], -1.0, 1.0)
    dataset = tf.data.Dataset.from_tensors((encoded[0], target))
    mapped = next(iter(dataset.map(space.decode)))
    np.testing.assert_array_equal(mapped, space.decode(encoded[0], target))


@EVERY_SPACE
def test_a_given_gray_replaces_the_condition_and_leaves_the_target(space):
    rgb, gray = random_rgb(9, 7), random_rgb(9, 7, seed=1)[..., :1]
    condition, target = space.encode(np.concatenate([rgb, gray], axis=-1))
    np.testing.assert_allclose(
        condition, space.encode(np.repeat(gray, 3, axis=-1))[0], atol=1e-6)
    np.testing.assert_allclose(target, space.encode(rgb)[1], atol=1e-6)


@EVERY_SPACE
def test_ab_of_a_target_is_that_of_its_picture(space):
    rgb = rgb_cube()
    np.testing.assert_allclose(
        space.ab_of(space.encode(rgb)[1]),
        skimage.color.rgb2lab(rgb)[..., 1:] / 110.0, rtol=0, atol=1e-5)


def test_rgb_encodes_every_byte_by_127_and_a_half():
    gray = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 1, 3))
    for tensor in color.RGB.encode(gray):
        np.testing.assert_allclose(
            tensor[:, 0, 0], np.arange(256) / 127.5 - 1.0, rtol=0, atol=1e-6)


def test_rgb_decodes_the_target_alone_and_clips_it():
    target = tf.constant([[[-1.2, 0.0, 1.2]]])
    for condition in (-1.0, 1.0):
        np.testing.assert_array_equal(
            color.RGB.decode(tf.fill([1, 1, 1], condition), target),
            [[[0, 128, 255]]])


def test_the_condition_of_rgb_is_the_gray_of_the_same_lightness():
    rgb = rgb_cube()
    lab = skimage.color.rgb2lab(rgb) * [1.0, 0.0, 0.0]
    expected = np.round(skimage.color.lab2rgb(lab)[..., 1:2] * 255.0)
    gray = np.round((color.RGB.encode(rgb)[0] + 1.0) * 127.5)
    # A value that lies within float32's error of .5 may round either way.
    assert np.abs(gray - expected).max() <= 1
    assert (gray == expected).mean() > 0.999


@pytest.mark.parametrize("rgb, gray", [
    ([255, 0, 0], 127), ([0, 255, 0], 220), ([0, 0, 255], 76)])
def test_the_gray_of_a_primary_is_that_of_its_luminance(rgb, gray):
    """The sRGB curve of 0.2127, 0.7152 and 0.0722; the luma of blue is 29."""
    np.testing.assert_array_equal(
        color.given_gray(one_pixel(rgb))[0, 0], [gray] * 3)


@EVERY_SPACE
def test_floats_are_the_photograph_again(space):
    for rgb in (random_rgb(32, 32), np.repeat(np.arange(
            256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=-1)):
        floats = space.decode_floats(*space.encode(tf.constant(rgb)))
        assert floats.dtype == tf.float32
        np.testing.assert_allclose(floats, rgb, rtol=0, atol=0.02)


def test_floats_beyond_the_gamut_are_clipped_as_scikit_image_does():
    lab = lab_beyond_the_gamut()
    # scikit-image takes light below zero for none before it goes on.
    has_light = (lab[..., 0] + 16) / 116 - lab[..., 2] / 200 > 0.15
    lab = lab[:, has_light[0]]
    floats = color.LAB.decode_floats(
        tf.constant(lab[..., :1] / 50.0 - 1.0), tf.constant(lab[..., 1:] / 110))
    np.testing.assert_allclose(
        floats, 255.0 * skimage_lab_to_rgb(lab), rtol=0, atol=0.1)


@EVERY_SPACE
def test_compiled_floats_and_their_gradients_are_the_same(space):
    condition, target = space.encode(tf.constant(random_rgb(8, 8)))
    target = 3.0 * target  # much of it beyond the gamut
    results = []
    for decode in (space.decode_floats, color.compiled(space.decode_floats)):
        with tf.GradientTape() as tape:
            tape.watch(target)
            floats = decode(condition, target)
            loss = tf.reduce_mean(tf.square(floats))
        results.append((floats, tape.gradient(loss, target)))
    for plain, compiled in zip(*results):
        assert np.isfinite(compiled).all() and np.abs(compiled).max() > 0
        np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-3)
    assert color.compiled(space.encode) is color.compiled(space.encode)
