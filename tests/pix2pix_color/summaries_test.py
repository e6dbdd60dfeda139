"""Event files are read back by TensorBoard's own reader."""

import os
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

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
    writer = summaries.Summaries(str(tmp_path), hyperparameters={"seed": 3})
    for step in (10, 20):
        writer.write_losses(
            {**LOSSES, "generator": float(step)}, step=step,
            learning_rates={"generator": 2e-4, "discriminator": 1e-4},
            images_per_second=37.5, rejected=2, stage=int(step > 10))
    writer.write_histograms({"unet/kernel": tf.Variable([1.0, 2.0])}, step=20)
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
        "generator: total and its parts":
            ["loss/generator", "loss/generator_adversarial",
             "loss/generator_l1", "loss/generator_psnr",
             "loss/generator_colorfulness", "loss/generator_semantic"],
        "generator against discriminator":
            ["loss/generator", "loss/discriminator"]}
    written_tags = set(train.Tags()["tensors"])
    assert {tag for tags in charts.values() for tag in tags} <= written_tags


def test_histograms_are_written_when_asked_for(written):
    assert "unet/kernel" in read(written / "train").Tags()["tensors"]


# What the report and the HParams page read.


def test_curves_are_read_as_they_were_written(written):
    train = summaries.read_curves(str(written / "train"))
    assert {step: point.value for step, point
            in train["loss/generator"].items()} == {10: 10.0, 20: 20.0}
    assert [point.value for point in train["stage"].values()] == [0.0, 1.0]
    assert not {"custom_scalars__config__", "unet/kernel"} & train.keys()
    assert abs(train["loss/generator"][20].wall_time - time.time()) < 600
    assert summaries.read_curves(str(written / "eval")).keys() == {
        "metric/ab_l1"}
    assert summaries.read_curves(str(written / "nowhere")) == {}


def test_curves_are_read_while_they_are_written_and_after_a_resume(tmp_path):
    folder = tmp_path / "train"
    killed = summaries.Summaries(str(tmp_path))
    for step in (10, 20):
        write_point(killed, step, 1.0)
    killed.flush()  # it goes on, unaware of the other
    resumed = summaries.Summaries(str(tmp_path), step=20)
    for step in (20, 30):
        write_point(resumed, step, 2.0)
    resumed.close()
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-5])
    (folder / f"{newest.name}.rewritten").write_bytes(b"half of it")
    points = summaries.read_curves(str(folder))["loss/generator"]
    assert [(step, point.value) for step, point in points.items()] == [
        (10, 1.0), (20, 2.0), (30, 2.0)]
    assert list(summaries.read_curves(str(folder))["rejected_photographs"]
                ) == [10, 20]  # the point of 30 is not whole


def test_flags_are_written_once_and_stay_on_a_resume(tmp_path):
    flags: dict[str, summaries.Flag] = {
        "base_filters": 4, "generator": "unet", "deterministic": True,
        "l1_weight": 0.5, "data": "folder:\udcff"}
    for step in (0, 0, 7):
        summaries.Summaries(str(tmp_path), step=step,
                            hyperparameters=flags).close()
    values = [
        value for path in (tmp_path / "eval").iterdir() for record in
        tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        for value in event_pb2.Event.FromString(record).summary.value]
    assert [value.tag for value in values] == ["_hparams_/session_start_info"]
    data = plugin_data_pb2.HParamsPluginData.FromString(
        values[0].metadata.plugin_data.content)
    written = data.session_start_info.hparams
    assert written["base_filters"].number_value == 4
    assert written["generator"].string_value == "unet"
    assert written["deterministic"].bool_value is True
    assert written["l1_weight"].number_value == 0.5
    assert written["data"].string_value == "folder:\\udcff"


# What a run that was killed leaves to the one that goes on.


def event(step):
    """A record of an event file, longer for later steps."""
    return event_pb2.Event(step=step, file_version="x" * step
                           ).SerializeToString()


def write_events(path, steps):
    """Writes an event file; returns its bytes."""
    with tf.io.TFRecordWriter(str(path)) as file:
        for step in steps:
            file.write(event(step))
    return path.read_bytes()


def steps_in(path):
    return [event_pb2.Event.FromString(record).step for record in
            tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]


FILE = "events.out.tfevents.1.host"


