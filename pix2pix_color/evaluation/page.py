"""An evaluation's numbers and photographs, as one HTML file."""

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
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px sans-serif; margin: 1em; }
h1, figcaption { overflow-wrap: anywhere; }
table { border-collapse: collapse; }
td, th { padding: .3em .6em; text-align: right; }
tr :first-child { padding-left: 0; text-align: left; }
figure { display: inline-block; margin: .5em 1em .5em 0; max-width: 48em;
         vertical-align: top; }
figcaption, code { font-size: 12px; }
img { display: block; max-width: 100%; }
</style></head><body>
<h1>{{ title }}</h1>
<table>
<tr><th>{{ result|length }} photographs: mean (95 % interval)</th>
<th>colorized</th><th>gray image</th></tr>
{% for name in columns[0][0] %}
<tr><th>{{ metrics[name].label_with_arrow }}
{% if name != metrics[name].title %}<code>{{ name }}</code>{% endif %}</th>
{% for means, intervals in columns %}
<td>{{ "%.2f"|format(means[name]) }}
{% if name in intervals %}({{ "%.2f to %.2f"|format(*intervals[name]) }})
{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</table>
<p>Arrows point to the better values. <code>Small names</code> are those in the
JSON and CSV files.</p>
{% for heading, figures in sections %}
<h2>{{ heading }}</h2>
{% if loop.first %}<p>Each photograph: gray, colorized, real.</p>{% endif %}
{% for figure in figures %}
<figure><img alt="" src="{{ figure.uri }}">
<figcaption>{{ figure.identity }}:
{% for name, value in figure.numbers.items() %}
{{ metrics[name].title }} {{ "%.2f"|format(value) }}
{{- " " ~ metrics[name].unit if metrics[name].unit -}}
{{ ", " if not loop.last }}
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
      num_each: how many of the best, median and worst to show. Up to three
        times as many are all shown, once.

    Returns:
      HTML that needs no other file.
    """
    order = np.argsort(result.colorized[_RANKED_BY], kind="stable")
    by = f"by {METRICS[_RANKED_BY].title}"
    middle = (len(order) - num_each) // 2
    ranks = {f"All {len(order)} photographs, the best first, {by}": order}
    if len(order) > 3 * num_each:
        ranks = {f"Best {by}": order[:num_each],
                 f"Median {by}": order[middle:middle + num_each],
                 f"Worst {by}": order[::-1][:num_each]}
    return _PAGE.render(
        title=title, result=result, metrics=METRICS,
        columns=[(result.means(), result.intervals()),
                 (result.gray_means(), result.gray_intervals())],
        sections=[
            (heading, _figures(result, places.tolist(), source, answer,
                               image_size, degraded))
            for heading, places in ranks.items()])


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
