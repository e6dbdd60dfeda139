"""A real TensorBoard serves what a run wrote."""

import io
import json
import re
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image

from pix2pix_color import summaries
from pix2pix_color.training.train_step import StepLosses


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The address of a TensorBoard that shows two points of every curve."""
    workdir = tmp_path_factory.mktemp("run")
    writer = summaries.Summaries(str(workdir))
    for step in (10, 20):
        writer.write_losses(
            dict.fromkeys(StepLosses._fields, step / 10), step=step,
            learning_rates={"generator": 2e-4}, images_per_second=30.0,
            rejected=0)
        writer.write_metrics({"ab_l1": 9.0}, step=step)
        writer.write_grid(np.full((5, 7, 3), step, np.uint8), step=step)
    writer.close()
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", workdir,
         "--port", "0", "--load_fast=false"],
        stderr=subprocess.PIPE, text=True)
    assert server.stderr
    try:
        for line in server.stderr:
            found = re.search(r"at (http://\S+?)/? \(Press", line)
            if found:
                yield found.group(1)
                break
        else:
            pytest.fail("TensorBoard ended without serving")
    finally:
        server.kill()
        server.wait()


def get(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


def get_until(address, key):
    """Asks until TensorBoard has loaded the run, which takes it a moment."""
    for _ in range(300):
        answer = json.loads(get(address))
        if key in answer:
            return answer
        time.sleep(0.1)
    return pytest.fail(f"{address} never had {key}")


def test_curves_are_served_point_by_point(url):
    get_until(f"{url}/data/plugin/scalars/tags", "train")
    points = json.loads(get(
        f"{url}/data/plugin/scalars/scalars?run=train&tag=loss/generator"))
    assert [(step, value) for _, step, value in points] == [(10, 1), (20, 2)]


def test_the_three_charts_are_laid_out(url):
    get_until(f"{url}/data/plugin/scalars/tags", "train")
    layout = json.loads(get(f"{url}/data/plugin/custom_scalars/layout"))
    titles = [chart["title"] for chart in layout["category"][0]["chart"]]
    assert titles == ["discriminator: real against fake",
                      "generator: total, adversarial, L1",
                      "generator against discriminator"]


def test_grids_are_served_as_pictures(url):
    get_until(f"{url}/data/plugin/images/tags", "eval")
    listed = json.loads(get(f"{url}/data/plugin/images/images"
                            "?run=eval&tag=samples&sample=0"))
    assert [picture["step"] for picture in listed] == [10, 20]
    png = get(f"{url}/data/plugin/images/individualImage?{listed[1]['query']}")
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(png))),
        np.full((5, 7, 3), 20, np.uint8))
