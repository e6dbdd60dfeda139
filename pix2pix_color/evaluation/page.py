"""The best, median and worst photographs of an evaluation, as one HTML file."""

from typing import Any, Iterator, Sequence

import jinja2
import numpy as np

from data_pipelines import pipeline
from data_pipelines.data_uri import jpeg_data_uri
from data_pipelines.sources import Source
from pix2pix_color.evaluation import protocol
from pix2pix_color.evaluation.protocol import Answer, Evaluation
from pix2pix_color.metric_names import METRICS

# What photographs are ranked by; lower is better.
_RANKED_BY = "delta_e"
_PAGE = jinja2.Environment(autoescape=True, trim_blocks=True,
                           lstrip_blocks=True).from_string("""\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<style>
body { font: 15px sans-serif; margin: 2em; }
table { border-collapse: collapse; }
td, th { padding: .3em .8em; text-align: right; }
figure { display: inline-block; margin: .5em; }
figcaption { font-size: 12px; max-width: 48em; }
img { max-width: 48em; }
</style></head><body>
<h1>{{ title }}</h1>
<table>
<tr><th>{{ result|length }} photographs, mean and 95 % interval</th>
{% for name in result.means() %}<th>{{ metrics[name].label }}</th>{% endfor %}
</tr>
{% for row, means, intervals in rows %}
<tr><th>{{ row }}</th>
{% for name, mean in means.items() %}
<td>{{ "%.2f"|format(mean) }}
{% if name in intervals %}({{ "%.2f to %.2f"|format(*intervals[name]) }})
{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</table>
<p>Each photograph: gray, colorized, real.</p>
{% for heading, figures in sections %}
<h2>{{ heading }}</h2>
{% for figure in figures %}
<figure><img alt="" src="{{ figure.uri }}">
<figcaption>{{ figure.identity }}:
{% for name, value in figure.numbers.items() %}
{{ metrics[name].label }} {{ "%.2f"|format(value) }}{{ ", " if not loop.last }}
{% endfor %}</figcaption></figure>
{% endfor %}
{% endfor %}
</body></html>
""")


def draw_page(result: Evaluation, *, source: Source, answer: Answer,
              image_size: int, title: str, degraded: bool = False,
              num_each: int = 16) -> str:
    """Draws the page.

    Args:
      result: the evaluation.
      source: the photographs that were evaluated.
      answer: the colorizer that was evaluated.
      image_size: side of the square, pixels.
      title: the page's heading.
      degraded: whether photographs are shown as old prints.
      num_each: how many of the best, median and worst to show.

    Returns:
      HTML that needs no other file.
    """
    order = np.argsort(result.colorized[_RANKED_BY], kind="stable")
    middle = max(0, (len(order) - num_each) // 2)
    ranks = {"Best": order[:num_each], "Worst": order[::-1][:num_each],
             "Median": order[middle:middle + num_each]}
    return _PAGE.render(
        title=title, result=result, metrics=METRICS,
        rows=[("colorized", result.means(), result.intervals()),
              ("gray image", result.gray_means(), result.gray_intervals())],
        sections=[
            (f"{name} by {METRICS[_RANKED_BY].label}",
             _figures(result, ranks[name].tolist(), source, answer, image_size,
                      degraded)) for name in ("Best", "Median", "Worst")])


def _figures(result: Evaluation, places: Sequence[int], source: Source,
             answer: Answer, image_size: int,
             degraded: bool) -> Iterator[dict[str, Any]]:
    chosen = source.select(result.indices[list(places)].tolist())
    for place, batch in zip(places, pipeline.evaluation_batches(
            chosen, image_size=image_size, batch_size=1)):
        pictures = protocol.gray_colorized_real(
            answer, batch.photo,
            protocol.old_prints(batch, chosen) if degraded else None)
        yield {
            "uri": jpeg_data_uri(np.concatenate(
                [picture[0] for picture in pictures], axis=1)),
            "identity": str(source.identities[int(result.indices[place])]),
            "numbers": {name: result.colorized[name][place]
                        for name in result.metrics}}
