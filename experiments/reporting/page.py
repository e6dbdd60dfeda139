"""Runs -> one HTML page that needs nothing else."""

import base64
import html
from typing import Any, Iterator, Mapping, Optional, Sequence

from experiments.reporting import charts, photographs, runs
from experiments.reporting.charts import Line
from experiments.reporting.runs import Run
from pix2pix_color.metric_names import METRICS

# One question each: its curves, in words and colors, and whether they may need
# a logarithmic axis.
_LOSSES: Sequence[tuple[str, Mapping[str, tuple[str, str]], bool]] = (
    ("Discriminator on real and on fake", {
        "loss/discriminator_real": ("on photographs", charts.BLUE),
        "loss/discriminator_fake": ("on generated", charts.ORANGE)}, False),
    ("Generator: total and its parts", {
        "loss/generator": ("total", charts.INK),
        "loss/generator_adversarial": ("adversarial", charts.ORANGE),
        "loss/generator_l1": ("L1", charts.TEAL),
        "loss/generator_psnr": ("PSNR", charts.BLUE),
        "loss/generator_colorfulness": ("colorfulness", charts.PALE),
        "loss/generator_semantic": ("semantic", charts.VIOLET)}, True),
    ("Generator against discriminator", {
        "loss/generator": ("generator", charts.INK),
        "loss/discriminator": ("discriminator", charts.BLUE)}, True),
)
_SPEEDS = {"learning_rate/generator": "generator's learning rate",
           "learning_rate/discriminator": "discriminator's learning rate",
           "images_per_second": "images per second"}

_STYLE = """
body { font: 15px/1.45 system-ui, "Helvetica Neue", Arial, sans-serif;
  color: #222; background: #fff; max-width: 1240px; margin: 2.5rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .3rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .2rem; }
p { margin: .2rem 0 .8rem; color: #666; max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .28rem .9rem .28rem 0; text-align: left;
  vertical-align: top; }
th { font-weight: 600; overflow-wrap: anywhere; }
thead th { border-bottom: 1.5px solid #222; vertical-align: bottom; }
tbody tr { border-bottom: 1px solid #e4e4e4; }
td { max-width: 22rem; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; padding-left: .9rem; }
tr.pale { color: #777; } tr.pale th { font-weight: 400; }
.best { font-weight: 700; }
.panels { display: grid; gap: .6rem 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(360px, 1fr)); }
figure { margin: 0; } figure img { width: 100%; max-width: 480px; }
figcaption { font-weight: 600; font-size: .93rem; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem;
  margin: .3rem 0 .5rem; }
.legend span { display: inline-flex; align-items: center; gap: .45rem;
  overflow-wrap: anywhere; }
.legend i { width: 22px; border-top: 3px solid; flex: none; }
.legend i.dashed { border-top-style: dashed; border-top-width: 2px; }
.photographs { display: grid; gap: 4px; align-items: center; }
.photographs img { width: 100%; display: block; }
.photographs b { overflow-wrap: anywhere; padding-right: .5rem;
  font-size: .93rem; }
.photographs i { aspect-ratio: 1; background: #f2f2f2; }
"""


def build_page(compared: Sequence[Run]) -> str:
    """Builds the page: HTML, its pictures within it.

    Args:
      compared: the runs, each under its own name.
    """
    title = (compared[0].name if len(compared) == 1
             else f"{len(compared)} runs compared")
    body = "\n".join([
        f"<h1>{_text(title)}</h1>", *_summary(compared), *_flags(compared),
        *_final(compared), *_at_equal_epochs(compared),
        *_photographs(compared), *_metric_curves(compared),
        *_loss_curves(compared), *_speeds(compared)])
    return (f"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
            f"<meta charset=\"utf-8\">\n"
            f"<meta name=\"viewport\" content=\"width=device-width\">\n"
            f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
            f"<body>\n{body}\n</body>\n</html>\n")


