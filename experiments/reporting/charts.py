"""Curves -> small PNG panels. Titles and legends are part of the page."""

import dataclasses
import io
from typing import Mapping, Optional, Sequence

import numpy as np
from matplotlib import figure, ticker
from PIL import Image

INK, PALE, BLUE, ORANGE, TEAL, VIOLET, ROSE = (
    "#222222", "#777777", "#2469b3", "#d2601a", "#12876f", "#7a4fa3",
    "#b2568e")
# Colors of the runs, in order: the palette of Okabe and Ito (2008), which the
# color-blind can tell apart, with its pale colors darkened.
RUN_COLORS = ("#0072b2", "#d55e00", "#009e73", "#b2568e", "#8a6d00",
              "#3f9fd8", "#6b4c9a", "#4d4d4d")

_INCHES, _DPI = (4.0, 2.5), 160
_CHART_COLORS = 128


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a panel.

    Attributes:
      points: x -> y, x ascending; may be empty.
      color: as matplotlib takes it.
      width: in points.
      dashed: whether to draw it dashed, as a level to compare with.
      marked: whether to mark each point.
    """

    points: Mapping[float, float]
    color: str
    width: float = 1.3
    dashed: bool = False
    marked: bool = False


@dataclasses.dataclass(frozen=True)
class Span:
    """The axes that panels to be compared share.

    Attributes:
      x: end of the axis, which begins at 0.
      y: lowest and highest value.
      is_log: whether the y axis is logarithmic.
    """

    x: float
    y: tuple[float, float]
    is_log: bool = False


def common_span(panels: Sequence[Sequence[Line]], *,
                may_be_log: bool = False,
                from_zero: bool = False) -> Optional[Span]:
    """Returns the span of all lines of all panels; None without a point.

    Args:
      panels: the lines of each panel.
      may_be_log: whether positive values far apart get a logarithmic axis.
      from_zero: whether the y axis begins at zero.
    """
    points = [point for lines in panels for line in lines
              for point in line.points.items() if np.isfinite(point[1])]
    if not points:
        return None
    x, y = zip(*points)
    low, high = min(y), max(y)
    if from_zero:
        return Span(max(x), (0.0, 1.08 * high or 1.0))
    is_log = may_be_log and low > 0 and high > 30 * low
    if is_log:
        margin = (high / low)**0.05
        return Span(max(x), (low / margin, high * margin), is_log=True)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return Span(max(x), (low - margin, high + margin))


def draw_panel(lines: Sequence[Line], common: Span, *, x_name: str,
               top_scale: Optional[float] = None, top_name: str = "",
               borders: Sequence[float] = ()) -> bytes:
    """Draws lines in one small panel.

    Args:
      lines: the first is drawn lowest.
      common: the panel's axes.
      x_name: name of the x axis.
      top_scale: factor of x on a second axis above; None for no such axis.
      top_name: name of the axis above.
      borders: places of vertical dotted lines.

    Returns:
      A PNG file.
    """
    drawing = figure.Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = drawing.subplots()
    for border in borders:
        axes.axvline(border, color=PALE, linewidth=1, linestyle=(0, (2, 2)))
    for line in lines:
        axes.plot(
            list(line.points), list(line.points.values()), color=line.color,
            linewidth=line.width, solid_capstyle="round",
            linestyle=(0, (5, 3)) if line.dashed else "-",
            marker="o" if line.marked or len(line.points) == 1 else "",
            markersize=line.width + 2.2)
    if common.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.yaxis.set_major_locator(ticker.MaxNLocator(6))
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlim=(0, common.x * 1.02 or 1), ylim=common.y)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _style(axes.xaxis, x_name)
    axes.tick_params(axis="y", labelsize=8, color=PALE, labelcolor=PALE)
    axes.spines[:].set_color(PALE)
    if top_scale is not None:
        scale = np.float64(top_scale)
        above = axes.secondary_xaxis("top", functions=(
            lambda x: np.multiply(x, scale), lambda x: np.divide(x, scale)))
        above.spines[:].set_color(PALE)
        _style(above.xaxis, top_name)
    return to_png(drawing)


def to_png(drawing: figure.Figure) -> bytes:
    """Encodes a figure as a PNG; a small palette saves two thirds of it."""
    rendered, file = io.BytesIO(), io.BytesIO()
    drawing.savefig(rendered, format="png")
    with Image.open(rendered) as picture:
        picture.convert("RGB").quantize(
            _CHART_COLORS, dither=Image.Dither.NONE).save(
                file, format="png", optimize=True)
    return file.getvalue()


def _style(axis, name):
    axis.set_label_text(name, fontsize=8, color=PALE)
    axis.set_major_locator(ticker.MaxNLocator(6))
    axis.set_major_formatter(ticker.FuncFormatter(
        lambda value, _: f"{value:,.10g}"))
    axis.set_tick_params(labelsize=8, color=PALE, labelcolor=PALE)
