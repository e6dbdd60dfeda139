"""Event files are read back by TensorBoard's own reader."""

import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from pix2pix_color import summaries
from pix2pix_color.training.train_step import StepLosses

LOSSES = dict.fromkeys(StepLosses._fields, 1.5)


def read(directory):
    """Returns what TensorBoard's server reads."""
    events = plugin_event_accumulator.EventAccumulator(
        str(directory), size_guidance={plugin_event_accumulator.TENSORS: 0})
    events.Reload()
    return events


def scalars(events, tag):
    return [(event.step, tf.make_ndarray(event.tensor_proto).item())
            for event in events.Tensors(tag)]


@pytest.fixture
def written(tmp_path):
    writer = summaries.Summaries(str(tmp_path), hyperparameters={"seed": 3})
    for step in (10, 20):
        writer.write_losses(
            {**LOSSES, "generator": float(step)}, step=step,
            learning_rates={"generator": 2e-4, "discriminator": 1e-4},
            images_per_second=37.5, rejected=2, stage=int(step > 10))
    writer.write_metrics({"ab_l1": 9.5, "colorfulness": 30.0},
                         {"ab_l1": 11.0, "colorfulness": 0.0}, step=20)
    writer.write_grid(np.full((4, 6, 3), 7, np.uint8), step=20)
    writer.close()
    return tmp_path


def test_curves_have_one_point_a_step(written):
    train = read(written / "train")
    assert scalars(read(written / "train" / "generator"),
                   "loss/generator") == [(10, 10.0), (20, 20.0)]
    assert scalars(train, "learning_rate/discriminator") == [
        (10, pytest.approx(1e-4)), (20, pytest.approx(1e-4))]
    assert scalars(train, "images_per_second")[1] == (20, 37.5)
    assert scalars(train, "rejected_photographs")[1] == (20, 2.0)


def test_evaluation_has_curves_and_grids(written):
    events = read(written / "eval")
    assert scalars(events, "metric/ab_l1") == [(20, 9.5)]
    assert scalars(events, "metric/colorfulness") == [(20, 30.0)]
    _, _, png = tf.make_ndarray(events.Tensors("samples")[0].tensor_proto)
    np.testing.assert_array_equal(
        tf.io.decode_png(png), np.full((4, 6, 3), 7, np.uint8))


def test_the_gray_image_has_a_line_beside_each_metric_with_a_direction(
        written):
    gray = read(written / "eval" / "gray")
    assert scalars(gray, "metric/ab_l1") == [(20, 11.0)]
    assert "metric/colorfulness" not in gray.Tags()["tensors"]


def charts(events):
    """Title -> tags of the charts in a run's layout."""
    layout = layout_pb2.Layout()
    layout.ParseFromString(tf.make_ndarray(
        events.Tensors("custom_scalars__config__")[0].tensor_proto).item())
    return {chart.title: [tag.strip("^$") for tag in chart.multiline.tag]
            for chart in layout.category[0].chart}


def test_lines_of_one_chart_are_in_folders_of_their_own(written):
    """TensorBoard has one color for each folder."""
    train = written / "train"
    expected = {
        "discriminator: real against fake":
            ["loss/discriminator_real", "loss/discriminator_fake"],
        "generator: total and its parts":
            ["loss/generator", "loss/generator_adversarial",
             "loss/generator_l1", "loss/generator_psnr",
             "loss/generator_colorfulness", "loss/generator_semantic",
             "loss/generator_bins"],
        "generator against discriminator":
            ["loss/generator", "loss/discriminator"]}
    assert charts(read(train)) == expected
    for tag in {tag for tags in expected.values() for tag in tags}:
        assert read(train / tag.removeprefix("loss/")).Tags()["tensors"] == [
            tag]


def test_metrics_are_laid_out_by_their_names_in_words(written):
    assert charts(read(written / "eval")) == {
        "ab_l1 ↓": ["metric/ab_l1"], "colorfulness": ["metric/colorfulness"]}


def test_curves_are_read_as_they_were_written(written):
    train = summaries.read_curves(str(written / "train"))
    assert train["loss/generator"] == {10: 10.0, 20: 20.0}
    assert train["stage"] == {10: 0.0, 20: 1.0}
    assert "custom_scalars__config__" not in train
    assert summaries.read_curves(str(written / "eval")) == {
        "metric/ab_l1": {20: 9.5}, "metric/colorfulness": {20: 30.0}}
    assert summaries.read_curves(str(written / "nowhere")) == {}


def test_flags_are_written_for_the_hparams_page(tmp_path):
    flags: dict[str, summaries.Flag] = {
        "base_filters": 4, "generator": "unet", "deterministic": True,
        "l1_weight": 0.5, "data": "folder:\udcff"}
    for step in (0, 7):  # a run and its resumption
        summaries.Summaries(str(tmp_path), step=step,
                            hyperparameters=flags).close()
    metadata = read(tmp_path / "eval").SummaryMetadata(
        "_hparams_/session_start_info")
    data = plugin_data_pb2.HParamsPluginData.FromString(
        metadata.plugin_data.content)
    written = data.session_start_info.hparams
    assert written["base_filters"].number_value == 4
    assert written["generator"].string_value == "unet"
    assert written["deterministic"].bool_value is True
    assert written["l1_weight"].number_value == 0.5
    assert written["data"].string_value == "folder:\\udcff"


# A run that was killed, and the one that goes on.


def write_point(writer, step, value):
    writer.write_losses({"generator": value}, step=step, learning_rates={},
                        images_per_second=1.0, rejected=0, stage=1)
    writer.write_metrics({"ab_l1": value}, {"ab_l1": 12.0}, step=step)


@pytest.mark.parametrize("resumed_at, expected", [
    (20, [(10, 1.0), (20, 1.0), (30, 2.0)]), (0, [(30, 2.0)])])
def test_a_resumed_run_has_one_point_per_step(
        tmp_path, resumed_at, expected):
    killed = summaries.Summaries(str(tmp_path))
    for step in (10, 20, 25, 30):  # 25 does not come again
        write_point(killed, step, 1.0)
    killed.close()
    wait_for_the_next_second()
    resumed = summaries.Summaries(str(tmp_path), step=resumed_at)
    write_point(resumed, 30, 2.0)
    resumed.close()
    for part, sub_run, tag in (("train", "generator", "loss/generator"),
                               ("eval", "", "metric/ab_l1")):
        events = read(tmp_path / part / sub_run)
        assert scalars(events, tag) == expected
        curves = summaries.read_curves(str(tmp_path / part))
        assert list(curves[tag].items()) == expected
    assert read(tmp_path / "train").Tensors("custom_scalars__config__")


def wait_for_the_next_second():
    """Waits until new event files sort behind those that there are."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.01)


@pytest.mark.parametrize("missing", [1, 6, 12, 20, 28])
def test_curves_are_read_up_to_a_half_written_event(tmp_path, missing):
    writer = summaries.Summaries(str(tmp_path))
    for step in (10, 20):
        write_point(writer, step, 1.0)
    writer.close()
    last = max((tmp_path / "eval").glob("*tfevents*"),
               key=lambda path: path.name)
    last.write_bytes(last.read_bytes()[:-missing])
    points = summaries.read_curves(str(tmp_path / "eval"))["metric/ab_l1"]
    assert list(points) == [10]
