"""Every TensorBoard tag, written and read; the only user of tf.summary."""

import contextlib
import os
from typing import Iterator, Mapping, NamedTuple, Optional, Union

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import summary as hparams

from data_pipelines.errors import UserError
from data_pipelines.files import disk_error

# One chart for each question that one asks of a GAN's losses.
_CHARTS = {
    "discriminator: real against fake":
        ("loss/discriminator_real", "loss/discriminator_fake"),
    "generator: total and its parts":
        ("loss/generator", "loss/generator_adversarial", "loss/generator_l1",
         "loss/generator_psnr", "loss/generator_colorfulness",
         "loss/generator_semantic"),
    "generator against discriminator":
        ("loss/generator", "loss/discriminator"),
}

# The layout is the first thing that a run writes in train/, and its flags are
# the first in eval/, where the numbers are that they are compared by.
_LAYOUT_TAG = b"custom_scalars__config__"
_FLAGS_TAG = b"_hparams_/session_start_info"
_FIRST_BYTES = 4096
_REWRITTEN = ".rewritten"
# Length and two checksums around each record of a TFRecord file.
_RECORD_OVERHEAD = 16

Flag = Union[bool, int, float, str]


class Point(NamedTuple):
    """One point of a curve.

    Attributes:
      value: the scalar.
      wall_time: when it was written, seconds since 1970.
    """

    value: float
    wall_time: float


class Summaries:
    """The event files of a run: `train/` and `eval/` below its folder.

    Step is the number of completed updates.

    Args:
      workdir: the run's folder.
      step: where the run stands. What an earlier part of it wrote beyond that,
        before it was killed, will come again and is removed.
      hyperparameters: flag -> value, for TensorBoard's page that compares
        runs by them; they stay what they were when the run was begun.
    """

    def __init__(self, workdir: str, *, step: int = 0,
                 hyperparameters: Optional[Mapping[str, Flag]] = None) -> None:
        self._workdir = workdir
        folders = [os.path.join(workdir, name) for name in ("train", "eval")]
        for folder in folders:
            remove_events_after(step, folder)
        has_layout = _has_tag(folders[0], _LAYOUT_TAG)
        has_flags = _has_tag(folders[1], _FLAGS_TAG)
        self._train, self._eval = map(tf.summary.create_file_writer, folders)
        if not has_layout:
            self._write_layout()
        if hyperparameters and not has_flags:
            self._write_flags(hyperparameters)

    def _write_layout(self) -> None:
        """Writes the custom-scalars page: each of _CHARTS in one picture."""
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
        """Writes what the HParams page compares runs by."""
        summary = hparams.session_start_pb({
            # A file's name may hold bytes that are no text.
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
          images_per_second: since the last point.
          rejected: how many photographs could not be read so far.
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
        """Writes a picture from sample_grid.draw_grid."""
        with self._eval.as_default(step):
            tf.summary.image("samples", grid[np.newaxis])

    def write_histograms(self, weights: Mapping[str, tf.Variable], *,
                         step: int) -> None:
        """Writes one histogram a variable, named by its path."""
        with self._train.as_default(step):
            for name, value in weights.items():
                tf.summary.histogram(name, value)

    def flush(self) -> None:
        """Brings all that was written to disk.

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
        """Flushes and ends both files."""
        self._train.close()
        self._eval.close()


def _has_tag(folder: str, tag: bytes) -> bool:
    """Whether a process before this one has brought a first tag to disk."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    paths = [os.path.join(folder, name) for name in names]
    for path in filter(os.path.isfile, paths):
        with open(path, "rb") as file:
            if tag in file.read(_FIRST_BYTES):
                return True
    return False


def read_curves(folder: str) -> dict[str, dict[int, Point]]:
    """Reads the curves of a folder of event files, whole or still written to.

    Args:
      folder: `train/` or `eval/` of a run; it need not exist.

    Returns:
      tag -> step -> point, steps ascending; of two points at a step, the one
      that was written last.
    """
    curves: dict[str, dict[int, Point]] = {}
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in sorted(names):
        if "tfevents" not in name or name.endswith(_REWRITTEN):
            continue
        for _, event in _read_events(os.path.join(folder, name)):
            for value in event.summary.value:
                tensor = value.tensor
                if (tensor.dtype == tf.float32.as_datatype_enum
                        and not tensor.tensor_shape.dim):
                    point = Point(tf.make_ndarray(tensor).item(),
                                  event.wall_time)
                    known = curves.setdefault(value.tag, {}).get(event.step)
                    if known is None or known.wall_time <= point.wall_time:
                        curves[value.tag][event.step] = point
    return {tag: dict(sorted(points.items()))
            for tag, points in curves.items()}


def _read_events(path: str) -> Iterator[tuple[bytes, event_pb2.Event]]:
    """Each record of an event file, up to an unfinished end."""
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield record, event_pb2.Event.FromString(record)


def remove_events_after(step: int, folder: str) -> None:
    """Rewrites the event files of a folder without what is beyond a step.

    A record that a killed process left unfinished goes as well. Each file is
    replaced as a whole or not at all.

    Args:
      step: the last step to keep.
      folder: the folder; it need not exist.
    """
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(_REWRITTEN):  # by a process that was killed
            os.remove(path)
        elif "tfevents" in name:
            _rewrite_events(path, step)


def _rewrite_events(path: str, last_step: int) -> None:
    kept, kept_bytes = [], 0
    for record, event in _read_events(path):
        if event.step <= last_step:
            kept.append(record)
            kept_bytes += len(record) + _RECORD_OVERHEAD
    if kept_bytes == os.path.getsize(path):
        return
    with tf.io.TFRecordWriter(path + _REWRITTEN) as file:
        for record in kept:
            file.write(record)
    os.replace(path + _REWRITTEN, path)
