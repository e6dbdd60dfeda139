"""The best, median and worst photographs of an evaluation, as one HTML file."""

import base64
import html
from typing import Sequence

import numpy as np
import tensorflow as tf

from data_pipelines import color, pipeline
from data_pipelines.sources import Source
from pix2pix_color.evaluation import protocol
from pix2pix_color.evaluation.protocol import Answer, Evaluation

_NUM_EACH = 16
_JPEG_QUALITY = 92
_STYLE = ("body{font:15px sans-serif;margin:2em}"
          "table{border-collapse:collapse}"
          "td,th{padding:.3em .8em;text-align:right}"
          "figure{display:inline-block;margin:.5em}"
          "figcaption{font-size:12px;max-width:48em}img{max-width:48em}")


def draw(result: Evaluation, *, source: Source, answer: Answer,
         image_size: int, title: str, degraded: bool = False,
         metric: str = "delta_e") -> str:
    """Draws the page.

    Args:
      result: the evaluation.
      source: the photographs that were evaluated.
      answer: what was evaluated.
      image_size: side of the square, pixels.
      title: what was evaluated, in words.
      degraded: whether photographs are shown as old prints.
      metric: by which the photographs are ranked; the lower, the better.

    Returns:
      HTML that needs no other file.
    """
    order = np.argsort(result.generated[metric], kind="stable")
    middle = max(0, (len(order) - _NUM_EACH) // 2)
    sections = []
    for name, places in (("best", order[:_NUM_EACH]),
                         ("median", order[middle:middle + _NUM_EACH]),
                         ("worst", order[::-1][:_NUM_EACH])):
        figures = _figures(result, places.tolist(), source, answer,
                           image_size, degraded)
        sections.append(f"<h2>{name} by {metric}</h2>\n" + "\n".join(figures))
    return (f"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
            f"<body>\n<h1>{html.escape(title)}</h1>\n{_table(result)}\n"
            f"<p>Each photograph: gray, generated, real.</p>\n"
            + "\n".join(sections) + "\n</body></html>\n")


def _table(result: Evaluation) -> str:
    rows = [f"<tr><th>{len(result)} photographs, mean and 95 % interval</th>"
            + "".join(f"<th>{name}</th>" for name in result.means()) + "</tr>"]
    for kind, means, intervals in (
            ("colorized", result.means(), result.intervals()),
            ("gray image", result.gray_means(), result.gray_intervals())):
        cells = []
        for name, mean in means.items():
            low, high = intervals.get(name, (None, None))
            cells.append(f"<td>{mean:.2f}" + (
                "" if low is None else f" ({low:.2f} to {high:.2f})") + "</td>")
        rows.append(f"<tr><th>{kind}</th>{''.join(cells)}</tr>")
    return "<table>" + "\n".join(rows) + "</table>"


def _figures(result: Evaluation, places: Sequence[int], source: Source,
             answer: Answer, image_size: int,
             degraded: bool) -> list[str]:
    chosen = result.indices[list(places)].tolist()
    chosen_source, figures = source.select(chosen), []
    for place, batch in zip(places, pipeline.evaluation_batches(
            chosen_source, image_size=image_size, batch_size=1)):
        shown = protocol.shown(batch, chosen_source, degraded=degraded)
        generated = answer(batch.photo, shown)
        strip = tf.concat([color.given_gray(shown), generated,
                           batch.photo[..., :3]], axis=2)[0]
        jpeg = base64.b64encode(tf.io.encode_jpeg(
            strip, quality=_JPEG_QUALITY, chroma_downsampling=False,
            optimize_size=True).numpy()).decode()
        identity = str(source.identities[int(result.indices[place])])
        numbers = ", ".join(f"{name} {result.generated[name][place]:.2f}"
                            for name in result.metrics)
        figures.append(
            f"<figure><img alt=\"\" src=\"data:image/"
            f"jpeg;base64,{jpeg}\"><figcaption>"
            f"{html.escape(identity)}: {numbers}</figcaption></figure>")
    return figures
