"""Measurements -> one page, a PNG file."""

import io
import warnings
from typing import Any

import numpy as np
from matplotlib import collections, colors, figure, ticker

from data_pipelines import color
from data_pipelines.inspection.measuring import (AB_LIMIT, SHEET_COLUMNS,
                                                 SHEET_ROWS, Measurements,
                                                 count_table)

# The page, in pixels. Positions below are distances from its upper left.
WIDTH, HEIGHT, _DPI = 1600, 2000, 100
_LEFT, _RIGHT = 60, 1540
_INK, _PALE, _ACCENT = "#222222", "#777777", "#c8602c"
_REJECTED_SHOWN = 7


def draw_page(*, title: str, sheet: np.ndarray, photo: np.ndarray,
              photo_name: str, sides: dict[str, Measurements],
              rejected: dict[str, str]) -> bytes:
    """Draws everything on one page.

    Args:
      title: the page's title.
      sheet: uint8 [SHEET_ROWS * SHEET_COLUMNS, S, S, 3].
      photo: uint8 [S, S, 3], the photograph whose channels are drawn, or 4
        channels with its gray photograph.
      photo_name: its name.
      sides: "training" and "evaluation" -> the measurements.
      rejected: name -> reason, from RejectedExamples.

    Returns:
      A PNG file of WIDTH x HEIGHT.
    """
    page = figure.Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI)
    size = photo.shape[0]
    _write(page, _LEFT, 62, _shorten(title, 66), fontsize=24, weight="bold")

    _write_heading(page, 122, "Input of the network",
                   f"{len(sheet)} draws of the training stream at {size} px: "
                   f"random crop, mirror, to L*a*b* and back")
    _draw_sheet(_axes(page, _LEFT, 142, 1480, 555), sheet)

    _write_heading(page, 750, "One photograph, channel by channel", photo_name)
    _draw_channels(page, photo, top=800)

    _write_heading(page, 1434, "Colors and counts",
                   f"pixels of the photographs' center squares at {size} px")
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
        # Letters that matplotlib's font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        page.savefig(file, format="png")
    return file.getvalue()


def _axes(page: figure.Figure, left: float, top: float, width: float,
          height: float) -> Any:
    """Adds axes at a position in pixels."""
    axes = page.add_axes((left / WIDTH, 1 - (top + height) / HEIGHT,
                          width / WIDTH, height / HEIGHT))
    axes.tick_params(labelsize=11, color=_PALE, labelcolor=_PALE)
    axes.spines[:].set_color(_PALE)
    return axes


def _write(page: figure.Figure, left: float, baseline: float, text: str,
           **style: Any) -> None:
    """Writes one line at a position in pixels, without parsing formulas."""
    text = " ".join(text.split()).encode(errors="backslashreplace").decode()
    page.text(left / WIDTH, 1 - baseline / HEIGHT, text, parse_math=False,
              **{"fontsize": 12, "color": _INK, **style})


def _write_heading(page: figure.Figure, baseline: float, heading: str,
                   note: str) -> None:
    _write(page, _LEFT, baseline, heading, fontsize=16, weight="bold")
    _write(page, _RIGHT, baseline, _shorten(note, 90), color=_PALE,
           horizontalalignment="right")


def _shorten(text: str, length: int) -> str:
    """Removes the middle of a text that is too long."""
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def _show(axes: Any, picture: np.ndarray, title: str = "",
          **style: Any) -> None:
    axes.imshow(picture, interpolation="antialiased", **style)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=12, color=_INK, loc="left", pad=5)


def _draw_sheet(axes: Any, sheet: np.ndarray) -> None:
    """Draws uint8 [rows * columns, S, S, 3] side by side, slightly apart."""
    gap = max(1, sheet.shape[1] // 40)
    tiles = np.pad(sheet, [(0, 0), (0, gap), (0, gap), (0, 0)],
                   constant_values=255)
    side = tiles.shape[1]
    tiles = tiles.reshape(SHEET_ROWS, SHEET_COLUMNS, side, side, 3)
    _show(axes, tiles.swapaxes(1, 2).reshape(
        SHEET_ROWS * side, SHEET_COLUMNS * side, 3)[:-gap, :-gap])


def _draw_channels(page: figure.Figure, photo: np.ndarray, *,
                   top: float) -> None:
    """Draws a photograph, its R, G, B, and the network's L, a, b.

    In the pictures of a and b, 0 is nearly white.

    Args:
      page: the page.
      photo: uint8 [S, S, 3 or 4].
      top: position of the pictures, pixels.
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
        # A strip below shows the colors of the whole range.
        _show(_axes(page, left, tile_top + tile + 4, tile, 6),
              np.linspace(low, high, tile)[np.newaxis], aspect="auto", **style)


def _draw_ab(page: figure.Figure, counts: np.ndarray) -> None:
    """Draws int64 [a*, b*] counts and the outline of the sRGB gamut."""
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
    """Draws int64 [bins] counts in percent of pixels, one unit per bin."""
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
    """Writes the table of both sides and the list of rejected photographs."""
    left, line_height, top = 1120, 28, 1478
    rows = count_table(sides)
    for number, (row, *cells) in enumerate(rows):
        baseline = top + number * line_height
        _write(page, left, baseline, row)
        for right, text in zip((1405, _RIGHT), cells):
            _write(page, right, baseline, text, horizontalalignment="right",
                   weight="normal" if row else "bold")

    top += len(rows) * line_height + 14
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
