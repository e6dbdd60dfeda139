"""The evaluation protocol, on the held-out eight of the sample photographs."""

import base64
import io
import re

import numpy as np
import pytest
import skimage.color
import tensorflow as tf
from PIL import Image

from data_pipelines import color, errors, pipeline, sources
from data_pipelines.rejected import RejectedExamples
from pix2pix_color.evaluation import fid, judge, page, protocol
from pix2pix_color.metrics import COLORFULNESS, COMPARISONS

IMAGE_SIZE = 32
NAMES = (*COMPARISONS, *COLORFULNESS)


@pytest.fixture(scope="module")
def held_out():
    source = sources.open_source("sample_photos", flag="--eval_data")
    return source.select([
        index for index, identity in enumerate(source.identities)
        if identity in source.held_out])


@pytest.fixture(scope="module")
def photographs(held_out):
    """The eight as the protocol shows them, uint8 [8, 32, 32, 3]."""
    [batch] = pipeline.evaluation_batches(
        held_out, image_size=IMAGE_SIZE, batch_size=8)
    return batch.photo


def evaluate(predict, source, *, rejected=None, **options):
    if rejected is None:
        rejected = RejectedExamples()
    return protocol.evaluate(
        answer_of(predict), source, image_size=IMAGE_SIZE, rejected=rejected,
        **options)


def answer_of(predict):
    return protocol.answer_of(predict, color_space=color.LAB)


def predict_nothing(condition):
    return tf.zeros([*condition.shape[:3], 2])


def predict_tint(condition):
    """A color that depends on the pixel's lightness, never gray."""
    return tf.concat([0.1 + 0.2 * tf.sin(4 * condition),
                      0.3 * tf.cos(3 * condition)], axis=-1)


@pytest.fixture(scope="module")
def of_tint(held_out):
    return evaluate(predict_tint, held_out)


def test_the_true_colors_are_nearly_perfect(held_out, photographs):
    _, true_target = color.LAB.encode(photographs)
    result = evaluate(lambda condition: true_target, held_out)
    # The rest is rounding to 8 bits.
    assert result.colorized["ab_l1"].max() < 1.0
    assert result.colorized["delta_e"].max() < 1.0
    assert result.colorized["psnr_db"].min() > 48.0
    assert result.colorized["ssim"].min() > 0.995
    assert result.means()["colorfulness_gap"] < 0.5
    np.testing.assert_allclose(
        result.colorized["colorfulness"], result.real["colorfulness"], atol=1.0)


def test_every_number_is_the_metric_of_the_picture(of_tint, photographs):
    """As metrics.py has it, which is tested by itself."""
    colorized = answer_of(predict_tint)(photographs, None)
    gray = color.given_gray(photographs)
    for values, rgb in ((of_tint.colorized, colorized), (of_tint.gray, gray)):
        for name in NAMES:
            expected = (COMPARISONS[name](photographs, rgb)
                        if name in COMPARISONS else COLORFULNESS[name](rgb))
            np.testing.assert_allclose(values[name], expected, rtol=1e-3,
                                       atol=1e-4, err_msg=name)
    for name, values in of_tint.real.items():
        np.testing.assert_allclose(
            values, COLORFULNESS[name](photographs), rtol=1e-4)
    np.testing.assert_array_equal(of_tint.gray["colorfulness"], np.zeros(8))


def test_predicted_colors_are_joined_with_the_clean_lightness(
        photographs):
    lightness = skimage.color.rgb2lab(photographs.numpy())[..., :1] / 50 - 1
    lab = np.concatenate([50 * (lightness + 1),
                          110 * (0.1 + 0.2 * np.sin(4 * lightness)),
                          110 * 0.3 * np.cos(3 * lightness)], axis=-1)
    expected = color.lab_to_rgb(tf.constant(lab, tf.float32)).numpy()
    colorized = answer_of(predict_tint)(photographs, None).numpy()
    assert np.abs(colorized.astype(int) - expected).max() <= 1


