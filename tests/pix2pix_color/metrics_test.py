"""The metrics against scikit-image, published pairs and hand computations."""

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import tensorflow as tf

from pix2pix_color import metric_names, metrics

# A selection of the test data of Sharma, Wu and Dalal 2005, Table 1 (with the
# pairs' numbers there): two CIELAB colors and their CIEDE2000 difference.
SHARMA_PAIRS = {
    1: ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
    4: ([50.0, -1.3802, -84.2814], [50.0, 0.0, -82.7485], 1.0),
    7: ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
    9: ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0009], 7.1792),
    10: ([50.0, 2.49, -0.001], [50.0, -2.49, 0.001], 7.1792),
    11: ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0011], 7.2195),
    13: ([50.0, -0.001, 2.49], [50.0, 0.0009, -2.49], 4.8045),
    14: ([50.0, -0.001, 2.49], [50.0, 0.001, -2.49], 4.8045),
    15: ([50.0, -0.001, 2.49], [50.0, 0.0011, -2.49], 4.7461),
    16: ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
    17: ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
    18: ([50.0, 2.5, 0.0], [61.0, -5.0, 29.0], 22.8977),
    19: ([50.0, 2.5, 0.0], [56.0, -27.0, -3.0], 31.9030),
    20: ([50.0, 2.5, 0.0], [58.0, 24.0, 15.0], 19.4535),
    25: ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
    28: ([35.0831, -44.1164, 3.7933], [35.0232, -40.0716, 1.5901], 1.8645),
    29: ([22.7233, 20.0904, -46.6940], [23.0331, 14.9730, -42.5619], 2.0373),
    31: ([90.8027, -2.0831, 1.4410], [91.1528, -1.6435, 0.0447], 1.4441),
    33: ([6.7747, -0.2908, -2.4247], [5.8714, -0.0985, -2.2286], 0.6377),
    34: ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
}


