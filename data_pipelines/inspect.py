"""What the data look like: python -m data_pipelines.inspect --data=SPEC.

Draws one page, --output=page.png: photographs as they leave the training
pipeline, the channels of one of them as they enter the network, how their
colors are distributed, and counts.

The contact sheet is the first batch of fit's own stream, decoded back from
condition and target. What is measured, is so on the evaluation protocol's
centre squares at --image_size.
"""

import contextlib
import dataclasses
import io
import math
import os
import warnings
from typing import Any, BinaryIO, Iterator, NamedTuple, Sequence, cast

import numpy as np
import tensorflow as tf
import tqdm
from absl import flags
from matplotlib import collections, colors, figure, ticker

from data_pipelines import augment, color, command, pipeline, split
from data_pipelines.errors import InputError
from data_pipelines.sources import SPECS, Source

BATCH_SIZE = 16
SHEET_ROWS, SHEET_COLUMNS = 3, 8
# Histograms have bins one unit of L*, a*, b* wide. The chroma of sRGB ends at
# 133.8, in its blue.
AB_LIMIT = int(color.AB_SCALE)
CHROMA_LIMIT = 134

# The page, in pixels; every place below is a distance from its upper left.
WIDTH, HEIGHT, _DPI = 1600, 2000, 100
_LEFT, _RIGHT = 60, 1540
_INK, _PALE, _ACCENT = "#222222", "#777777", "#c8602c"
_REJECTED_SHOWN = 7


class MeasuredBatch(NamedTuple):
    """Photographs to measure.

    Attributes:
      rgb: uint8 [N, S, S, 3], centre squares.
      index: int64 [N], the photographs' places in the source.
      size: int32 [N, 2], height and width as found, pixels.
    """

    rgb: tf.Tensor
    index: tf.Tensor
    size: tf.Tensor


@dataclasses.dataclass
class Measurements:
    """What one side, training or evaluation, holds.

    Attributes:
      total: how many photographs there are.
      chosen: how many of them were to be measured.
      lightness_counts: int64 [100], pixels by L*.
      chroma_counts: int64 [CHROMA_LIMIT], pixels by hypot(a*, b*).
      ab_counts: int64 [2 * AB_LIMIT, 2 * AB_LIMIT], pixels by a* and b*.
      identities: the photographs that were read; the lists below follow it.
      sizes: (height, width) in pixels.
      chroma: mean over the photograph's pixels, native units.
      variety: standard deviation of (a*, b*) over its pixels, native units.
    """

    total: int
    chosen: int = 0
    lightness_counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(100, np.int64))
    chroma_counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(CHROMA_LIMIT, np.int64))
    ab_counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros([2 * AB_LIMIT] * 2, np.int64))
    identities: list[str] = dataclasses.field(default_factory=list)
    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    chroma: list[float] = dataclasses.field(default_factory=list)
    variety: list[float] = dataclasses.field(default_factory=list)

    def add(self, rgb: np.ndarray) -> None:
        """Counts the pixels of uint8 [N, S, S, 3]."""
        lightness, a, b = np.moveaxis(color.rgb_to_lab(rgb).numpy(), -1, 0)
        chroma = np.hypot(a, b)
        self.lightness_counts += _count(lightness, 100)
        self.chroma_counts += _count(chroma, CHROMA_LIMIT)
        row, column = (np.floor(channel + AB_LIMIT) for channel in (a, b))
        self.ab_counts += _count(
            row * (2 * AB_LIMIT) + column, self.ab_counts.size,
        ).reshape(self.ab_counts.shape)
        self.chroma += chroma.mean(axis=(1, 2)).tolist()
        self.variety += np.hypot(
            a.std(axis=(1, 2)), b.std(axis=(1, 2))).tolist()

    def most_varied(self) -> str:
        """The photograph whose pixels differ most in color."""
        return self.identities[int(np.argmax(self.variety))]


def _count(values: np.ndarray, num_bins: int) -> np.ndarray:
    """Counts values in bins one unit wide; rounding errors stay inside."""
    bins = np.clip(values.astype(np.int64), 0, num_bins - 1)
    return np.bincount(bins.ravel(), minlength=num_bins)