def test_only_degraded_photographs_give_rgb_another_lightness(photographs):
    """A generator of R, G and B answers whole; from a print only its color."""
    answer = protocol.answer_of(
        lambda condition: tf.tile([[[[0.5, -0.5, 0.0]]]],
                                  [*condition.shape[:3], 1]),
        color_space=color.RGB)
    whole = answer(photographs, None).numpy()
    assert np.ptp(whole, axis=(0, 1, 2)).max() == 0
    lightness = [skimage.color.rgb2lab(rgb)[..., 0]
                 for rgb in (answer(photographs, photographs), photographs)]
    assert np.abs(lightness[0] - lightness[1]).mean() < 0.5


def test_the_generator_is_given_scaled_lightness(held_out, photographs):
    given = []

    def predict(condition):
        given.append(condition)
        return predict_nothing(condition)

    evaluate(predict, held_out)
    lightness = skimage.color.rgb2lab(photographs.numpy())[..., :1]
    np.testing.assert_allclose(
        tf.concat(given, axis=0), lightness / 50 - 1, rtol=0, atol=1e-4)


def handmade():
    """An Evaluation of two images with numbers that are easy to average."""
    def array(values):
        return np.array(values, np.float32)

    return protocol.Evaluation(
        colorized={"ab_l1": array([8, 10]),
                   "psnr_db": array([20, 24.5]),
                   "ssim": array([0.75, 0.875]),
                   "delta_e": array([11, 12]),
                   "colorfulness": array([10, 40]),
                   "field_colorfulness": array([9, 37])},
        gray={"ab_l1": array([13, 14]),
              "psnr_db": array([21, 27.25]),
              "ssim": array([0.5, 0.75]),
              "delta_e": array([15, 17]),
              "colorfulness": array([0, 0]),
              "field_colorfulness": array([0, 0])},
        real={"colorfulness": array([36, 20]),
              "field_colorfulness": array([30, 18])})


def test_means_and_gaps_are_over_the_images():
    # The gap is that of the means, not the mean of the gaps 26 and 20.
    assert handmade().means() == {
        "ab_l1": 9.0, "psnr_db": 22.25, "ssim": 0.8125, "delta_e": 11.5,
        "colorfulness": 25.0, "field_colorfulness": 23.0,
        "colorfulness_gap": 3.0, "field_colorfulness_gap": 1.0}
    assert handmade().gray_means() == {
        "ab_l1": 13.5, "psnr_db": 24.125, "ssim": 0.625, "delta_e": 16.0,
        "colorfulness": 0.0, "field_colorfulness": 0.0,
        "colorfulness_gap": 28.0, "field_colorfulness_gap": 24.0}


def test_the_comparison_table_has_every_number_under_its_name():
    table = protocol.comparison_table(
        {"unet at 256 px": handmade(), "other": handmade()})
    head, *rows = table.splitlines()
    assert re.split("  +", head.strip()) == [
        "ab_l1", "PSNR, dB", "SSIM", "CIEDE2000", "colorfulness",
        "colorfulness (field)", "colorfulness gap", "colorfulness gap (field)"]
    colorized = "9.00 22.25 0.81 11.50 25.00 23.00 3.00 1.00".split()
    gray = "13.50 24.12 0.62 16.00 0.00 0.00 28.00 24.00".split()
    assert [row.rsplit(maxsplit=8) for row in rows] == [
        ["unet at 256 px, colorized", *colorized],
        ["unet at 256 px, gray image", *gray],
        ["other, colorized", *colorized],
        ["other, gray image", *gray],
    ]
    assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize("damaged", [1, 9], ids=["in_the_middle", "at_the_end"])
def test_an_unreadable_file_is_noted_and_left_out(damaged, tmp_path):
    """Of ten, so that there are two batches."""
    for seed in range(10):
        rgb = np.random.default_rng(seed).integers(
            0, 256, (40, 36, 3), np.uint8)
        (tmp_path / f"{seed}.png").write_bytes(tf.io.encode_png(rgb).numpy())
    whole = evaluate(predict_tint, open_folder(tmp_path))
    path = tmp_path / f"{damaged}.png"
    path.write_bytes(path.read_bytes()[:2000])
    rejected = RejectedExamples()
    result = evaluate(predict_tint, open_folder(tmp_path), rejected=rejected)

    name, = rejected.reasons
    assert name.endswith(f": {damaged}.png") and rejected.reasons[name]
    rest = np.delete(np.arange(10), damaged)
    np.testing.assert_array_equal(result.indices, rest)
    for values, expected in ((result.colorized, whole.colorized),
                             (result.gray, whole.gray),
                             (result.real, whole.real)):
        for metric, numbers in values.items():
            np.testing.assert_allclose(numbers, expected[metric][rest],
                                       rtol=1e-4)


