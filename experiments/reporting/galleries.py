"""Photographs of a run side by side, with a heading over each column."""

import dataclasses
import io
from typing import Sequence

import numpy as np
from matplotlib import figure
from matplotlib.backends import backend_agg
from PIL import Image

from data_pipelines import color, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from experiments.reporting import runs
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.saved_model.load import LoadedModel

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
      UserError: the run has no grid within half an epoch of one of them.
    """
    run, = runs.load_runs([path])
    steps = run.grid_steps("step")
    grids: list[np.ndarray] = []
    for epoch in epochs:
        step = min(steps, default=None, key=lambda step: abs(
            step / run.steps_per_epoch - epoch))
        if step is None or abs(step / run.steps_per_epoch - epoch) > 0.5:
            raise UserError(
                f"--epochs={epoch:g}: {path} has no sample grid of that time, "
                f"only of the epochs " + ", ".join(
                    f"{step / run.steps_per_epoch:.1f}" for step in steps))
        grid = run.pictures("step", step)
        if grid is None:
            raise UserError(f"{path}: the sample grid of step {step} cannot "
                            f"be read")
        if grids and not np.array_equal(grid[2], grids[0][2]):
            raise UserError(f"{path}: the sample grids show different "
                            f"photographs; some could not be read")
        grids.append(grid)
    return Gallery(
        ["gray", *(f"epoch {epoch:g}" for epoch in epochs), "real"],
        np.stack([grids[0][0], *(grid[1] for grid in grids), grids[0][2]],
                 axis=1))


def of_photographs(path: str, *, data: str, count: int, are_worst: bool,
                   tfds_data_dir: str) -> Gallery:
    """Photographs as a run's exported model colors them.

    Args:
      path: the run's folder, which has an export.
      data: a data spec; empty for the photographs that the run evaluates on.
      count: how many.
      are_worst: whether they are those whose colors are furthest from the real
        ones, the worst first; otherwise they are evenly spread.
      tfds_data_dir: where TensorFlow Datasets keeps its data sets.

    Raises:
      UserError: the photographs cannot be used, or the run has no export.
    """
    model = LoadedModel(path)
    source = of_saved_model.open_data(data, model=path,
                                      tfds_data_dir=tfds_data_dir)
    if are_worst:
        result = of_saved_model.Score(model, source).result
        worst = np.argsort(-result.colorized["delta_e"], kind="stable")[:count]
        chosen = result.indices[worst].tolist()
    else:
        count = min(count, len(source))
        chosen = [place * len(source) // count for place in range(count)]
    space = color.COLOR_SPACES[model.card["color_space"]]
    predict = model.module.signatures["predict_target"]
    triples = []
    shown = source.select(chosen)
    batches = pipeline.evaluation_batches(
        shown, image_size=model.image_size, batch_size=1)
    for batch in RejectedExamples().watch_evaluation(batches, shown):
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
    canvas[:_HEADING] = _headings(gallery.headings, step, canvas.shape[1])
    file = io.BytesIO()
    image = Image.fromarray(canvas)
    if file_format == "png":
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _headings(headings: Sequence[str], step: int, width: int) -> np.ndarray:
    """uint8 [_HEADING, width, 3]: each heading over its column."""
    # A pixel more each way, since matplotlib rounds inches down to pixels.
    drawing = figure.Figure(figsize=((width + 1) / _DPI, (_HEADING + 1) / _DPI),
                            dpi=_DPI)
    for column, heading in enumerate(headings):
        drawing.text((column * step + (step - _GAP) / 2) / (width + 1), 0.5,
                     heading, fontsize=9, horizontalalignment="center",
                     verticalalignment="center")
    canvas = backend_agg.FigureCanvasAgg(drawing)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:_HEADING, :width, :3]