def measure(source: Source, *, image_size: int, examples: int,
            rejected: pipeline.RejectedExamples, name: str) -> Measurements:
    """Reads photographs and counts their pixels.

    Args:
      source: the photographs.
      image_size: side of the centre squares, pixels.
      examples: how many to read at most, spread evenly; 0 for all.
      rejected: is told of photographs that cannot be read.
      name: of the side, for the progress bar.

    Raises:
      InputError: not one of them can be read.
    """
    measured = Measurements(total=len(source))
    if 0 < examples < len(source):
        source = source.select(
            np.linspace(0, len(source) - 1, examples).round().astype(int))
    measured.chosen = len(source)

    def load(index):
        rgb = source.load(index)[..., :3]  # without a gray one of its own
        return MeasuredBatch(
            augment.centre_square(rgb, image_size=image_size), index,
            tf.shape(rgb)[:2])

    batches = (tf.data.Dataset.range(len(source))
               .map(load, num_parallel_calls=tf.data.AUTOTUNE)
               .ignore_errors().batch(BATCH_SIZE).prefetch(1))
    with tqdm.tqdm(total=len(source), desc=name, unit="photo",
                   disable=None) as bar:
        # It passes on whatever has an index.
        for batch in cast(Iterator[MeasuredBatch],
                          rejected.watch_evaluation(batches, source)):
            measured.add(batch.rgb.numpy())
            measured.sizes += map(tuple, batch.size.numpy().tolist())
            measured.identities += [
                source.identities[index] for index in batch.index.numpy()]
            bar.update(len(batch.index))
    return measured


def draw_page(*, title: str, sheet: np.ndarray, photo: np.ndarray,
              photo_name: str, sides: dict[str, Measurements],
              rejected: dict[str, str]) -> bytes:
    """Draws everything on one page.

    Args:
      title: what the page is about.
      sheet: uint8 [SHEET_ROWS * SHEET_COLUMNS, S, S, 3].
      photo: uint8 [S, S, 3], the photograph whose channels are drawn; or 4
        with the gray photograph that belongs to it.
      photo_name: its name.
      sides: "training" and "evaluation" -> what was measured.
      rejected: name -> reason, as RejectedExamples has them.

    Returns:
      A PNG file of WIDTH x HEIGHT.
    """
    page = figure.Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI)
    size = photo.shape[0]
    _write(page, _LEFT, 62, _shorten(title, 66), fontsize=24, weight="bold")

    _write_heading(page, 122, "What the network is given",
                   f"{len(sheet)} draws of the training stream at {size} px: "
                   f"random crop, mirror, to L*a*b* and back")
    _draw_sheet(_axes(page, _LEFT, 142, 1480, 555), sheet)

    _write_heading(page, 750, "One photograph, channel by channel", photo_name)
    _draw_channels(page, photo, top=800)

    _write_heading(page, 1434, "Colors and counts",
                   f"pixels of the photographs' centre squares at {size} px")
    _draw_ab(page, sides["training"].ab_counts)
    axes = _axes(page, 665, 1484, 385, 170)
    _draw_distribution(axes, "Chroma, hypot(a*, b*)", {
        name: side.chroma_counts for name, side in sides.items()})
    axes.legend(frameon=False, fontsize=11, labelcolor=_INK)
    _draw_distribution(_axes(page, 665, 1738, 385, 170), "Lightness L*", {
        name: side.lightness_counts for name, side in sides.items()})
    _write_counts(page, sides, rejected)

    file = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that matplotlib's font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        page.savefig(file, format="png")
    return file.getvalue()


def _axes(page: figure.Figure, left: float, top: float, width: float,
          height: float) -> Any:
    """Adds axes at a place in pixels."""
    axes = page.add_axes((left / WIDTH, 1 - (top + height) / HEIGHT,
                          width / WIDTH, height / HEIGHT))
    axes.tick_params(labelsize=11, color=_PALE, labelcolor=_PALE)
    axes.spines[:].set_color(_PALE)
    return axes


def _write(page: figure.Figure, left: float, baseline: float, text: str,
           **style: Any) -> None:
    """Writes a line at a place in pixels, on one line, and just as it is."""
    text = " ".join(text.split()).encode(errors="backslashreplace").decode()
    page.text(left / WIDTH, 1 - baseline / HEIGHT, text, parse_math=False,
              **{"fontsize": 12, "color": _INK, **style})


def _write_heading(page: figure.Figure, baseline: float, heading: str,
                   note: str) -> None:
    _write(page, _LEFT, baseline, heading, fontsize=16, weight="bold")
    _write(page, _RIGHT, baseline, _shorten(note, 90), color=_PALE,
           horizontalalignment="right")