def open_folder(directory):
    return sources.open_source(f"folder:{directory}", flag="--eval_data")


def test_a_folder_of_unreadable_files_is_an_error(tmp_path):
    (tmp_path / "only.png").write_bytes(b"no image")
    with pytest.raises(errors.UserError, match="none of its 1 photograph"):
        evaluate(predict_nothing, open_folder(tmp_path))


def test_intervals_are_those_of_the_percentile_bootstrap():
    rng = np.random.default_rng(3)
    values = rng.normal(10, 2, 80).astype(np.float32)
    result = protocol.Evaluation(
        colorized={name: values for name in NAMES},
        gray={name: values + 5 for name in NAMES},
        real={name: values + 1 for name in COLORFULNESS})
    low, high = result.intervals()["ab_l1"]
    # Drawn row by row, as the textbook has it.
    means = [rng.choice(values, len(values)).mean() for _ in range(4000)]
    np.testing.assert_allclose(
        [low, high], np.percentile(means, [2.5, 97.5]), atol=0.06)
    # 1.96 standard errors, for numbers that are nearly normal.
    assert (high - low) / 2 == pytest.approx(
        1.96 * values.std() / np.sqrt(80), rel=0.06)
    assert result.gray_intervals()["psnr_db"] == pytest.approx(
        (low + 5, high + 5), abs=1e-4)
    # A photograph's colorized and real colorfulness are drawn together.
    assert result.intervals()["colorfulness_gap"] == pytest.approx((1, 1))
    assert result.intervals() == result.intervals()


def test_resamples_are_as_many_however_many_photographs():
    means = protocol.resampled_means(np.full((15_000, 1), 3.0))
    assert means.shape == (2000, 1)
    np.testing.assert_allclose(means, 3.0)


def test_means_and_intervals_are_told_together():
    told = handmade().to_json()
    assert told["photographs"] == 2
    assert told["colorized"] == handmade().means()
    assert told["gray_image"] == handmade().gray_means()
    # Of two photographs, a quarter of the draws takes one twice.
    assert told["interval_95"]["colorized"]["ab_l1"] == (8.0, 10.0)


def test_fid_is_computed_from_what_features_see(held_out, photographs):
    def features(rgb):
        return tf.reduce_mean(tf.cast(rgb, tf.float32), axis=[1, 2])

    result = evaluate(predict_tint, held_out, features=features)
    gray = features(color.given_gray(photographs)).numpy()
    assert result.gray_means()["fid"] == pytest.approx(
        fid.distance(features(photographs).numpy(), gray), rel=1e-4)
    assert result.means()["fid"] != result.gray_means()["fid"]
    assert "fid" not in handmade().means()
    with pytest.raises(errors.UserError,
                       match="one photograph; fid needs at least two"):
        evaluate(predict_tint, held_out.select([0]), features=features)


@pytest.mark.parametrize("num_each, expected, headings", [
    (2, [0, 1, 3, 4, 7, 6], [f"{name} by CIEDE2000" for name in
                             ("Best", "Median", "Worst")]),
    # Three times as many are not more than there are.
    (3, range(8), ["All 8 photographs, the best first, by CIEDE2000"])])