def _summary(compared: Sequence[Run]) -> Iterator[str]:
    def state(run):
        if run.is_finished:
            return "finished"
        return (f"at step {run.step:,} of {run.total_steps:,} when this was "
                f"made")

    def seconds(value):
        return "" if value is None else (
            f"{value:,.0f} s" if value < 600 else f"{value / 60:,.0f} min"
            if value < 36000 else f"{value / 3600:,.1f} h")

    def best(run):
        known = run.facts.get("best") or {}
        return ("{metric} {value:.2f} at step {step:,}".format(**known)
                if known else "")

    rows = {
        "state": map(state, compared),
        "updates": (f"{run.step:,}" for run in compared),
        "epochs": (f"{run.step / run.steps_per_epoch:,.1f}"
                   for run in compared),
        "photographs": (
            "{train_photographs:,} to train on, {evaluation_photographs:,} to "
            "evaluate on".format(**run.facts["data"]) for run in compared),
        "best checkpoint": map(best, compared),
        "images per second": (
            "" if run.images_per_second() is None
            else f"{run.images_per_second():.1f}" for run in compared),
        "time of the updates": (
            seconds(run.training_seconds()) for run in compared),
        **{f"time of {activity}": [
            seconds(run.facts["seconds"][activity]) if run.is_finished else ""
            for run in compared]
            for activity in ("evaluation", "summaries", "checkpoints")
            if any(run.is_finished for run in compared)},
        "device": (run.facts["hardware"] for run in compared),
        "precision": (run.facts["precision"] for run in compared),
    }
    yield from _table("", [run.name for run in compared],
                      {name: list(cells) for name, cells in rows.items()})


def _flags(compared: Sequence[Run]) -> Iterator[str]:
    several = len(compared) > 1
    yield _heading("Flags that differ" if several else
                   "Flags that are not the defaults")
    differing = runs.differing_flags(compared)
    if not differing:
        yield ("<p>The runs have the same flags.</p>" if several else
               "<p>All flags are the defaults.</p>")
        return
    yield from _table("flag", [run.name for run in compared], {
        f"--{name}": [str(value) for value in values]
        for name, values in differing.items()})


def _final(compared: Sequence[Run]) -> Iterator[str]:
    """The last evaluation of each run, beside the gray image's."""
    yield _heading("Results", "Means over photographs, with the same numbers "
                   "for the gray image; ↓ lower is better, ↑ higher is better.")
    groups: list[tuple[str, str, bool]] = [
        ("evaluation", "Evaluation photographs", True),
        ("training", "Training photographs: what was learned by heart", False)]
    for kind, title, has_curve in groups:
        rows: dict[str, Mapping[str, float]] = {}
        gray: dict[str, Mapping[str, float]] = {}
        for run in compared:
            measured = run.facts.get(kind, {})
            is_newest = run.facts.get("step", 0) >= run.step
            if measured and is_newest:
                rows[f"{run.name}, step {run.facts['step']:,}"] = (
                    measured["colorized"])
            elif has_curve and run.evaluated_steps:
                step = run.evaluated_steps[-1]
                rows[f"{run.name}, step {step:,} so far"] = run.metrics_at(step)
            if measured:
                gray[run.name] = measured["gray_image"]
        if rows:
            yield f"<h3>{title}</h3>"
            yield from _metrics_table(rows, _of_distinct(compared, gray))


def _of_distinct(compared: Sequence[Run],
                 gray: Mapping[str, Mapping[str, float]]
                 ) -> dict[str, Mapping[str, float]]:
    """Names the gray image once where it is the same one for all runs."""
    values = list(gray.values())
    # A run that is going has no numbers of it yet, but may have its pictures.
    pictures = {(run.config.data.image_size, run.config.data.data,
                 run.config.data.eval_data, run.config.data.eval_fraction,
                 run.config.data.eval_examples) for run in compared}
    if (values and all(value == values[0] for value in values)
            and (len(pictures) == 1 or len(values) == len(compared))):
        return {"gray image": values[0]}
    return {f"gray image of {name}": value for name, value in gray.items()}


def _at_equal_epochs(compared: Sequence[Run]) -> Iterator[str]:
    if len(compared) < 2:
        return
    epoch, steps = runs.equal_epochs(compared)
    yield _heading(
        "At equal epochs", f"Each run's evaluation at epoch {epoch:,.2f}, or "
        f"its last one before.")
    rows: dict[str, Mapping[str, float]] = {}
    for run, step in zip(compared, steps):
        if step is None:
            rows[f"{run.name}, no evaluation by then"] = {}
        else:
            rows[f"{run.name}, epoch {step / run.steps_per_epoch:,.2f}, step "
                 f"{step:,}"] = run.metrics_at(step)
    yield from _metrics_table(rows, {})