def _shorten(text: str, length: int) -> str:
    """Takes the middle out of a text that is too long."""
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def _show(axes: Any, picture: np.ndarray, title: str = "",
          **style: Any) -> None:
    axes.imshow(picture, interpolation="antialiased", **style)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=12, color=_INK, loc="left", pad=5)


def _draw_sheet(axes: Any, sheet: np.ndarray) -> None:
    """Sets uint8 [rows * columns, S, S, 3] side by side, a white line apart."""
    gap = max(1, sheet.shape[1] // 40)
    tiles = np.pad(sheet, [(0, 0), (0, gap), (0, gap), (0, 0)],
                   constant_values=255)
    side = tiles.shape[1]
    tiles = tiles.reshape(SHEET_ROWS, SHEET_COLUMNS, side, side, 3)
    _show(axes, tiles.swapaxes(1, 2).reshape(
        SHEET_ROWS * side, SHEET_COLUMNS * side, 3)[:-gap, :-gap])


def _draw_channels(page: figure.Figure, photo: np.ndarray, *,
                   top: float) -> None:
    """Draws a photograph and its R, G, B, L, a, b as the network has them.

    Nearly white is 0 in the pictures of a and b.

    Args:
      page: where to.
      photo: uint8 [S, S, 3 or 4].
      top: of the pictures, pixels.
    """
    tile, gap = 264, 40
    _show(_axes(page, _LEFT, top, 2 * tile + gap, 2 * tile + gap),
          photo[..., :3])
    lightness, ab = (tensor.numpy() for tensor in color.LAB.encode(photo))
    green_to_magenta, blue_to_yellow = (
        colors.LinearSegmentedColormap.from_list("", stops) for stops in (
            ("#00564b", "#2fae98", "#f2f2f2", "#ee5d9c", "#7d0040"),
            ("#12257f", "#4d83ea", "#f2f2f2", "#e2ad12", "#6b4e00")))
    channels = [
        ("R, 0 … 255", photo[..., 0], "gray", (0, 255)),
        ("G, 0 … 255", photo[..., 1], "gray", (0, 255)),
        ("B, 0 … 255", photo[..., 2], "gray", (0, 255)),
        ("L*/50 − 1, −1 … 1", lightness[..., 0], "gray", (-1, 1)),
        ("a*/110, −1 … 1", ab[..., 0], green_to_magenta, (-1, 1)),
        ("b*/110, −1 … 1", ab[..., 1], blue_to_yellow, (-1, 1)),
    ]
    for place, (title, channel, color_map, (low, high)) in enumerate(channels):
        row, column = divmod(place, 3)
        left = _LEFT + (2 + column) * (tile + gap)
        tile_top = top + row * (tile + gap)
        style: dict[str, Any] = {
            "cmap": color_map, "vmin": low, "vmax": high}
        _show(_axes(page, left, tile_top, tile, tile), channel, title, **style)
        # A strip below: the colors of the whole range, the lowest at its left.
        _show(_axes(page, left, tile_top + tile + 4, tile, 6),
              np.linspace(low, high, tile)[np.newaxis], aspect="auto", **style)


def _draw_ab(page: figure.Figure, counts: np.ndarray) -> None:
    """Draws int64 [a*, b*] counts, within the outline of the sRGB gamut."""
    axes = _axes(page, 120, 1484, 424, 424)
    edge = np.linspace(0, 255, 52).astype(np.uint8)
    zero, full = np.zeros_like(edge), np.full_like(edge, 255)
    # The most saturated colors: red, yellow, green, cyan, blue, magenta.
    outline = np.concatenate([
        np.stack(channels, axis=-1) for channels in (
            (full, edge, zero), (edge[::-1], full, zero), (zero, full, edge),
            (zero, edge[::-1], full), (edge, zero, full),
            (full, zero, edge[::-1]))])
    ab = color.rgb_to_lab(outline[np.newaxis]).numpy()[0, :, 1:]
    axes.axhline(0, color=_PALE, linewidth=0.5)
    axes.axvline(0, color=_PALE, linewidth=0.5)
    image = axes.imshow(
        np.where(counts, counts, np.nan).T, origin="lower", aspect="auto",
        extent=(-AB_LIMIT, AB_LIMIT, -AB_LIMIT, AB_LIMIT), cmap="magma_r",
        norm=colors.LogNorm(1, max(10, counts.max())), zorder=2)
    axes.add_collection(collections.LineCollection(
        list(np.stack([ab, np.roll(ab, -1, axis=0)], axis=1)), linewidth=3,
        colors=outline / 255, capstyle="round", zorder=3))
    axes.set(xticks=range(-100, 101, 50), yticks=range(-100, 101, 50))
    axes.set_xlabel("a*", color=_INK, fontsize=12)
    axes.set_ylabel("b*", color=_INK, fontsize=12, labelpad=-4)
    axes.set_title("a* and b* of training pixels, sRGB outlined", fontsize=12,
                   color=_INK, loc="left", pad=5)
    bar = page.colorbar(image, cax=_axes(page, 553, 1484, 12, 424))
    bar.ax.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    bar.ax.yaxis.set_minor_locator(ticker.NullLocator())
    bar.outline.set_visible(False)


def _draw_distribution(axes: Any, title: str,
                       sides: dict[str, np.ndarray]) -> None:
    """Draws int64 [bins] counts as percent of pixels, one unit a bin."""
    for (name, counts), style in zip(sides.items(), (
            {"fill": True, "color": _ACCENT, "alpha": 0.45},
            {"fill": False, "color": _INK, "linewidth": 1.2})):
        percent = 100 * counts / counts.sum()
        axes.stairs(percent, np.arange(len(counts) + 1), label=name, **style)
    axes.set(xlim=(0, len(counts)), ylim=(0, None))
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.yaxis.set_major_locator(ticker.MaxNLocator(4))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=12, color=_INK, loc="left", pad=5)


