"""Photographs of a run side by side, with a heading over each column."""

import dataclasses
import io
from typing import Sequence

import numpy as np
from matplotlib import figure
from PIL import Image

from data_pipelines import color, pipeline
from data_pipelines.errors import InputError
from experiments.reporting import runs
from pix2pix_color.serving import scoring
from pix2pix_color.serving.client import Model

_GAP, _HEADING, _DPI = 4, 22, 100
_JPEG_QUALITY = 88
# Triples of gray, generated and real that stand beside each other.
_TRIPLES_A_ROW = 4


@dataclasses.dataclass
class Gallery:
    """Pictures in rows and columns.

    Attributes:
      headings: one a column.
      rows: uint8 [R, C, S, S, 3].
    """

    headings: list[str]
    rows: np.ndarray


def of_epochs(path: str, epochs: Sequence[float]) -> Gallery:
    """What a run made of the same photographs as it learned.

    Args:
      path: the run's folder.
      epochs: when; the nearest sample grid is taken.

    Raises:
      InputError: the run has no grid within half an epoch of one of them.
    """
    run, = runs.load_runs([path])
    steps, columns, headings = run.grid_steps("step"), [], []
    for epoch in epochs:
        step = min(steps, default=None, key=lambda step: abs(
            step / run.steps_per_epoch - epoch))
        if step is None or abs(step / run.steps_per_epoch - epoch) > 0.5:
            raise InputError(
                f"--epochs={epoch:g}: {path} has no sample grid of that time, "
                f"only of the epochs " + ", ".join(
                    f"{step / run.steps_per_epoch:.1f}" for step in steps))
        grid = run.pictures("step", step)
        if grid is None:
            raise InputError(f"{path}: the sample grid of step {step} cannot "
                             f"be read")
        columns.append(grid[1])
        headings.append(f"epoch {epoch:g}")
    return Gallery(["gray", *headings, "real"],
                   np.stack([grid[0], *columns, grid[2]], axis=1))


def of_worst(path: str, *, data: str, count: int,
             tfds_data_dir: str) -> Gallery:
    """The photographs whose colors are furthest from the real ones.

    Args:
      path: the run's folder, which has an export.
      data: a data spec; empty for the photographs that the run evaluates on.
      count: how many.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets.

    Raises:
      InputError: the photographs cannot be used.
      ConfigError: the run has no export.
    """
    model = Model(path)
    source = (scoring.open_data(data, tfds_data_dir=tfds_data_dir) if data else
              scoring.open_held_out(path, tfds_data_dir=tfds_data_dir))
    result = scoring.Score(model, source).result
    worst = np.argsort(-result.generated["delta_e"], kind="stable")[:count]
    space = color.COLOR_SPACES[model.card["color_space"]]
    predict = model.module.signatures["predict_target"]
    triples = []
    for batch in pipeline.evaluation_batches(
            source.select(result.indices[worst].tolist()),
            image_size=model.image_size, batch_size=1):
        condition, _ = space.encode(batch.photo)
        generated = space.decode(condition,
                                 predict(condition=condition)["target"])
        triples.append(np.concatenate([
            color.given_gray(batch.photo), generated, batch.photo[..., :3]]))
    across = min(_TRIPLES_A_ROW, len(triples))
    while len(triples) % across:
        triples.append(np.full_like(triples[0], 255))
    rows = np.stack(triples)
    return Gallery(["gray", "generated", "real"] * across,
                   rows.reshape(-1, 3 * across, *rows.shape[2:]))


def draw(gallery: Gallery, *, file_format: str) -> bytes:
    """Draws a gallery, every picture in its own pixels; a JPEG or PNG file."""
    num_rows, num_columns, side = gallery.rows.shape[:3]
    step = side + _GAP
    canvas = np.full((_HEADING + num_rows * step - _GAP,
                      num_columns * step - _GAP, 3), 255, np.uint8)
    for row, pictures in enumerate(gallery.rows):
        for column, picture in enumerate(pictures):
            top, left = _HEADING + row * step, column * step
            canvas[top:top + side, left:left + side] = picture
    height, width = canvas.shape[:2]
    drawing = figure.Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    drawing.figimage(canvas, origin="upper")
    for column, heading in enumerate(gallery.headings):
        drawing.text((column * step + side / 2) / width,
                     1 - _HEADING / 2 / height, heading, fontsize=9,
                     horizontalalignment="center", verticalalignment="center")
    png = io.BytesIO()
    drawing.savefig(png, format="png", dpi=_DPI)
    if file_format == "png":
        return png.getvalue()
    file = io.BytesIO()
    Image.open(png).convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
