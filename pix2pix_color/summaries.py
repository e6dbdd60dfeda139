"""Every TensorBoard tag and every sample grid; the only user of tf.summary."""

import contextlib
import os
from typing import Mapping

import numpy as np
import tensorflow as tf
from matplotlib import figure
from matplotlib import layout_engine as layout
from matplotlib.backends import backend_agg
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from pix2pix_color.config import ConfigError
from pix2pix_color.files import disk_error

# One chart for each question that one asks of a GAN's losses.
_CHARTS = {
    "discriminator: real against fake":
        ("loss/discriminator_real", "loss/discriminator_fake"),
    "generator: total, adversarial, L1":
        ("loss/generator", "loss/generator_adversarial", "loss/generator_l1"),
    "generator against discriminator":
        ("loss/generator", "loss/discriminator"),
}

# The layout is the first thing that a run writes.
_LAYOUT_TAG, _LAYOUT_WITHIN = b"custom_scalars__config__", 4096
_REWRITTEN = ".rewritten"
# Length and two checksums around each record of a TFRecord file.
_RECORD_OVERHEAD = 16

_ROWS = ("gray", "generated", "real")
_CELL_INCHES = 1.6
_GRID_DPI = 100


class Summaries:
    """The event files of a run: `train/` and `eval/` below its folder.

    Step is the number of completed updates.

    Args:
      workdir: the run's folder.
      step: where the run stands. What an earlier part of it wrote beyond that,
        before it was killed, will come again and is removed.
    """

    def __init__(self, workdir: str, *, step: int = 0) -> None:
        self._workdir = workdir
        folders = [os.path.join(workdir, name) for name in ("train", "eval")]
        for folder in folders:
            remove_events_after(step, folder)
        has_layout = _has_layout(folders[0])
        self._train, self._eval = map(tf.summary.create_file_writer, folders)
        if not has_layout:
            self._write_layout()

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

    def write_losses(self, losses: Mapping[str, float], *, step: int,
                     learning_rates: Mapping[str, float],
                     images_per_second: float, rejected: int) -> None:
        """Writes one point of every training curve.

        Args:
          losses: name -> mean since the last point.
          step: number of completed updates.
          learning_rates: network -> its optimizer's current rate.
          images_per_second: since the last point.
          rejected: how many photographs could not be read so far.
        """
        with self._train.as_default(step):
            for name, value in losses.items():
                tf.summary.scalar(f"loss/{name}", value)
            for network, rate in learning_rates.items():
                tf.summary.scalar(f"learning_rate/{network}", rate)
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
        """Writes a picture from draw_grid."""
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
          ConfigError: the disk is full or cannot be written to.
        """
        try:
            self._train.flush()
            self._eval.flush()
        except tf.errors.OpError as error:
            raise ConfigError(
                f"the event files in {self._workdir} could not be written "
                f"({disk_error(error)}); make room and run the same command "
                f"again") from error

    def close(self) -> None:
        """Flushes and ends both files."""
        self._train.close()
        self._eval.close()


def _has_layout(folder: str) -> bool:
    """Whether a process before this one has brought its layout to disk."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    paths = [os.path.join(folder, name) for name in names]
    for path in filter(os.path.isfile, paths):
        with open(path, "rb") as file:
            if _LAYOUT_TAG in file.read(_LAYOUT_WITHIN):
                return True
    return False


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
    records = tf.data.TFRecordDataset(path).as_numpy_iterator()
    kept, kept_bytes = [], 0
    with contextlib.suppress(tf.errors.DataLossError):  # an unfinished end
        for record in records:
            if event_pb2.Event.FromString(record).step <= last_step:
                kept.append(record)
                kept_bytes += len(record) + _RECORD_OVERHEAD
    if kept_bytes == os.path.getsize(path):
        return
    with tf.io.TFRecordWriter(path + _REWRITTEN) as file:
        for record in kept:
            file.write(record)
    os.replace(path + _REWRITTEN, path)


def draw_grid(gray: np.ndarray, generated: np.ndarray,
              real: np.ndarray) -> np.ndarray:
    """Draws the rows gray, generated, real.

    Args:
      gray: uint8 [N, S, S, 3].
      generated: uint8 [N, S, S, 3].
      real: uint8 [N, S, S, 3].

    Returns:
      uint8 [H, W, 3].
    """
    rows = (gray, generated, real)
    layout_engine = layout.ConstrainedLayoutEngine(
        w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    drawing = figure.Figure(figsize=(_CELL_INCHES * len(gray) + 0.3,
                                     _CELL_INCHES * len(rows)),
                            dpi=_GRID_DPI, layout=layout_engine)
    axes = drawing.subplots(len(rows), len(gray), squeeze=False)
    for name, row, row_axes in zip(_ROWS, rows, axes):
        for picture, cell in zip(row, row_axes):
            cell.imshow(picture, interpolation="antialiased")
            cell.set(xticks=[], yticks=[])
            cell.spines[:].set_visible(False)
        row_axes[0].set_ylabel(name)
    canvas = backend_agg.FigureCanvasAgg(drawing)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
