"""All TensorBoard tags: event files are written and read here only."""

import contextlib
import glob
import os
import time
from typing import Iterator, Mapping, Optional, Sequence, Union

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import summary as hparams

from data_pipelines.errors import UserError
from data_pipelines.files import disk_error
from pix2pix_color.metric_names import METRICS

# TensorBoard's custom-scalars page: title -> the tags in one chart.
_LOSS_CHARTS = {
    "discriminator: real against fake":
        ("loss/discriminator_real", "loss/discriminator_fake"),
    "generator: total and its parts":
        ("loss/generator", "loss/generator_adversarial", "loss/generator_l1",
         "loss/generator_psnr", "loss/generator_colorfulness",
         "loss/generator_semantic", "loss/generator_bins"),
    "generator against discriminator":
        ("loss/generator", "loss/discriminator"),
}

# The sub-run of `eval/` with the same metrics of the gray image.
_GRAY = "gray"

Flag = Union[bool, int, float, str]


class Summaries:
    """The event files of a run: `train/` and `eval/` below its folder.

    TensorBoard has one color for each run, that is, for each folder of event
    files. Lines of one chart are therefore in folders of their own: each loss
    in `train/NAME`, the gray image's metrics in `eval/gray`.

    Args:
      workdir: the run's folder.
      step: the run's present step, the number of completed updates. Readers
        drop later points that a killed process wrote: they will come again.
      hyperparameters: flag -> value, for TensorBoard's HParams page.
    """

    def __init__(self, workdir: str, *, step: int = 0,
                 hyperparameters: Optional[Mapping[str, Flag]] = None) -> None:
        self._workdir = workdir
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._first_step = step
        for folder in ("train", "eval"):
            for path in (folder, *_sub_runs(workdir, folder)):
                self._writer(path)
        self._write_layout("losses", _LOSS_CHARTS, run="train")
        self._has_metrics_layout = False
        if hyperparameters:
            self._write_flags(hyperparameters)

    def _writer(self, path: str) -> tf.summary.SummaryWriter:
        """Returns the writer of a folder below the run's, such as train."""
        if path not in self._writers:
            folder = os.path.join(self._workdir, path)
            _mark_start(folder, self._first_step)
            self._writers[path] = tf.summary.create_file_writer(folder)
        return self._writers[path]

    def _write_layout(self, category: str, charts: Mapping[str, Sequence[str]],
                      *, run: str) -> None:
        """Writes the layout of a part of the custom-scalars page."""
        layout = layout_pb2.Layout(category=[layout_pb2.Category(
            title=category, chart=[
                layout_pb2.Chart(
                    title=title, multiline=layout_pb2.MultilineChartContent(
                        tag=[f"^{tag}$" for tag in tags]))
                for title, tags in charts.items()])])
        with self._writer(run).as_default():
            tf.summary.experimental.write_raw_pb(
                custom_scalar.pb(layout).SerializeToString(), step=0)

    def _write_flags(self, hyperparameters: Mapping[str, Flag]) -> None:
        """Writes the flags that the HParams page compares runs by."""
        summary = hparams.session_start_pb({
            # A file's name may hold bytes that are not text.
            name: (value.encode(errors="backslashreplace").decode()
                   if isinstance(value, str) else value)
            for name, value in hyperparameters.items()})
        with self._writer("eval").as_default():
            tf.summary.experimental.write_raw_pb(
                summary.SerializeToString(), step=0)

    def write_losses(self, losses: Mapping[str, float], *, step: int,
                     learning_rates: Mapping[str, float],
                     images_per_second: float, rejected: int,
                     stage: int) -> None:
        """Writes one point of every training curve.

        Args:
          losses: name -> mean since the last point.
          step: number of completed updates.
          learning_rates: network -> its optimizer's current rate.
          images_per_second: rate since the last point.
          rejected: number of photographs that could not be read so far.
          stage: 0 in pretraining, 1 with the adversarial loss.
        """
        for name, value in losses.items():
            with self._writer(f"train/{name}").as_default(step):
                tf.summary.scalar(f"loss/{name}", value)
        with self._writer("train").as_default(step):
            for network, rate in learning_rates.items():
                tf.summary.scalar(f"learning_rate/{network}", rate)
            tf.summary.scalar("stage", stage)
            tf.summary.scalar("images_per_second", images_per_second)
            tf.summary.scalar("rejected_photographs", rejected)

    def write_metrics(self, means: Mapping[str, float],
                      gray_means: Mapping[str, float], *, step: int) -> None:
        """Writes one point of every evaluation curve.

        Args:
          means: metric -> average over the evaluation photographs.
          gray_means: the same of the gray image, which is written for the
            metrics that have a better direction.
          step: number of completed updates.
        """
        if not self._has_metrics_layout:
            self._write_layout("metrics, beside the gray image's", {
                METRICS[name].label_with_arrow: [f"metric/{name}"]
                for name in means}, run="eval")
            self._has_metrics_layout = True
        directed = {name: value for name, value in gray_means.items()
                    if METRICS[name].higher_is_better is not None}
        for path, values in ("eval", means), (f"eval/{_GRAY}", directed):
            with self._writer(path).as_default(step):
                for name, value in values.items():
                    tf.summary.scalar(f"metric/{name}", value)

    def write_grid(self, grid: np.ndarray, *, step: int) -> None:
        """Writes a sample grid, uint8 [H, W, 3]."""
        with self._writer("eval").as_default(step):
            tf.summary.image("samples", grid[np.newaxis])

    def flush(self) -> None:
        """Flushes all files to the disk.

        Raises:
          UserError: the disk is full or cannot be written to.
        """
        try:
            for writer in self._writers.values():
                writer.flush()
        except tf.errors.OpError as error:
            raise UserError(
                f"the event files in {self._workdir} could not be written "
                f"({disk_error(error)}); make room and run the same command "
                f"again") from error

    def close(self) -> None:
        """Flushes and closes all files."""
        for writer in self._writers.values():
            writer.close()


