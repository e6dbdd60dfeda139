"""Draws pictures of one run: python -m experiments.gallery RUN --kind=KIND.

| --kind | picture |
|---|---|
| epochs | the run's sample grids nearest to --epochs, one below the other |
| some | --count photographs, evenly spread over --data: gray, colorized, real |
| worst | the --count photographs with the largest CIEDE2000 error |

some and worst color the photographs with the run's exported model. Without
--data, they are those that the run evaluates on.
"""

import io
import math
import os
from typing import Sequence

import numpy as np
from absl import flags
from PIL import Image, ImageDraw, ImageFont

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import require_writable, write_atomically
from experiments import command_flags

with command.quiet_tensorflow():
    from data_pipelines import pipeline
    from data_pipelines.rejected import RejectedExamples
    from experiments.reporting import runs
    from pix2pix_color.evaluation import of_saved_model, protocol
    from pix2pix_color.saved_model.load import LoadedModel

_EPOCHS = flags.DEFINE_list("epochs", ["1", "5", "10", "20", "50"],
                            "Epochs of --kind=epochs, pretraining included.")
_COUNT = flags.DEFINE_integer(
    "count", 16, "Number of photographs of --kind=some and --kind=worst.",
    lower_bound=1)
flags.adopt_module_key_flags(command_flags)

HEADING = 22  # height of the strip with headings, pixels
GAP = 4  # pixels between two photographs
_FONT_SIZE = 13
_JPEG_QUALITY = 88
# Triples of gray, colorized and real in a row.
_TRIPLES_A_ROW = 4
# Flags that each kind ignores.
_UNUSED = {"epochs": ("data", "count", "tfds_data_dir"),
           "some": ("epochs",), "worst": ("epochs",)}


def main(arguments: Sequence[str]) -> None:
    kind = command_flags.parse_kind(_UNUSED)
    output = command_flags.OUTPUT.value
    if len(arguments) != 2:
        raise UserError("name one run: gallery RUN --kind=epochs")
    if not output.endswith((".jpg", ".png")):
        raise UserError(f"--output={output} must name a .jpg or .png file")
    require_writable(output, flag="--output")
    for name in _UNUSED[kind]:
        if flags.FLAGS[name].present:
            raise UserError(f"--{name} cannot be used with --kind={kind}")
    if kind == "epochs":
        picture = draw_epochs(arguments[1], parse_epochs(_EPOCHS.value))
    else:
        picture = draw_triples(color_photographs(
            arguments[1], data=command_flags.DATA.value, count=_COUNT.value,
            are_worst=kind == "worst",
            tfds_data_dir=command_flags.TFDS_DATA_DIR.value))
    file = io.BytesIO()
    if output.endswith(".png"):
        picture.save(file, "PNG")
    else:
        picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    write_atomically(output, file.getvalue())
    print(output)


def parse_epochs(words: Sequence[str]) -> list[float]:
    """Parses --epochs.

    Raises:
      UserError: there is none, or one is not a finite number.
    """
    try:
        epochs = [float(word) for word in words]
    except ValueError:
        epochs = []
    if not epochs or not all(map(math.isfinite, epochs)):
        raise UserError(f"--epochs={','.join(words)} must be numbers, such as "
                        f"1,5,10")
    return epochs


def draw_epochs(path: str, epochs: Sequence[float]) -> Image.Image:
    """Draws a run's sample grids one below the other.

    Args:
      path: the run's folder.
      epochs: one grid each, the nearest.

    Raises:
      UserError: the run has no grid within half an epoch of one of them.
    """
    run, = runs.load_runs([path])
    grids = {step / run.steps_per_epoch: grid
             for step, grid in run.grids("step").items()}
    pictures = []
    for epoch in epochs:
        nearest = min(grids, default=math.inf,
                      key=lambda other: abs(other - epoch))
        if abs(nearest - epoch) > 0.5:
            raise UserError(
                f"--epochs={epoch:g}: {path} has no sample grid near this "
                f"epoch; it has grids of the epochs "
                + ", ".join(f"{other:.1f}" for other in sorted(grids)))
        with Image.open(grids[nearest]) as grid:
            pictures.append(_add_headings([f"epoch {epoch:g}"], grid))
    return _stack(pictures)


def color_photographs(path: str, *, data: str, count: int, are_worst: bool,
                      tfds_data_dir: str = "") -> np.ndarray:
    """Colors photographs with a run's exported model.

    Args:
      path: the run's folder.
      data: a data spec; empty for the run's evaluation photographs.
      count: number of photographs at most.
      are_worst: whether to choose those with the largest CIEDE2000 error, the
        worst first; otherwise they are evenly spread.
      tfds_data_dir: folder of the TensorFlow Datasets data sets.

    Returns:
      uint8 [N, 3, S, S, 3]: gray, colorized and real.

    Raises:
      UserError: no photograph can be read, or the run has no export.
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
    answer = of_saved_model.generator_answer(model)
    shown = source.select(chosen)
    batches = pipeline.evaluation_batches(
        shown, image_size=model.image_size, batch_size=1)
    return np.stack([
        np.concatenate(protocol.gray_colorized_real(answer, batch.photo))
        for batch in RejectedExamples().watch_evaluation(batches, shown)])


def draw_triples(triples: np.ndarray) -> Image.Image:
    """Draws gray, colorized and real side by side, without scaling.

    Args:
      triples: uint8 [N, 3, S, S, 3].
    """
    across = min(_TRIPLES_A_ROW, len(triples))
    step = triples.shape[2] + GAP
    picture = Image.new("RGB", (
        3 * across * step - GAP, -(-len(triples) // across) * step - GAP),
        "white")
    for place, image in enumerate(triples.reshape(-1, *triples.shape[2:])):
        row, column = divmod(place, 3 * across)
        picture.paste(Image.fromarray(image), (column * step, row * step))
    return _add_headings(["gray", "colorized", "real"] * across, picture)


def _add_headings(headings: Sequence[str], picture: Image.Image
                  ) -> Image.Image:
    """Adds a strip above a picture: a heading over each of its columns."""
    strip = Image.new("RGB", (picture.width, HEADING), "white")
    for column, heading in enumerate(headings):
        ImageDraw.Draw(strip).text(
            ((column + 0.5) * picture.width / len(headings), HEADING / 2),
            heading, "black", ImageFont.load_default(_FONT_SIZE), "mm")
    return _stack([strip, picture])


def _stack(pictures: Sequence[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (max(picture.width for picture in pictures),
                              sum(picture.height for picture in pictures)),
                      "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole


if __name__ == "__main__":
    flags.set_default(command_flags.KIND, "epochs")
    flags.set_default(command_flags.OUTPUT, "gallery.jpg")
    command.run(main)