def test_the_page_shows_best_median_and_worst_or_all_once(
        held_out, of_tint, num_each, expected, headings):
    drawn = page.draw_page(
        of_tint, source=held_out, answer=answer_of(predict_tint),
        image_size=IMAGE_SIZE, title="tint & more", num_each=num_each)
    order = np.argsort(of_tint.colorized["delta_e"])[[*expected]]
    shown = re.findall(
        r"<figcaption>(\S+):\s+ab_l1 ([\d.]+),\s+PSNR ([\d.]+) dB,", drawn)
    assert [name for name, *_ in shown] == [
        held_out.identities[index] for index in order]
    for place, metric in enumerate(("ab_l1", "psnr_db"), start=1):
        assert [float(numbers[place]) for numbers in shown] == pytest.approx(
            of_tint.colorized[metric][order].tolist(), abs=0.006)
    assert re.findall("<h2>(.*)</h2>", drawn) == headings
    assert "<h1>tint &amp; more</h1>" in drawn
    low, high = of_tint.intervals()["psnr_db"]
    gray_low, gray_high = of_tint.gray_intervals()["psnr_db"]
    assert [" ".join(cell.split()) for cell in re.findall(
        "<t[hd]>(.*?)</t", drawn[drawn.index("<th>PSNR"):], re.S)[:3]] == [
            "PSNR, dB ↑ <code>psnr_db</code>",
            f"{of_tint.means()['psnr_db']:.2f} ({low:.2f} to {high:.2f})",
            f"{of_tint.gray_means()['psnr_db']:.2f} "
            f"({gray_low:.2f} to {gray_high:.2f})"]
    pictures = re.findall(r"base64,([\w+/=]+)", drawn)
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0]))))
    assert strip.shape == (IMAGE_SIZE, 3 * IMAGE_SIZE, 3)
    gray, colorized, _ = np.split(strip.astype(int), 3, axis=1)
    # JPEGs, which are right to a few levels.
    assert np.ptp(gray, axis=-1).max() < 8
    assert np.ptp(colorized, axis=-1).mean() > 16


def test_degraded_photographs_are_shown_and_the_clean_ones_colored(
        held_out, photographs):
    """The prediction sees other lightness; error and lightness are clean."""
    shown = []

    def predict(condition):
        shown.append(condition)
        return predict_nothing(condition)

    result = evaluate(predict, held_out, degraded=True)
    clean = evaluate(predict_nothing, held_out)
    np.testing.assert_allclose(result.colorized["ab_l1"],
                               clean.colorized["ab_l1"], atol=1e-4)
    lightness = color.LAB.encode(photographs)[0]
    assert np.abs(shown[0] - lightness).mean() > 0.05
    evaluate(predict, held_out.select([5, 2]), degraded=True)
    # Drawn from the photograph's name, not from its place.
    np.testing.assert_array_equal(shown[1][0], shown[0][5])
    np.testing.assert_array_equal(shown[1][1], shown[0][2])


def test_a_judge_adds_agreement_and_kl(held_out, photographs):
    the_judge = judge.Judge("imagenet")
    result = evaluate(predict_tint, held_out, the_judge=the_judge)
    assert result.metrics[-2:] == ("agreement", "kl")
    for values in (result.colorized, result.gray):
        assert set(values["agreement"]) <= {0.0, 1.0}
        assert (values["kl"] > 0).all()
    assert not np.array_equal(result.colorized["kl"], result.gray["kl"])
    low, high = result.intervals()["kl"]
    assert low < result.means()["kl"] < high
    true = color.LAB.encode(photographs)[1]
    perfect = evaluate(lambda condition: true, held_out, the_judge=the_judge)
    assert perfect.means()["agreement"] > 0.85  # rounding to 8 bits
    assert perfect.means()["kl"] < 0.02 < result.means()["kl"]


def test_gray_colorized_and_real_stand_beside_each_other(photographs):
    """The colorizer sees other lightness than the photograph has."""
    shown = tf.concat([photographs, 255 - photographs[..., :1]], axis=-1)
    pictures = protocol.gray_colorized_real(
        answer_of(predict_tint), photographs, shown)
    np.testing.assert_array_equal(pictures.gray[..., 1], shown[..., 3])
    np.testing.assert_array_equal(pictures.real, photographs)
    lightness = [skimage.color.rgb2lab(rgb)[..., 0]
                 for rgb in (pictures.colorized, pictures.real)]
    assert np.abs(lightness[0] - lightness[1]).mean() < 0.5
    assert np.abs(pictures.colorized.astype(int) - pictures.real).mean() > 10