def _write_counts(page: figure.Figure, sides: dict[str, Measurements],
                  rejected: dict[str, str]) -> None:
    """Writes a table of both sides, and which photographs were rejected."""
    left, line_height, top = 1120, 28, 1478
    table = _table(sides)
    for number, (row, *cells) in enumerate(table):
        baseline = top + number * line_height
        _write(page, left, baseline, row)
        for right, text in zip((1405, _RIGHT), cells):
            _write(page, right, baseline, text, horizontalalignment="right",
                   weight="normal" if row else "bold")

    top += len(table) * line_height + 14
    _write(page, left, top, f"Rejected: {len(rejected) or 'none'}",
           weight="bold")
    lines = [f"{_shorten(name.partition(': ')[2], 26)}: {reason}"
             for name, reason in rejected.items()]
    if len(lines) > _REJECTED_SHOWN:
        hidden = len(lines) - _REJECTED_SHOWN + 1
        lines[-hidden:] = [f"and {hidden:,} more"]
    for number, line in enumerate(lines, start=1):
        _write(page, left, top + 21 * number, line[:52], fontsize=10,
               color=_PALE)


def _table(sides: dict[str, Measurements]) -> list[tuple[str, ...]]:
    """The counts as text: a head, then a row each, its name first."""
    def summary(side):
        sizes = sorted(side.sizes, key=lambda size: (math.prod(size), size))
        return {
            "photographs": f"{side.total:,}",
            "measured": f"{len(side.chroma):,}",
            "rejected": f"{side.chosen - len(side.chroma):,}",
            "smallest, px": f"{sizes[0][1]:,} x {sizes[0][0]:,}",
            "largest, px": f"{sizes[-1][1]:,} x {sizes[-1][0]:,}",
            "mean chroma": f"{np.mean(side.chroma):.1f}",
            "chroma, grayest": f"{min(side.chroma):.1f}",
            "chroma, most vivid": f"{max(side.chroma):.1f}",
        }

    columns = [summary(side) for side in sides.values()]
    return [("", *sides)] + [(row, *(column[row] for column in columns))
                             for row in columns[0]]


def contact_sheet(source: Source, *, image_size: int, resize_size: int,
                  seed: int,
                  rejected: pipeline.RejectedExamples) -> np.ndarray:
    """The first examples of fit's stream, decoded from condition and target.

    Args:
      source: the training photographs.
      image_size: side of the networks' square, pixels.
      resize_size: what the shorter side is resized to before the crop, pixels.
      seed: determines order and augmentation.
      rejected: is told of photographs that cannot be read.

    Returns:
      uint8 [SHEET_ROWS * SHEET_COLUMNS, S, S, 3].
    """
    batch = next(rejected.watch_training(
        lambda first_ordinal: pipeline.training_batches(
            source, color_space=color.LAB, image_size=image_size,
            resize_size=resize_size, batch_size=SHEET_ROWS * SHEET_COLUMNS,
            seed=seed, first_ordinal=first_ordinal),
        source, seed=seed, first_ordinal=0))
    return color.LAB.decode(batch.condition, batch.target).numpy()