def _sub_runs(workdir: str, folder: str) -> list[str]:
    """Returns the folders of event files in a folder of a run, sorted."""
    return sorted({os.path.dirname(path) for path in glob.glob(
        os.path.join(glob.escape(folder), "*", "*tfevents*"),
        root_dir=workdir)})


def _mark_start(folder: str, step: int) -> None:
    """Makes readers drop what earlier processes wrote beyond a step.

    TensorBoard does so at a SessionLog.START, which tf.summary cannot write.
    """
    os.makedirs(folder, exist_ok=True)
    now = time.time()
    # Without a host it sorts before tf.summary's file of the same second.
    path = os.path.join(folder, f"events.out.tfevents.{int(now)}")
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    with tf.io.TFRecordWriter(path) as file:
        for content in ({"file_version": "brain.Event:2"},
                        {"step": step + 1, "session_log": start}):
            file.write(event_pb2.Event(
                wall_time=now, **content).SerializeToString())


def read_curves(folder: str) -> dict[str, dict[int, float]]:
    """Reads the curves of a folder of event files, even while it is written to.

    Args:
      folder: `train/` or `eval/` of a run; it need not exist.

    Returns:
      tag -> step -> value, steps ascending, without the gray image's curves.
      Points that a restart has overtaken are left out.
    """
    curves: dict[str, dict[int, float]] = {}
    for path in ("", *_sub_runs(folder, "")):
        if path == _GRAY:
            continue  # it has the tags of eval/
        for tag, points in _read_curves(os.path.join(folder, path)).items():
            curves.setdefault(tag, {}).update(points)
    return {tag: dict(sorted(points.items()))
            for tag, points in curves.items() if points}


def _read_curves(folder: str) -> dict[str, dict[int, float]]:
    """Reads the curves of one folder, without its sub-runs."""
    curves: dict[str, dict[int, float]] = {}
    for event in _read_events(folder):
        if event.session_log.status == event_pb2.SessionLog.START:
            for points in curves.values():
                for step in [step for step in points if step >= event.step]:
                    del points[step]
        for value in event.summary.value:
            tensor = value.tensor
            if (tensor.dtype == tf.float32.as_datatype_enum
                    and not tensor.tensor_shape.dim):
                curves.setdefault(value.tag, {})[event.step] = (
                    tf.make_ndarray(tensor).item())
    return curves


def _read_events(folder: str) -> Iterator[event_pb2.Event]:
    """Yields the events of a folder's files, oldest file first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in sorted(name for name in names if "tfevents" in name):
        records = tf.data.TFRecordDataset(os.path.join(folder, name))
        # A process that was killed may leave half a record at the end.
        with contextlib.suppress(tf.errors.DataLossError):
            for record in records.as_numpy_iterator():
                yield event_pb2.Event.FromString(record)
