"""A real TensorBoard serves what a run wrote."""

import io
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from pix2pix_color import summaries
from pix2pix_color.training.train_step import StepLosses

# Flags of the two runs that are served, beside those that they share.
RUNS = {"plain": 1.5, "other": 3.0}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The address of a TensorBoard that shows two runs below a folder."""
    folder = tmp_path_factory.mktemp("runs") / "my runs [1] what? *new é"
    for step in (10, 20):  # a run and its resumption
        for name, l1_weight in RUNS.items():
            writer = summaries.Summaries(
                str(folder / name), step=step - 10, hyperparameters={
                    "l1_weight": l1_weight, "generator": "unet",
                    "deterministic": False})
            writer.write_losses(
                dict.fromkeys(StepLosses._fields, step / 10), step=step,
                learning_rates={"generator": 2e-4}, images_per_second=30.0,
                rejected=0, stage=1)
            writer.write_metrics({"ab_l1": step * l1_weight},
                                 {"ab_l1": 11.0}, step=step)
            writer.write_grid(np.full((5, 7, 3), step, np.uint8), step=step)
            writer.close()
        wait_for_the_next_second()
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", folder,
         "--port", "0", "--load_fast=false"],
        stderr=subprocess.PIPE, text=True)
    assert server.stderr
    try:
        for line in server.stderr:
            found = re.search(r"at (http://\S+?)/? \(Press", line)
            if found:
                wait_until_loaded(found.group(1))
                yield found.group(1)
                break
        else:
            pytest.fail("TensorBoard ended without serving")
    finally:
        server.kill()
        server.wait()


def wait_for_the_next_second():
    """Until event files sort behind those that there are.

    Their names begin with the second they were made in, and go on with the
    process and a number without leading zeros: TensorBoard reads the tenth
    before the ninth of the same second, and takes the ninth's as the last.
    """
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.01)


def get(address, data=None):
    request = urllib.request.Request(
        address, data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def wait_until_loaded(url):
    """Until TensorBoard has read both steps of both runs."""
    for name in RUNS:
        for points in (f"scalars/scalars?run={name}/train/generator"
                       "&tag=loss/generator",
                       f"scalars/scalars?run={name}/eval&tag=metric/ab_l1",
                       f"images/images?run={name}/eval&tag=samples&sample=0"):
            end = time.monotonic() + 60
            while num_points(f"{url}/data/plugin/{points}") < 2:
                assert time.monotonic() < end, f"{points} never had both steps"
                time.sleep(0.1)


def num_points(address):
    try:
        return len(json.loads(get(address)))
    except urllib.error.HTTPError:  # nothing of it yet
        return 0


def test_curves_are_served_point_by_point(url):
    points = json.loads(get(f"{url}/data/plugin/scalars/scalars"
                            "?run=plain/train/generator&tag=loss/generator"))
    assert [(step, value) for _, step, value in points] == [(10, 1), (20, 2)]


def test_the_charts_are_laid_out(url):
    layout = json.loads(get(f"{url}/data/plugin/custom_scalars/layout"))
    assert {category["title"]: [chart["title"] for chart in category["chart"]]
            for category in layout["category"]} == {
        "losses": ["discriminator: real against fake",
                   "generator: total and its parts",
                   "generator against discriminator"],
        "metrics, beside the gray image's": ["ab_l1 ↓"]}


def test_grids_are_served_as_pictures(url):
    listed = json.loads(get(f"{url}/data/plugin/images/images"
                            "?run=plain/eval&tag=samples&sample=0"))
    assert [picture["step"] for picture in listed] == [10, 20]
    png = get(f"{url}/data/plugin/images/individualImage?{listed[1]['query']}")
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(png))),
        np.full((5, 7, 3), 20, np.uint8))


def test_the_hparams_page_compares_runs_by_their_flags(url):
    experiment = json.loads(get(
        f"{url}/data/plugin/hparams/experiment", b"{}"))
    assert {flag["name"] for flag in experiment["hparamInfos"]} == {
        "l1_weight", "generator", "deterministic"}
    columns = [metric["name"] for metric in experiment["metricInfos"]
               if metric["name"].get("group") != "gray"]
    assert [column["tag"] for column in columns] == ["metric/ab_l1"]
    groups = json.loads(get(
        f"{url}/data/plugin/hparams/session_groups", json.dumps({
            "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_RUNNING",
                                "STATUS_SUCCESS", "STATUS_FAILURE"],
            "colParams": [{"metric": column} for column in columns],
            "startIndex": 0, "sliceSize": 10}).encode()))["sessionGroups"]
    compared = {group["sessions"][0]["name"]: group for group in groups}
    assert {name: (group["hparams"],
                   [(value["trainingStep"], value["value"])
                    for value in group["metricValues"]
                    if value["name"].get("group") != "gray"])
            for name, group in compared.items()} == {
        f"{name}/eval": (
            {"l1_weight": l1_weight, "generator": "unet",
             "deterministic": False}, [(20, 20 * l1_weight)])
        for name, l1_weight in RUNS.items()}
