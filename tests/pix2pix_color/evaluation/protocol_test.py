"""The evaluation protocol, on the held-out eight of the sample photographs."""

import base64
import io
import os
import re

import numpy as np
import pytest
import skimage.color
import tensorflow as tf
from PIL import Image

from data_pipelines import color, errors, pipeline, sources
from data_pipelines.rejected import RejectedExamples
from pix2pix_color.evaluation import fid, judge, page, protocol

IMAGE_SIZE = 32


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


def evaluate(predict, source, *, batch_size=8, rejected=None, **options):
    if rejected is None:
        rejected = RejectedExamples()
    return protocol.evaluate(
        answer_of(predict), source, image_size=IMAGE_SIZE,
        batch_size=batch_size, rejected=rejected, **options)


def answer_of(predict):
    return protocol.answer_of(predict, color_space=color.LAB)


def predict_nothing(condition):
    return tf.zeros([*condition.shape[:3], 2])


def predict_tint(condition):
    """A color that depends on the pixel's lightness, never gray."""
    return tf.concat([0.1 + 0.2 * tf.sin(4 * condition),
                      0.3 * tf.cos(3 * condition)], axis=-1)


@pytest.fixture(scope="module")
def of_nothing(held_out):
    return evaluate(predict_nothing, held_out)


@pytest.fixture(scope="module")
def of_tint(held_out):
    return evaluate(predict_tint, held_out)


def test_there_is_a_number_for_each_metric_and_photograph(of_tint):
    assert len(of_tint) == 8
    for values in (of_tint.generated, of_tint.gray):
        assert set(values) == {
            "ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness",
            "field_colorfulness"}
        for numbers in values.values():
            assert numbers.shape == (8,)
            assert numbers.dtype == np.float32
    assert of_tint.real["colorfulness"].shape == (8,)


def test_the_true_colors_are_nearly_perfect(held_out, photographs):
    _, true_target = color.LAB.encode(photographs)
    result = evaluate(lambda condition: true_target, held_out)
    # What is left is the rounding to 8 bits.
    assert result.generated["ab_l1"].max() < 1.0
    assert result.generated["delta_e"].max() < 1.0
    assert result.generated["psnr_db"].min() > 48.0
    assert result.generated["ssim"].min() > 0.995
    assert result.means()["colorfulness_gap"] < 0.5
    np.testing.assert_allclose(
        result.generated["colorfulness"], result.real["colorfulness"], atol=1.0)


def test_predicting_no_color_gives_the_gray_image_s_numbers(of_nothing):
    for name, atol in (("ab_l1", 0.1), ("psnr_db", 0.1), ("ssim", 0.01),
                       ("delta_e", 0.1), ("colorfulness", 1.0)):
        np.testing.assert_allclose(
            of_nothing.generated[name], of_nothing.gray[name], rtol=0,
            atol=atol, err_msg=name)


def test_the_gray_image_misses_all_of_the_photograph_s_color(
        of_tint, photographs):
    ab = skimage.color.rgb2lab(photographs.numpy())[..., 1:]
    np.testing.assert_allclose(
        of_tint.gray["ab_l1"], np.abs(ab).mean(axis=(1, 2, 3)), atol=0.02)
    np.testing.assert_array_equal(of_tint.gray["colorfulness"], np.zeros(8))


def test_generated_colors_are_measured_against_the_photograph_s(
        of_tint, photographs):
    lightness = skimage.color.rgb2lab(photographs.numpy())[..., :1] / 50 - 1
    lab = np.concatenate([50 * (lightness + 1),
                          110 * (0.1 + 0.2 * np.sin(4 * lightness)),
                          110 * 0.3 * np.cos(3 * lightness)], axis=-1)
    rgb = color.lab_to_rgb(tf.constant(lab, tf.float32)).numpy()
    difference = skimage.color.deltaE_ciede2000(
        skimage.color.rgb2lab(photographs.numpy()),
        skimage.color.rgb2lab(rgb))
    np.testing.assert_allclose(
        of_tint.generated["delta_e"], difference.mean(axis=(1, 2)), atol=0.02)


