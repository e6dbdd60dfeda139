"""Event files are read back by TensorBoard's own reader."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from pix2pix_color import summaries
from pix2pix_color.training.train_step import StepLosses

LOSSES = dict.fromkeys(StepLosses._fields, 1.5)


def read(directory):
    events = event_accumulator.EventAccumulator(
        str(directory), size_guidance={event_accumulator.TENSORS: 0})
    events.Reload()
    return events


def scalars(events, tag):
    return [(event.step, tf.make_ndarray(event.tensor_proto).item())
            for event in events.Tensors(tag)]


@pytest.fixture
def written(tmp_path):
    writer = summaries.Summaries(str(tmp_path))
    for step in (10, 20):
        writer.write_losses(
            {**LOSSES, "generator": float(step)}, step=step,
            learning_rates={"generator": 2e-4, "discriminator": 1e-4},
            images_per_second=37.5, rejected=2)
    writer.write_metrics({"ab_l1": 9.5}, step=20)
    writer.write_grid(np.full((4, 6, 3), 7, np.uint8), step=20)
    writer.close()
    return tmp_path


def test_curves_have_one_point_a_step(written):
    train = read(written / "train")
    assert scalars(train, "loss/generator") == [(10, 10.0), (20, 20.0)]
    assert scalars(train, "learning_rate/discriminator") == [
        (10, pytest.approx(1e-4)), (20, pytest.approx(1e-4))]
    assert scalars(train, "images_per_second")[1] == (20, 37.5)
    assert scalars(train, "rejected_photographs")[1] == (20, 2.0)


def test_evaluation_has_curves_and_grids(written):
    events = read(written / "eval")
    assert scalars(events, "metric/ab_l1") == [(20, 9.5)]
    _, _, png = tf.make_ndarray(events.Tensors("samples")[0].tensor_proto)
    np.testing.assert_array_equal(
        tf.io.decode_png(png), np.full((4, 6, 3), 7, np.uint8))


def test_every_line_of_the_charts_is_a_curve_that_is_written(written):
    train = read(written / "train")
    layout = layout_pb2.Layout()
    layout.ParseFromString(tf.make_ndarray(
        train.Tensors("custom_scalars__config__")[0].tensor_proto).item())
    charts = {chart.title: [tag.strip("^$") for tag in chart.multiline.tag]
              for chart in layout.category[0].chart}
    assert charts == {
        "discriminator: real against fake":
            ["loss/discriminator_real", "loss/discriminator_fake"],
        "generator: total, adversarial, L1":
            ["loss/generator", "loss/generator_adversarial",
             "loss/generator_l1"],
        "generator against discriminator":
            ["loss/generator", "loss/discriminator"]}
    written_tags = set(train.Tags()["tensors"])
    assert {tag for tags in charts.values() for tag in tags} <= written_tags


def test_histograms_are_written_when_asked_for(tmp_path):
    writer = summaries.Summaries(str(tmp_path))
    writer.write_histograms({"unet/kernel": tf.Variable([1.0, 2.0])}, step=3)
    writer.close()
    assert "unet/kernel" in read(tmp_path / "train").Tags()["tensors"]


def test_the_grid_shows_gray_generated_and_real_in_this_order():
    def flat(*color):
        return np.tile(np.array(color, np.uint8), (2, 16, 16, 1))

    grid = summaries.draw_grid(
        flat(90, 90, 90), flat(0, 200, 0), flat(200, 0, 0))
    assert grid.dtype == np.uint8 and grid.shape[2] == 3
    middle = grid[:, grid.shape[1] * 3 // 4]
    order = [tuple(color) for color in middle
             if tuple(color) in ((90, 90, 90), (0, 200, 0), (200, 0, 0))]
    assert list(dict.fromkeys(order)) == [
        (90, 90, 90), (0, 200, 0), (200, 0, 0)]
