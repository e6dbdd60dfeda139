"""All TensorBoard tags: event files are written and read here only."""

import contextlib
import os
import time
from typing import Iterator, Mapping, Optional, Union

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import summary as hparams

from data_pipelines.errors import UserError
from data_pipelines.files import disk_error

# TensorBoard's custom-scalars page: title -> the tags in one chart.
_CHARTS = {
    "discriminator: real against fake":
        ("loss/discriminator_real", "loss/discriminator_fake"),
    "generator: total and its parts":
        ("loss/generator", "loss/generator_adversarial", "loss/generator_l1",
         "loss/generator_psnr", "loss/generator_colorfulness",
         "loss/generator_semantic", "loss/generator_bins"),
    "generator against discriminator":
        ("loss/generator", "loss/discriminator"),
}

Flag = Union[bool, int, float, str]


class Summaries:
    """The event files of a run: `train/` and `eval/` below its folder.

    Args:
      workdir: the run's folder.
      step: the run's present step, the number of completed updates. Readers
        drop later points that a killed process wrote: they will come again.
      hyperparameters: flag -> value, for TensorBoard's HParams page.
    """

    def __init__(self, workdir: str, *, step: int = 0,
                 hyperparameters: Optional[Mapping[str, Flag]] = None) -> None:
        self._workdir = workdir
        folders = [os.path.join(workdir, name) for name in ("train", "eval")]
        for folder in folders:
            _mark_start(folder, step)
        self._train, self._eval = map(tf.summary.create_file_writer, folders)
        self._write_layout()
        if hyperparameters:
            self._write_flags(hyperparameters)

    def _write_layout(self) -> None:
        """Writes the layout of the custom-scalars page."""
        charts = [
            layout_pb2.Chart(
                title=title, multiline=layout_pb2.MultilineChartContent(
                    tag=[f"^{tag}$" for tag in tags]))
            for title, tags in _CHARTS.items()]
        layout = layout_pb2.Layout(category=[
            layout_pb2.Category(title="losses", chart=charts)])
        with self._train.as_default():
            tf.summary.experimental.write_raw_pb(
                custom_scalar.pb(layout).SerializeToString(), step=0)

    def _write_flags(self, hyperparameters: Mapping[str, Flag]) -> None:
        """Writes the flags that the HParams page compares runs by."""
        summary = hparams.session_start_pb({
            # A file's name may hold bytes that are not text.
            name: (value.encode(errors="backslashreplace").decode()
                   if isinstance(value, str) else value)
            for name, value in hyperparameters.items()})
        with self._eval.as_default():
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
        with self._train.as_default(step):
            for name, value in losses.items():
                tf.summary.scalar(f"loss/{name}", value)
            for network, rate in learning_rates.items():
                tf.summary.scalar(f"learning_rate/{network}", rate)
            tf.summary.scalar("stage", stage)
            tf.summary.scalar("images_per_second", images_per_second)
            tf.summary.scalar("rejected_photographs", rejected)

    def write_metrics(self, means: Mapping[str, float], *,
                      step: int) -> None:
        """Writes one point of every evaluation curve.

        Args:
          means: metric -> average over the evaluation photographs.
          step: number of completed updates.
        """
        with self._eval.as_default(step):
            for name, value in means.items():
                tf.summary.scalar(f"metric/{name}", value)

    def write_grid(self, grid: np.ndarray, *, step: int) -> None:
        """Writes a sample grid, uint8 [H, W, 3]."""
        with self._eval.as_default(step):
            tf.summary.image("samples", grid[np.newaxis])

    def flush(self) -> None:
        """Flushes both files to the disk.

        Raises:
          UserError: the disk is full or cannot be written to.
        """
        try:
            self._train.flush()
            self._eval.flush()
        except tf.errors.OpError as error:
            raise UserError(
                f"the event files in {self._workdir} could not be written "
                f"({disk_error(error)}); make room and run the same command "
                f"again") from error

    def close(self) -> None:
        """Flushes and closes both files."""
        self._train.close()
        self._eval.close()


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
      tag -> step -> value, steps ascending. Points that a restart has
      overtaken are left out.
    """
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
    return {tag: dict(sorted(points.items()))
            for tag, points in curves.items() if points}


def _read_events(folder: str) -> Iterator[event_pb2.Event]:
    """Yields the events of a folder's files, oldest file first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in sorted(name for name in names if "tfevents" in name):
        records = tf.data.TFRecordDataset(os.path.join(folder, name))
        # A process that was killed may leave half a record at the end.
        with contextlib.suppress(tf.errors.DataLossError):
            for record in records.as_numpy_iterator():
                yield event_pb2.Event.FromString(record)