def test_real_colorfulness_is_the_photographs(of_tint, photographs):
    red, green, blue = np.moveaxis(photographs.numpy().astype(float), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    axes = (1, 2)
    expected = (np.sqrt(rg.var(axes) + yb.var(axes))
                + 0.3 * np.sqrt(rg.mean(axes)**2 + yb.mean(axes)**2))
    np.testing.assert_allclose(of_tint.real["colorfulness"], expected,
                               rtol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_no_number_depends_on_the_batch_size(batch_size, held_out, of_tint):
    result = evaluate(predict_tint, held_out, batch_size=batch_size)
    for name in protocol.METRICS:
        for values, expected in ((result.generated, of_tint.generated),
                                 (result.gray, of_tint.gray)):
            np.testing.assert_allclose(
                values[name], expected[name], rtol=0, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(
        result.real["colorfulness"], of_tint.real["colorfulness"], rtol=0,
        atol=1e-4)


def test_the_generator_is_given_scaled_lightness(held_out, photographs):
    given = []

    def predict(condition):
        given.append(condition)
        return predict_nothing(condition)

    evaluate(predict, held_out, batch_size=5)
    assert [tuple(condition.shape) for condition in given] == [
        (5, 32, 32, 1), (3, 32, 32, 1)]
    lightness = skimage.color.rgb2lab(photographs.numpy())[..., :1]
    np.testing.assert_allclose(
        tf.concat(given, axis=0), lightness / 50 - 1, rtol=0, atol=1e-4)


def handmade():
    """An Evaluation of two images with numbers that are easy to average."""
    def array(values):
        return np.array(values, np.float32)

    return protocol.Evaluation(
        generated={"ab_l1": array([8, 10]),
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


def test_means_are_over_the_images():
    assert handmade().means() == {
        "ab_l1": 9.0, "psnr_db": 22.25, "ssim": 0.8125, "delta_e": 11.5,
        "colorfulness": 25.0, "field_colorfulness": 23.0,
        "colorfulness_gap": 3.0, "field_colorfulness_gap": 1.0}


def test_the_colorfulness_gap_is_between_the_means_of_the_images():
    # Not the mean of the gaps, 26 and 20; and never negative.
    assert handmade().means()["colorfulness_gap"] == abs(25 - 28)
    assert handmade().gray_means()["colorfulness_gap"] == 28.0


def test_gray_means_are_of_the_gray_images():
    assert handmade().gray_means() == {
        "ab_l1": 13.5, "psnr_db": 24.125, "ssim": 0.625, "delta_e": 16.0,
        "colorfulness": 0.0, "field_colorfulness": 0.0,
        "colorfulness_gap": 28.0, "field_colorfulness_gap": 24.0}


def test_the_comparison_table_has_every_number_under_its_name():
    table = protocol.comparison_table(
        {"unet at 256 px": handmade(), "other": handmade()})
    head, *rows = table.splitlines()
    assert head.split() == [
        "ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness",
        "field_colorfulness", "colorfulness_gap", "field_colorfulness_gap"]
    colorized = "9.00 22.25 0.81 11.50 25.00 23.00 3.00 1.00".split()
    gray = "13.50 24.12 0.62 16.00 0.00 0.00 28.00 24.00".split()
    assert [row.rsplit(maxsplit=8) for row in rows] == [
        ["unet at 256 px, colorized", *colorized],
        ["unet at 256 px, gray image", *gray],
        ["other, colorized", *colorized],
        ["other, gray image", *gray],
    ]
    assert {len(row) for row in rows} == {len(head)}


def write_photographs(directory, *, seeds):
    directory.mkdir()
    for seed in seeds:
        rgb = np.random.default_rng(seed).integers(
            0, 256, (40, 36, 3), np.uint8)
        (directory / f"{seed}.png").write_bytes(
            tf.io.encode_png(rgb).numpy())
    return directory


def open_folder(directory):
    return sources.open_source(f"folder:{directory}", flag="--eval_data")


@pytest.mark.parametrize("damaged, batch_size", [("1.png", 2), ("3.png", 3)],
                         ids=["in_the_middle", "at_the_end"])
def test_an_unreadable_file_is_noted_and_left_out(
        damaged, batch_size, tmp_path):
    whole = write_photographs(tmp_path / "whole", seeds=range(4))
    os.remove(whole / damaged)
    broken = write_photographs(tmp_path / "broken", seeds=range(4))
    image_bytes = (broken / damaged).read_bytes()
    (broken / damaged).write_bytes(image_bytes[:len(image_bytes) // 2])

    rejected = RejectedExamples()
    result = evaluate(predict_tint, open_folder(broken),
                      batch_size=batch_size, rejected=rejected)
    expected = evaluate(predict_tint, open_folder(whole))

    name, = rejected.reasons
    assert name.endswith(f": {damaged}")
    assert rejected.reasons[name]
    assert len(result) == 3
    assert result.means() == pytest.approx(expected.means(), abs=1e-4)
    assert result.gray_means() == pytest.approx(
        expected.gray_means(), abs=1e-4)


def test_readable_files_are_not_noted(held_out):
    rejected = RejectedExamples()
    evaluate(predict_nothing, held_out, rejected=rejected)
    assert not rejected.reasons


def test_a_folder_of_unreadable_files_is_an_error(tmp_path):
    (tmp_path / "only.png").write_bytes(b"no image")
    with pytest.raises(errors.UserError, match="none of its 1 photograph"):
        evaluate(predict_nothing, open_folder(tmp_path))


def random_rgb():
    return np.random.default_rng(15).integers(
        0, 256, (2, 64, 64, 3), np.uint8)


def test_given_gray_has_one_value_for_all_channels():
    gray = color.given_gray(random_rgb())
    assert gray.dtype == tf.uint8
    assert tuple(gray.shape) == (2, 64, 64, 3)
    np.testing.assert_array_equal(gray[..., 0], gray[..., 1])
    np.testing.assert_array_equal(gray[..., 2], gray[..., 1])
    assert len(np.unique(gray)) > 200


def test_given_gray_keeps_lightness_to_an_8_bit_step():
    rgb = random_rgb()
    gray = color.given_gray(rgb).numpy()
    difference = (skimage.color.rgb2lab(gray)
                  - skimage.color.rgb2lab(rgb))[..., 0]
    assert np.abs(difference).max() < 0.6


def test_given_gray_leaves_gray_as_it_is():
    gray = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    np.testing.assert_array_equal(color.given_gray(gray), gray)


def test_intervals_are_those_of_the_percentile_bootstrap():
    rng = np.random.default_rng(3)
    values = rng.normal(10, 2, 80).astype(np.float32)
    result = protocol.Evaluation(
        generated={name: values for name in protocol.METRICS},
        gray={name: values + 5 for name in protocol.METRICS},
        real={name: values + 1 for name in protocol.COLORFULNESS})
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
    # A photograph's generated and real colorfulness are drawn together.
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


def test_photographs_are_known_by_their_places(of_tint):
    np.testing.assert_array_equal(of_tint.indices, np.arange(8))


def test_fid_is_computed_from_what_features_see(held_out, photographs):
    def features(rgb):
        return tf.reduce_mean(tf.cast(rgb, tf.float32), axis=[1, 2])

    result = evaluate(predict_tint, held_out, batch_size=3, features=features)
    gray = features(color.given_gray(photographs)).numpy()
    assert result.gray_means()["fid"] == pytest.approx(
        fid.distance(features(photographs).numpy(), gray), rel=1e-4)
    assert result.means()["fid"] != result.gray_means()["fid"]
    assert "fid" not in handmade().means()
    with pytest.raises(errors.UserError,
                       match="one photograph, and fid needs two"):
        evaluate(predict_tint, held_out.select([0]), features=features)


def test_the_page_of_two_photographs_shows_both_each_time(held_out):
    source = held_out.select([1, 4])
    drawn = page.draw(
        evaluate(predict_tint, source), source=source,
        answer=answer_of(predict_tint), image_size=IMAGE_SIZE, title="two")
    shown = re.findall(r"<figcaption>(\S+): ", drawn)
    assert len(shown) == 6
    assert all(set(shown[place:place + 2]) == set(source.identities)
               for place in (0, 2, 4))


def test_the_page_shows_best_median_and_worst(held_out, of_tint, monkeypatch):
    assert page._NUM_EACH == 16
    monkeypatch.setattr(page, "_NUM_EACH", 4)
    drawn = page.draw(
        of_tint, source=held_out, answer=answer_of(predict_tint),
        image_size=IMAGE_SIZE, title="tint & more")
    shown = re.findall(r"<figcaption>(\S+): ab_l1 ([\d.]+)", drawn)
    order = np.argsort(of_tint.generated["delta_e"])
    expected = [*order[:4], *order[2:6], *order[::-1][:4]]
    assert [name for name, _ in shown] == [
        held_out.identities[index] for index in expected]
    assert [float(number) for _, number in shown] == pytest.approx(
        of_tint.generated["ab_l1"][expected].tolist(), abs=0.006)
    assert "tint &amp; more" in drawn
    pictures = re.findall(r"base64,([\w+/=]+)", drawn)
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0]))))
    assert strip.shape == (IMAGE_SIZE, 3 * IMAGE_SIZE, 3)
    gray, generated, _ = np.split(strip.astype(int), 3, axis=1)
    # JPEGs, which are right to a few levels.
    assert np.ptp(gray, axis=-1).max() < 8
    assert np.ptp(generated, axis=-1).mean() > 16


def test_degraded_photographs_are_shown_and_the_clean_ones_colored(
        held_out, photographs):
    """The prediction sees other lightness; error and lightness are clean."""
    shown = []

    def predict(condition):
        shown.append(condition)
        return predict_nothing(condition)

    result = evaluate(predict, held_out, degraded=True)
    clean = evaluate(predict_nothing, held_out)
    np.testing.assert_allclose(result.generated["ab_l1"],
                               clean.generated["ab_l1"], atol=1e-4)
    lightness = color.LAB.encode(photographs)[0]
    assert np.abs(shown[0] - lightness).mean() > 0.05
    evaluate(predict, held_out.select([5, 2]), degraded=True)
    # Drawn from the photograph's name, not from its place.
    np.testing.assert_array_equal(shown[1][0], shown[0][5])
    np.testing.assert_array_equal(shown[1][1], shown[0][2])


def test_a_judge_adds_agreement_and_kl(held_out):
    result = evaluate(predict_tint, held_out, the_judge=judge.Judge("imagenet"))
    assert result.metrics[-2:] == ("agreement", "kl")
    for values in (result.generated, result.gray):
        assert set(values["agreement"]) <= {0.0, 1.0}
        assert (values["kl"] > 0).all()
    assert not np.array_equal(result.generated["kl"], result.gray["kl"])
    low, high = result.intervals()["kl"]
    assert low < result.means()["kl"] < high
    true = color.LAB.encode(evaluation_photographs(held_out))[1]
    perfect = evaluate(lambda condition: true, held_out,
                       the_judge=judge.Judge("imagenet"))
    assert perfect.means()["agreement"] > 0.85  # rounding to 8 bits
    assert perfect.means()["kl"] < 0.02 < result.means()["kl"]


def evaluation_photographs(source):
    [batch] = pipeline.evaluation_batches(
        source, image_size=IMAGE_SIZE, batch_size=8)
    return batch.photo
