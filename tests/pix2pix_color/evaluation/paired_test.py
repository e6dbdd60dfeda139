"""Two evaluations, photograph by photograph."""

import numpy as np
import pytest

from data_pipelines.errors import UserError
from pix2pix_color.evaluation import paired


def evaluation(ab_l1, psnr_db, gray=11.0, first=0):
    """Returns a CSV file as evaluate writes it."""
    lines = ["photograph,ab_l1,psnr_db,colorfulness,gray_ab_l1,gray_psnr_db,"
             "gray_colorfulness,real_colorfulness"]
    lines += [f"{number}.jpg,{error},{psnr},30,{gray},22,0,40"
              for number, (error, psnr) in enumerate(zip(ab_l1, psnr_db),
                                                     start=first)]
    return "\n".join(lines) + "\n"


def test_a_small_difference_is_seen_through_large_ones_of_photographs():
    rng = np.random.default_rng(0)
    base, noise = rng.uniform(2, 30, 50), rng.normal(0, 0.3, (2, 50))
    number, found = paired.compare(
        evaluation(base - 0.5 + noise[0], base + noise[0]),
        evaluation(base, base + noise[1]), origin="--compare_with=b.csv")
    assert number == 50 and list(found) == ["ab_l1", "psnr_db"]
    mean, low, high = found["ab_l1"]
    assert mean == pytest.approx(-0.5 + noise[0].mean())
    # Of the mean of 50 differences with the deviation of this noise.
    assert high - low == pytest.approx(
        2 * 1.96 * noise[0].std() / np.sqrt(50), rel=0.1)
    text = paired.describe(number, found, other="b.csv")
    assert "on the same 50 photographs" in text
    error, psnr = text.splitlines()[1:]
    assert error.startswith("ab_l1") and error.endswith("  better")
    assert psnr.startswith("PSNR, dB") and psnr.endswith("no clear difference")


def test_more_decibels_are_better_and_more_error_is_worse():
    ones = np.ones(9)
    found = paired.compare(evaluation(11 * ones, 24 * ones),
                           evaluation(10 * ones, 22 * ones), origin="")[1]
    lines = paired.describe(9, found, other="b.csv").splitlines()
    assert lines[1].split() == [
        "ab_l1", "+1.00", "(+1.00", "to", "+1.00)", "worse"]
    assert lines[2].endswith("  better")


def test_only_photographs_of_both_count():
    number, found = paired.compare(
        evaluation([1, 2, 3], [20, 20, 20]),
        evaluation([5, 5, 5], [20, 20, 20], first=1), origin="")
    assert number == 2 and found["ab_l1"].mean == pytest.approx(-2.5)


@pytest.mark.parametrize("other, message", [
    (evaluation([1, 2], [20, 20], first=5), "has none of these photographs"),
    (evaluation([1, 2], [20, 20], gray=10.5), "at another size")])
def test_what_cannot_be_compared_is_refused(other, message):
    with pytest.raises(UserError, match=f"^--compare_with=b.csv .*{message}"):
        paired.compare(evaluation([1, 2], [20, 20]), other,
                       origin="--compare_with=b.csv")