@pytest.fixture(scope="module")
def real_rgb():
    """Smooth color gradients with some noise, uint8 [3, 40, 48, 3]."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:40, :48] / 6.0
    phases = rng.uniform(0.0, 6.0, (3, 1, 1, 3))
    waves = np.sin((rows + columns)[..., np.newaxis] + phases)
    noise = rng.normal(0.0, 15.0, waves.shape)
    return np.clip(128 + 90 * waves + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def colorized_rgb(real_rgb):
    """The same with more and more of an error, image by image."""
    rng = np.random.default_rng(6)
    error = rng.normal(0.0, 1.0, real_rgb.shape)
    error *= np.array([4.0, 15.0, 50.0]).reshape(3, 1, 1, 1)
    return np.clip(real_rgb + error, 0, 255).astype(np.uint8)


def plain(*rgb):
    """One image of one color."""
    return np.full((1, 16, 16, 3), rgb, np.uint8)


def lab_pixels(lightness, a, b):
    return np.stack(np.broadcast_arrays(lightness, a, b), -1).astype(np.float32)


def random_lab(count, seed):
    rng = np.random.default_rng(seed)
    return lab_pixels(rng.uniform(0.0, 100.0, count),
                      *rng.uniform(-100.0, 100.0, (2, count)))


def assert_ciede2000_is_skimages(lab_1, lab_2):
    reference = skimage.color.deltaE_ciede2000(
        lab_1.astype(np.float64), lab_2.astype(np.float64))
    assert reference.max() > 1.0
    for first, second in ((lab_1, lab_2), (lab_2, lab_1)):
        difference = metrics.ciede2000(first, second)
        assert difference.dtype == tf.float32
        np.testing.assert_allclose(difference, reference, rtol=0, atol=1e-3)


def assert_image_values(values, expected, *, atol):
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, expected, rtol=0, atol=atol)


def test_psnr_is_skimages(real_rgb, colorized_rgb):
    expected = [skimage.metrics.peak_signal_noise_ratio(
        real, colorized, data_range=255)
        for real, colorized in zip(real_rgb, colorized_rgb)]
    assert_image_values(metrics.psnr_db(real_rgb, colorized_rgb), expected,
                        atol=1e-3)


@pytest.mark.parametrize("rgb, expected", [
    ((1, 1, 1), 48.1308), ((10, 10, 10), 28.1308), ((255, 255, 255), 0.0),
    # A third of the squared error: 10 log10(3) more than in all channels.
    ((0, 10, 0), 28.1308 + 4.7712)])
def test_psnr_of_a_constant_offset(rgb, expected):
    assert_image_values(metrics.psnr_db(plain(0, 0, 0), plain(*rgb)),
                        [expected], atol=1e-3)


def test_ssim_is_skimages(real_rgb, colorized_rgb):
    # scikit-image too leaves out the border where the window does not fit:
    # it averages all but 5 pixels a side.
    expected = [skimage.metrics.structural_similarity(
        real, colorized, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=255, channel_axis=-1)
        for real, colorized in zip(real_rgb, colorized_rgb)]
    assert expected[0] > 0.95 > 0.6 > expected[2]
    assert_image_values(metrics.ssim(real_rgb, colorized_rgb), expected,
                        atol=1e-3)


def test_ab_l1_is_that_of_skimages_lab(real_rgb, colorized_rgb):
    difference = (skimage.color.rgb2lab(real_rgb)
                  - skimage.color.rgb2lab(colorized_rgb))[..., 1:]
    assert_image_values(metrics.ab_l1(real_rgb, colorized_rgb),
                        np.abs(difference).mean(axis=(1, 2, 3)), atol=1e-3)


@pytest.mark.parametrize("one, other, expected", [
    # Red has a*, b* = 80.092, 67.203 and blue 79.188, -107.860.
    ((255, 0, 0), (0, 0, 255), (0.904 + 175.063) / 2),
    # Lightness does not count.
    ((10, 10, 10), (240, 240, 240), 0.0)])
def test_ab_l1_of_two_known_colors(one, other, expected):
    assert_image_values(metrics.ab_l1(plain(*one), plain(*other)), [expected],
                        atol=0.02)


def test_delta_e_is_the_mean_of_skimages(real_rgb, colorized_rgb):
    difference = skimage.color.deltaE_ciede2000(
        skimage.color.rgb2lab(real_rgb), skimage.color.rgb2lab(colorized_rgb))
    assert_image_values(metrics.delta_e(real_rgb, colorized_rgb),
                        difference.mean(axis=(1, 2)), atol=1e-3)


@pytest.mark.parametrize("lab_1, lab_2, expected", SHARMA_PAIRS.values(),
                         ids=SHARMA_PAIRS.keys())
def test_ciede2000_of_published_pairs(lab_1, lab_2, expected):
    for first, second in ((lab_1, lab_2), (lab_2, lab_1)):
        difference = metrics.ciede2000(tf.constant(first), tf.constant(second))
        assert float(difference) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("other", [
    lambda lab: random_lab(5000, 17),
    lambda lab: (lab + np.random.default_rng(10).normal(
        0.0, 1.5, lab.shape)).astype(np.float32),
    lambda lab: lab * np.array([1, 0, 0], np.float32)],
    ids=["random", "similar", "gray"])
def test_ciede2000_is_skimages(other):
    lab = random_lab(5000, 16)
    assert_ciede2000_is_skimages(lab, other(lab))


def test_ciede2000_of_two_grays_is_their_weighted_lightness_difference():
    grays = lab_pixels(np.arange(0.0, 101.0, 5.0), 0.0, 0.0)
    assert_ciede2000_is_skimages(grays, grays[::-1])
    # L' mean 50 has weight 1.
    difference = metrics.ciede2000(lab_pixels(40.0, 0.0, 0.0),
                                   lab_pixels(60.0, 0.0, 0.0))
    assert float(difference) == pytest.approx(20.0, abs=1e-4)


@pytest.mark.parametrize("turn", [2.0, 30.0, 150.0, 179.0, 181.0, 270.0])
def test_ciede2000_goes_around_the_hue_circle_as_skimage(turn):
    hue = np.radians(np.arange(0.0, 360.0, 2.5))
    other = hue + np.radians(turn)
    assert_ciede2000_is_skimages(
        lab_pixels(60.0, 40 * np.cos(hue), 40 * np.sin(hue)),
        lab_pixels(55.0, 35 * np.cos(other), 35 * np.sin(other)))


def test_ciede2000_of_opposite_hues_takes_the_mean_within_0_to_360_degrees():
    # Hues 90 and 270 have the mean 180 (equation 14), where T = 0.978179 and
    # S_H = 1 + 0.015 x 50 x T = 1.733634; Delta H' is 2 x 50.
    yellow, blue = lab_pixels(50.0, 0.0, 50.0), lab_pixels(50.0, 0.0, -50.0)
    for first, second in ((yellow, blue), (blue, yellow)):
        difference = metrics.ciede2000(first, second)
        assert float(difference) == pytest.approx(100 / 1.733634, abs=1e-3)


def test_ciede2000_keeps_leading_dimensions():
    lab_1, lab_2 = random_lab(24, 12), random_lab(24, 13)
    flat = metrics.ciede2000(lab_1, lab_2)
    shaped = metrics.ciede2000(lab_1.reshape(2, 3, 4, 3),
                               lab_2.reshape(2, 3, 4, 3))
    np.testing.assert_array_equal(shaped, np.reshape(flat, [2, 3, 4]))


def test_colorfulness_is_hasler_and_suesstrunks(real_rgb):
    red, green, blue = np.moveaxis(real_rgb.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    axes = (1, 2)
    expected = (np.sqrt(rg.var(axes) + yb.var(axes))
                + 0.3 * np.sqrt(rg.mean(axes)**2 + yb.mean(axes)**2))
    assert_image_values(metrics.colorfulness(real_rgb), expected, atol=1e-3)


@pytest.mark.parametrize("left, right, expected", [
    # rg is +-255 and yb 127.5 everywhere: 255 + 0.3 x 127.5.
    ((255, 0, 0), (0, 255, 0), 293.25),
    # rg is 0 and yb -255 everywhere: 0.3 x 255.
    ((0, 0, 255), (0, 0, 255), 76.5), ((90, 90, 90), (7, 7, 7), 0.0)])
def test_colorfulness_of_known_halves(left, right, expected):
    rgb = np.concatenate([plain(*left), plain(*right)], axis=2)
    assert_image_values(metrics.colorfulness(rgb), [expected], atol=1e-3)


@pytest.mark.parametrize("metric, best, atol", [
    (metrics.psnr_db, 100.0, 0.0),
    (metrics.ssim, 1.0, 1e-6),
    (metrics.ab_l1, 0.0, 0.0),
    (metrics.delta_e, 0.0, 0.0),
])
def test_equal_images_are_the_best(metric, best, atol, real_rgb):
    assert_image_values(metric(real_rgb, real_rgb), [best] * 3, atol=atol)


@pytest.mark.parametrize("metric", [
    *metrics.COMPARISONS.values(),
    lambda _, colorized_rgb: metrics.colorfulness(colorized_rgb)],
    ids=[*metrics.COMPARISONS, "colorfulness"])
def test_each_image_is_measured_alone(metric, real_rgb, colorized_rgb):
    together = metric(real_rgb, colorized_rgb)
    assert tuple(together.shape) == (3,)
    assert len(np.unique(together)) == 3
    for index in range(3):
        [alone] = metric(real_rgb[index:index + 1],
                         colorized_rgb[index:index + 1])
        np.testing.assert_allclose(alone, together[index], rtol=1e-5)


def test_every_metric_has_a_name_and_training_goes_by_some():
    assert set(metric_names.METRICS) == {
        *metrics.COMPARISONS, *metrics.COLORFULNESS,
        *(f"{name}_gap" for name in metrics.COLORFULNESS),
        *metric_names.JUDGED, "fid"}
    for name in metric_names.GUIDING:
        assert metric_names.METRICS[name].higher_is_better is not None
    assert metric_names.METRICS["psnr_db"].label_with_arrow == "PSNR, dB ↑"
    assert metric_names.is_better(2.0, 1.0, metric="psnr_db")
    assert metric_names.is_better(1.0, 2.0, metric="ab_l1")