def find_photo(wanted: str, *sources: Source) -> tuple[Source, int]:
    """Finds a photograph by its name, or by its number in the first source.

    Returns:
      Its source and its index there.

    Raises:
      InputError: there is none.
    """
    for source in sources:
        with contextlib.suppress(ValueError):
            return source, source.identities.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(sources[0]):
        return sources[0], int(wanted)
    raise InputError(
        f"--photo={wanted} is neither the name of a photograph nor a number "
        f"from 0 to {len(sources[0]) - 1}")


@contextlib.contextmanager
def new_file(path: str) -> Iterator[BinaryIO]:
    """Opens --output under a temporary name; it appears whole or not at all.

    Raises:
      InputError: it exists, is no .png, or cannot be written.
    """
    if not path.endswith(".png"):
        raise InputError(f"--output={path} must name a .png file")
    if os.path.lexists(path):
        raise InputError(f"--output={path} exists and is not overwritten; "
                         f"remove it or choose another name")
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        file = open(temporary, "xb")
    except OSError as error:
        raise InputError(f"--output={path} cannot be written: "
                         f"{error.strerror}") from error
    try:
        with file:
            yield file
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_string("data", "sample_photos", f"Photographs: {SPECS}.")
    flags.DEFINE_string(
        "tfds_data_dir", "",
        "Where TensorFlow Datasets keeps its data sets; empty is its default.")
    flags.DEFINE_string(
        "eval_data", "",
        "Evaluation photographs, as --data; empty sets some of --data aside.")
    flags.DEFINE_float(
        "eval_fraction", 0.1,
        "Share of --data set aside for evaluation when --eval_data is empty; "
        "sample_photos sets its own 8 aside.", lower_bound=0, upper_bound=1)
    flags.DEFINE_string(
        "output", "", "The page to write, a .png file that does not exist yet.")
    flags.DEFINE_integer(
        "image_size", 256, "Side of the networks' square in pixels.",
        lower_bound=32, upper_bound=512)
    flags.DEFINE_integer(
        "resize_size", 0,
        "What a photograph's shorter side is resized to before the random "
        "crop of --image_size, in pixels; 0 takes pix2pix's 286/256 of it.",
        lower_bound=0)
    flags.DEFINE_integer(
        "examples", 1000,
        "How many photographs to measure at most, of the training and of the "
        "evaluation side each, spread evenly; 0 for all.", lower_bound=0)
    flags.DEFINE_integer(
        "seed", 0, "Determines order and augmentation, as fit's.",
        lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_string(
        "photo", "",
        "The photograph whose channels are drawn: its name, or its number "
        "among the training ones; empty takes the most varied in color.")


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    options = flags.FLAGS
    image_size = options.image_size
    resize_size = (options.resize_size
                   or augment.default_resize_size(image_size))
    if resize_size < image_size:
        raise InputError(f"--resize_size={resize_size} must be at least "
                         f"--image_size={image_size}, or 0")
    with new_file(options.output) as file:
        train, evaluation = split.open_train_and_eval(
            data=options.data, eval_data=options.eval_data,
            eval_fraction=options.eval_fraction, train_examples=0,
            eval_examples=0, tfds_data_dir=options.tfds_data_dir)
        if options.photo:
            source, index = find_photo(options.photo, train, evaluation)
        # However many are bad: that is what one wants to see.
        rejected = pipeline.RejectedExamples(max_bad_fraction=math.inf)
        sheet = contact_sheet(train, image_size=image_size,
                              resize_size=resize_size, seed=options.seed,
                              rejected=rejected)
        training, held_out = (
            measure(side, image_size=image_size, examples=options.examples,
                    rejected=rejected, name=name)
            for name, side in (("training", train), ("evaluation", evaluation)))
        if not options.photo:
            source, index = find_photo(training.most_varied(), train)
        try:
            photo = source.load(tf.constant(index, tf.int64))
        except tf.errors.OpError as error:
            raise InputError(f"--photo={options.photo} cannot be read; choose "
                             f"another photograph") from error
        sides = {"training": training, "evaluation": held_out}
        file.write(draw_page(
            title=f"--data={options.data}", sheet=sheet,
            photo=augment.centre_square(photo, image_size=image_size).numpy(),
            photo_name=source.identities[index], sides=sides,
            rejected=rejected.reasons))
    for row, *cells in _table(sides):
        print(f"{row:<20}" + "".join(f"{text:>13}" for text in cells))
    print(f"{'page':<20}{options.output}")


if __name__ == "__main__":
    define_flags()
    command.run(main)