@pytest.mark.parametrize("steps, last, kept", [
    ([0, 1, 2, 3, 4], 2, [0, 1, 2]), ([0, 9, 3, 9, 4], 4, [0, 3, 4]),
    ([0, 0, 1], 0, [0, 0]), ([7, 8], 2, [])])
def test_events_beyond_a_step_go_and_the_others_are_the_same_bytes(
        tmp_path, steps, last, kept):
    write_events(tmp_path / FILE, steps)
    expected = write_events(tmp_path / "expected", kept)
    summaries.remove_events_after(last, str(tmp_path))
    assert (tmp_path / FILE).read_bytes() == expected
    assert sorted(os.listdir(tmp_path)) == [FILE, "expected"]


@pytest.mark.parametrize("missing", [1, 6, 12, 20, 28])
def test_an_event_that_was_half_written_goes(tmp_path, missing):
    whole = write_events(tmp_path / FILE, [0, 1, 9])
    expected = write_events(tmp_path / "expected", [0, 1])
    assert missing < len(whole) - len(expected)
    (tmp_path / FILE).write_bytes(whole[:-missing])
    summaries.remove_events_after(9, str(tmp_path))
    assert (tmp_path / FILE).read_bytes() == expected
    assert steps_in(tmp_path / FILE) == [0, 1]


def test_a_file_with_nothing_beyond_the_step_is_not_touched(tmp_path):
    for name, steps in ((FILE, [0, 1, 2]), (f"{FILE}.v2", [3, 4])):
        write_events(tmp_path / name, steps)
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    (tmp_path / "events.out.tfevents.2.host").touch()
    (tmp_path / "notes.txt").write_text("mine")
    summaries.remove_events_after(3, str(tmp_path))
    assert steps_in(tmp_path / FILE) == [0, 1, 2]
    assert (tmp_path / FILE).stat().st_mtime_ns == 10**18
    assert steps_in(tmp_path / f"{FILE}.v2") == [3]
    assert (tmp_path / f"{FILE}.v2").stat().st_mtime_ns != 10**18
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == [
        FILE, f"{FILE}.v2", "events.out.tfevents.2.host", "notes.txt"]


@pytest.mark.parametrize("listed_first", ["rewrite", "file"])
def test_a_rewrite_that_was_killed_is_cleaned_up(
        tmp_path, monkeypatch, listed_first):
    write_events(tmp_path / FILE, [0, 1])
    (tmp_path / f"{FILE}.rewritten").write_bytes(b"half of it")
    listed = sorted(os.listdir(tmp_path), reverse=listed_first == "rewrite")
    with monkeypatch.context() as patched:
        patched.setattr(summaries.os, "listdir", lambda folder: listed)
        summaries.remove_events_after(1, str(tmp_path))
    assert os.listdir(tmp_path) == [FILE]
    assert steps_in(tmp_path / FILE) == [0, 1]


def test_a_folder_that_is_not_there_stays_away(tmp_path):
    summaries.remove_events_after(1, str(tmp_path / "train"))
    assert os.listdir(tmp_path) == []


def write_point(writer, step, value):
    writer.write_losses({"generator": value}, step=step, learning_rates={},
                        images_per_second=1.0, rejected=0, stage=1)
    writer.write_metrics({"ab_l1": value}, step=step)


def test_a_resumed_run_has_one_point_a_step_and_one_layout(tmp_path):
    killed = summaries.Summaries(str(tmp_path))
    for step in (10, 20, 30):
        write_point(killed, step, 1.0)
    killed.close()
    resumed = summaries.Summaries(str(tmp_path), step=20)
    write_point(resumed, 30, 2.0)
    resumed.close()
    for folder, tag in (("train", "loss/generator"), ("eval", "metric/ab_l1")):
        # Which of the two files is read first is not certain.
        assert sorted(scalars(read(tmp_path / folder), tag)) == [
            (10, 1.0), (20, 1.0), (30, 2.0)]
    layouts = [
        value for path in (tmp_path / "train").iterdir() for record in
        tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        for value in event_pb2.Event.FromString(record).summary.value
        if value.tag == "custom_scalars__config__"]
    assert len(layouts) == 1


def test_a_layout_that_never_reached_the_disk_is_written_anew(tmp_path):
    (tmp_path / "train").mkdir()
    write_events(tmp_path / "train" / FILE, [0])
    summaries.Summaries(str(tmp_path)).close()
    assert read(tmp_path / "train").Tensors("custom_scalars__config__")