def _metrics_table(rows: Mapping[str, Mapping[str, float]],
                   pale: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """A row of metrics for each name; the best of `rows` stand out."""
    names = [name for name in METRICS
             if any(name in row for row in rows.values())]

    def best(name):
        values = [row[name] for row in rows.values() if name in row]
        rises = METRICS[name].higher_is_better
        if rises is None or len(set(values)) < 2:
            return None
        return max(values) if rises else min(values)

    yield '<div class="scroll"><table>\n<thead><tr><th></th>'
    for name in names:
        yield f'<th class="number">{METRICS[name].label_with_arrow}</th>'
    yield "</tr></thead>\n<tbody>"
    for row_class, part in (("", rows), (' class="pale"', pale)):
        for row_name, row in part.items():
            yield f"<tr{row_class}><th>{_text(row_name)}</th>"
            for name in names:
                mark = (" best" if part is rows and name in row
                        and row[name] == best(name) else "")
                value = f"{row[name]:.2f}" if name in row else "–"
                yield f'<td class="number{mark}">{value}</td>'
            yield "</tr>"
    yield "</tbody></table></div>"


def _photographs(compared: Sequence[Run]) -> Iterator[str]:
    for kind, title, note in (
            ("step", "Evaluation photographs",
             "From each run's newest sample grid."),
            ("training", "Training photographs",
             "What was learned by heart, at the end of a run.")):
        found = photographs.match([run.pictures(kind) for run in compared])
        if not found:
            continue
        yield _heading(title, note)
        yield (f'<div class="scroll"><div class="photographs" style="'
               f'grid-template-columns: 8rem repeat({len(found)}, '
               f'minmax(88px, 1fr)); max-width: {9 + 11 * len(found)}rem">')
        yield from _picture_row("gray", [photo.gray for photo in found])
        for place, run in enumerate(compared):
            if any(photo.generated[place] is not None for photo in found):
                yield from _picture_row(
                    run.name, [photo.generated[place] for photo in found])
        yield from _picture_row("real", [photo.real for photo in found])
        yield "</div></div>"


def _picture_row(name: str, pictures: Sequence[Any]) -> Iterator[str]:
    yield f"<b>{_text(name)}</b>"
    for picture in pictures:
        yield ("<i></i>" if picture is None else
               f'<img alt="{_text(name)}" src="'
               f'{photographs.data_url(picture)}">')


def _metric_curves(compared: Sequence[Run]) -> Iterator[str]:
    tags = {f"metric/{name}": metric.label_with_arrow
            for name, metric in METRICS.items()}
    gray: dict[str, Mapping[str, float]] = _of_distinct(compared, {
        run.name: run.facts["evaluation"]["gray_image"] for run in compared
        if "evaluation" in run.facts})
    levels = ({f"metric/{name}": value
               for name, value in gray["gray image"].items()
               if METRICS[name].higher_is_better is not None}
              if "gray image" in gray else {})
    yield from _curves_of_all(
        compared, tags, "Metrics over time",
        "On the evaluation photographs.", levels=levels, marked=True)


def _speeds(compared: Sequence[Run]) -> Iterator[str]:
    yield from _curves_of_all(
        compared, _SPEEDS, "Learning rates and speed",
        "Images per second of the updates alone, evaluations and checkpoints "
        "left out.")


def _curves_of_all(compared: Sequence[Run], tags: Mapping[str, str],
                   heading: str, note: str, *,
                   levels: Optional[Mapping[str, float]] = None,
                   marked: bool = False) -> Iterator[str]:
    """One panel a tag, all runs in it, over epochs.

    Where an epoch is not as many updates in one run as in another, the same
    panels over updates follow.
    """
    tags = {tag: title for tag, title in tags.items()
            if any(run.values(tag) for run in compared)}
    if not tags:
        return
    yield _heading(heading, note)
    legend = [(run.name, color, False)
              for run, color in zip(compared, _colors(compared))]
    yield _legend(legend + [("gray image", charts.PALE, True)] * bool(levels))
    lengths = {run.steps_per_epoch for run in compared}
    common = lengths.pop() if len(lengths) == 1 else None
    for over_epochs in ((True,) if common else (True, False)):
        yield '<div class="panels">'
        for tag, title in tags.items():
            yield from _panel_of_all(
                compared, tag, title, over_epochs=over_epochs,
                steps_per_epoch=common, level=(levels or {}).get(tag),
                marked=marked)
        yield "</div>"


def _panel_of_all(compared: Sequence[Run], tag: str, title: str, *,
                  over_epochs: bool, steps_per_epoch: Optional[float],
                  level: Optional[float], marked: bool) -> Iterator[str]:
    lines = []
    for place, (run, color) in enumerate(zip(compared, _colors(compared))):
        unit = run.steps_per_epoch if over_epochs else 1
        lines.append(Line(
            {step / unit: value for step, value in run.values(tag).items()
             # Nothing was measured since the last point.
             if value or tag != "images_per_second"},
            # Rates that agree lie on each other: the first stays visible.
            color, marked=marked,
            width=1.3 + 1.2 * (len(compared) - 1 - place)
            if tag.startswith("learning_rate/") else 1.4))
    end = max(x for line in lines for x in line.points or [0])
    if level is not None:
        lines.insert(0, Line({0: level, end * 1.02: level}, charts.PALE,
                             dashed=True))
    common = charts.span([lines], from_zero=tag in _SPEEDS)
    if common is None:
        return
    borders = {run.pretrained_until / (run.steps_per_epoch if over_epochs
                                       else 1)
               for run in compared if run.pretrained_until is not None}
    yield _figure(title, charts.draw_panel(
        lines, common, x_name="epochs" if over_epochs else "updates",
        top_scale=steps_per_epoch if over_epochs else None,
        top_name="updates", borders=sorted(borders)))


def _loss_curves(compared: Sequence[Run]) -> Iterator[str]:
    """A panel for each question and run, the same scale for all runs."""
    yield _heading(
        "Losses", "Means since the last point, the same scale for all runs. A "
        "dotted vertical line is where adversarial training sets in after "
        "pretraining without it.")
    for title, every_tag, may_be_log in _LOSSES:
        tags = {tag: drawn for tag, drawn in every_tag.items()
                if any(run.values(tag) for run in compared)}
        panels = [[Line({step / run.steps_per_epoch: value
                         for step, value in run.values(tag).items()}, color)
                   for tag, (_, color) in tags.items()] for run in compared]
        common = charts.span(panels, may_be_log=may_be_log)
        if common is None:
            continue
        yield f"<h3>{title}</h3>"
        yield _legend([(words, color, False)
                       for words, color in tags.values()])
        yield '<div class="panels">'
        for run, lines in zip(compared, panels):
            border = run.pretrained_until
            yield _figure(run.name, charts.draw_panel(
                lines, common, x_name="epochs", top_scale=run.steps_per_epoch,
                top_name="updates", borders=(
                    [] if border is None else [border / run.steps_per_epoch])))
        yield "</div>"


def _colors(compared: Sequence[Run]) -> list[str]:
    palette = charts.RUN_COLORS
    return [palette[place % len(palette)] for place in range(len(compared))]


def _table(head: str, columns: Sequence[str],
           rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A table of words: a column for each run."""
    yield f'<div class="scroll"><table>\n<thead><tr><th>{head}</th>'
    yield from (f"<th>{_text(name)}</th>" for name in columns)
    yield "</tr></thead>\n<tbody>"
    for name, cells in rows.items():
        yield f"<tr><th>{_text(name)}</th>"
        yield from (f"<td>{_text(cell)}</td>" for cell in cells)
        yield "</tr>"
    yield "</tbody></table></div>"


def _heading(heading: str, note: str = "") -> str:
    return f"<h2>{heading}</h2>" + (f"\n<p>{note}</p>" if note else "")


def _legend(entries: Sequence[tuple[str, str, bool]]) -> str:
    """What the colors mean: (words, color, whether dashed) of each."""
    return '<div class="legend">' + "".join(
        f'<span><i{" class=dashed" if dashed else ""} style="border-color: '
        f'{color}"></i>{_text(words)}</span>'
        for words, color, dashed in entries) + "</div>"


def _figure(caption: str, png: bytes) -> str:
    return (f'<figure><figcaption>{_text(caption)}</figcaption><img '
            f'alt="{_text(caption)}" src="data:image/png;base64,'
            f'{base64.b64encode(png).decode()}"></figure>')


def _text(words: str) -> str:
    """Words as HTML shows them; a file's name may hold bytes that are none."""
    return html.escape(words.encode(errors="backslashreplace").decode())
