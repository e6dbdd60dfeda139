"""The page, read back as the picture that it is."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines.inspection import drawing, measuring
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source


def cut(page, left, top, width, height):
    """The mean color in the middle of a place on a page."""
    inside = page[round(top + height / 4):round(top + 3 * height / 4),
                  round(left + width / 4):round(left + 3 * width / 4)]
    return inside.mean(axis=(0, 1))


def test_a_gray_photograph_of_its_own_is_the_condition():
    """[..., 4] as of paired: red, beside it a gray picture of L* 80.6."""
    red = np.array([255, 0, 0, 200], np.uint8)
    source = Source(origin="--data=red", identities=["red"], channels=4,
                    load=lambda index: tf.broadcast_to(red, [9, 9, 4]))
    rejected = RejectedExamples()
    measured = measuring.measure(
        source, image_size=8, examples=0, rejected=rejected, name="")
    assert measured.chroma == [pytest.approx(104.55, abs=0.01)]
    assert measured.most_varied() == "red"
    sheet = measuring.contact_sheet(
        source, image_size=8, resize_size=9, seed=0, rejected=rejected)
    page = drawing.draw_page(
        title="", sheet=sheet, photo=np.broadcast_to(red, [8, 8, 4]),
        photo_name="red",
        sides={"training": measured, "evaluation": measured}, rejected={})
    with Image.open(io.BytesIO(page)) as image:
        drawn = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(cut(drawn, 60, 800, 568, 568), red[:3])
    assert cut(drawn, 668, 800 + 304, 264, 264)[0] == pytest.approx(
        80.6 * 2.55, abs=1)
