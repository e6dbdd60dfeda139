"""Runs -> one HTML page that needs no other file.

This module computes what the page shows; page.html says how it looks.
"""

import io
import os
from typing import Any, Iterator, Mapping, Optional, Sequence

import jinja2
from PIL import Image

from data_pipelines.data_uri import data_uri
from experiments.reporting import charts, runs
from experiments.reporting.charts import Line
from experiments.reporting.runs import Run
from pix2pix_color.metric_names import METRICS

# For each panel of losses: its heading, its curves in words and colors, and
# whether they may need a logarithmic axis.
_LOSSES: Sequence[tuple[str, Mapping[str, tuple[str, str]], bool]] = (
    ("Discriminator on photographs and on colorized pictures", {
        "loss/discriminator_real": ("on photographs", charts.BLUE),
        "loss/discriminator_fake": ("on colorized", charts.ORANGE)}, False),
    ("Generator: total and its parts", {
        "loss/generator": ("total", charts.INK),
        "loss/generator_adversarial": ("adversarial", charts.ORANGE),
        "loss/generator_l1": ("L1", charts.TEAL),
        "loss/generator_psnr": ("PSNR", charts.BLUE),
        "loss/generator_colorfulness": ("colorfulness", charts.PALE),
        "loss/generator_semantic": ("semantic", charts.VIOLET),
        "loss/generator_bins": ("color bins", charts.ROSE)}, True),
    ("Generator against discriminator", {
        "loss/generator": ("generator", charts.INK),
        "loss/discriminator": ("discriminator", charts.BLUE)}, True),
)
_SPEEDS = {"learning_rate/generator": "generator's learning rate",
           "learning_rate/discriminator": "discriminator's learning rate",
           "images_per_second": "images per second"}

# Sample grids are shrunk to the width of the page.
_GRID_WIDTH = 1240
_JPEG_QUALITY = 90


def build_page(compared: Sequence[Run]) -> str:
    """Builds the page: HTML with its pictures inside.

    Args:
      compared: the runs, each under its own name.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(__file__)),
        autoescape=True, undefined=jinja2.StrictUndefined)
    gray = _gray_rows(compared, "evaluation")
    return environment.get_template("page.html").render(
        title=(compared[0].name if len(compared) == 1
               else f"{len(compared)} runs compared"),
        names=[run.name for run in compared],
        summary=_summary(compared),
        flags={f"--{name}": values for name, values
               in runs.differing_flags(compared).items()},
        results=_results(compared),
        equal_epochs=_equal_epochs(compared),
        samples=dict(_samples(compared)),
        metric_curves=_curves(
            compared, {f"metric/{name}": metric.label_with_arrow
                       for name, metric in METRICS.items()},
            levels={f"metric/{name}": value for name, value
                    in gray.get("gray image", {}).items()
                    if METRICS[name].higher_is_better is not None},
            marked=True),
        losses=list(_losses(compared)),
        speed_curves=_curves(compared, _SPEEDS))


def _summary(compared: Sequence[Run]) -> dict[str, list[str]]:
    """The facts about each run: what -> one cell a run."""
    def state(run):
        if run.is_finished:
            return "finished"
        return (f"at step {run.step:,} of {run.total_steps:,} when this page "
                f"was made")

    def seconds(value):
        return "" if value is None else (
            f"{value:,.0f} s" if value < 600 else f"{value / 60:,.0f} min"
            if value < 36000 else f"{value / 3600:,.1f} h")

    def best(run):
        known = run.facts.get("best")
        return ("{metric} {value:.2f} at step {step:,}".format(**known)
                if known else "")

    def speed(run):
        rate = run.images_per_second()
        return "" if rate is None else f"{rate:.1f}"

    def seconds_of(activity):
        return lambda run: seconds(
            run.facts["seconds"][activity] if run.is_finished else None)

    rows = {
        "state": state,
        "updates": lambda run: f"{run.step:,}",
        "epochs": lambda run: f"{run.step / run.steps_per_epoch:,.1f}",
        "photographs": lambda run: (
            "{train_photographs:,} to train on, {evaluation_photographs:,} to "
            "evaluate on".format(**run.facts["data"])),
        "best checkpoint": best,
        "images per second": speed,
        "time of the updates": lambda run: seconds(run.training_seconds()),
        **{f"time of {activity}": seconds_of(activity)
            for activity in ("evaluation", "summaries", "checkpoints")
            if any(run.is_finished for run in compared)},
        "device": lambda run: run.facts["hardware"],
        "precision": lambda run: run.facts["precision"],
    }
    return {name: list(map(cell, compared)) for name, cell in rows.items()}


def _results(compared: Sequence[Run]) -> dict[str, Any]:
    """The last evaluation of each run beside the gray image's."""
    tables = {}
    for kind, heading in (
            ("evaluation", "Evaluation photographs"),
            ("training", "Training photographs (better numbers than above show "
                         "memorization)")):
        rows: dict[str, Mapping[str, float]] = {}
        for run in compared:
            measured = run.facts.get(kind)
            if measured and run.facts["step"] >= run.step:
                rows[f"{run.name}, step {run.facts['step']:,}"] = (
                    measured["colorized"])
            elif kind == "evaluation" and run.evaluated_steps:
                step = run.evaluated_steps[-1]
                rows[f"{run.name}, step {step:,} so far"] = run.metrics_at(step)
        if rows:
            tables[heading] = _metrics_table(rows, _gray_rows(compared, kind))
    return tables


def _gray_rows(compared: Sequence[Run],
               kind: str) -> dict[str, Mapping[str, float]]:
    """Names the gray image once if it is the same one for all runs."""
    gray = {run.name: run.facts[kind]["gray_image"]
            for run in compared if kind in run.facts}
    values = list(gray.values())
    # A run in training has no numbers yet, but perhaps the same photographs.
    pictures = {(run.config.data.image_size, run.config.data.data,
                 run.config.data.eval_data, run.config.data.eval_fraction,
                 run.config.data.eval_examples) for run in compared}
    if (values and all(value == values[0] for value in values)
            and (len(pictures) == 1 or len(values) == len(compared))):
        return {"gray image": values[0]}
    return {f"gray image of {name}": value for name, value in gray.items()}


def _equal_epochs(compared: Sequence[Run]) -> Optional[dict[str, Any]]:
    if len(compared) < 2:
        return None
    epoch, steps = runs.equal_epochs(compared)
    rows: dict[str, Mapping[str, float]] = {}
    for run, step in zip(compared, steps):
        if step is None:
            rows[f"{run.name}, no evaluation by then"] = {}
        else:
            rows[f"{run.name}, epoch {step / run.steps_per_epoch:,.2f}, step "
                 f"{step:,}"] = run.metrics_at(step)
    return {"epoch": f"{epoch:,.2f}", "table": _metrics_table(rows, {})}


def _metrics_table(rows: Mapping[str, Mapping[str, float]],
                   gray: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """A row of metrics for each name; the best of `rows` are marked."""
    names = [name for name in METRICS
             if any(name in row for row in rows.values())]
    best: dict[str, float] = {}
    for name in names:
        values = [row[name] for row in rows.values() if name in row]
        rises = METRICS[name].higher_is_better
        if rises is not None and len(set(values)) > 1:
            best[name] = max(values) if rises else min(values)
    columns = [METRICS[name].label_with_arrow for name in names]
    return {"columns": columns, "rows": [{
        "name": row_name, "is_gray": part is gray, "cells": [{
            "text": f"{row[name]:.2f}" if name in row else "–",
            "is_best": part is rows and name in best
            and row.get(name) == best[name]} for name in names]}
        for part in (rows, gray) for row_name, row in part.items()]}


def _samples(compared: Sequence[Run]
             ) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The newest sample grids: heading -> one picture a run."""
    for kind, heading in (
            ("step", "Evaluation photographs: gray, colorized, real"),
            ("training", "Training photographs: gray, colorized, real")):
        newest = {run.name: max(run.grids(kind).items())
                  for run in compared if run.grids(kind)}
        if newest:
            yield heading, [
                {"caption": f"{name}, step {step:,}", "url": _grid_url(path)}
                for name, (step, path) in newest.items()]


def _grid_url(path: str) -> str:
    """A sample grid as a data URI."""
    file = io.BytesIO()
    with Image.open(path) as grid:
        grid.thumbnail((_GRID_WIDTH, grid.height), Image.Resampling.BOX)
        grid.convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY,
                                 subsampling=0)
    return data_uri("jpeg", file.getvalue())


def _curves(compared: Sequence[Run], tags: Mapping[str, str], *,
            levels: Optional[Mapping[str, float]] = None,
            marked: bool = False) -> dict[str, Any]:
    """One panel a tag with all runs in it, over epochs.

    If the runs' epochs have different numbers of updates, the same panels over
    updates follow.

    Args:
      compared: the runs.
      tags: tag -> title of its panel; tags that no run has are left out.
      levels: tag -> the gray image's value, a dashed line.
      marked: whether to mark each point.
    """
    tags = {tag: title for tag, title in tags.items()
            if any(run.values(tag) for run in compared)}
    legend = [{"words": run.name, "color": color, "dashed": False}
              for run, color in zip(compared, _colors(compared))]
    if levels:
        legend.append({"words": "gray image", "color": charts.PALE,
                       "dashed": True})
    lengths = {run.steps_per_epoch for run in compared}
    common = lengths.pop() if len(lengths) == 1 else None
    return {"legend": legend, "groups": tags and [
        [panel for tag, title in tags.items() for panel in _panel_of_all(
            compared, tag, title, over_epochs=over_epochs,
            steps_per_epoch=common, level=(levels or {}).get(tag),
            marked=marked)]
        for over_epochs in ((True,) if common else (True, False))]}


def _panel_of_all(compared: Sequence[Run], tag: str, title: str, *,
                  over_epochs: bool, steps_per_epoch: Optional[float],
                  level: Optional[float],
                  marked: bool) -> Iterator[dict[str, str]]:
    lines = []
    for place, (run, color) in enumerate(zip(compared, _colors(compared))):
        unit = run.steps_per_epoch if over_epochs else 1
        lines.append(Line(
            {step / unit: value for step, value in run.values(tag).items()
             # A rate of 0 means that nothing was measured.
             if value or tag != "images_per_second"},
            # Equal rates cover each other: the first line stays visible.
            color, marked=marked,
            width=1.3 + 1.2 * (len(compared) - 1 - place)
            if tag.startswith("learning_rate/") else 1.4))
    end = max(x for line in lines for x in line.points or [0])
    if level is not None:
        lines.insert(0, Line({0: level, end * 1.02: level}, charts.PALE,
                             dashed=True))
    common = charts.common_span([lines], from_zero=tag in _SPEEDS)
    if common is None:
        return
    borders = {run.pretrained_until / (run.steps_per_epoch if over_epochs
                                       else 1)
               for run in compared if run.pretrained_until is not None}
    yield _panel(title, charts.draw_panel(
        lines, common, x_name="epochs" if over_epochs else "updates",
        top_scale=steps_per_epoch if over_epochs else None,
        top_name="updates", borders=sorted(borders)))


def _losses(compared: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """A panel for each heading and run, with the same scale for all runs."""
    for heading, every_tag, may_be_log in _LOSSES:
        tags = {tag: drawn for tag, drawn in every_tag.items()
                if any(run.values(tag) for run in compared)}
        panels = [[Line({step / run.steps_per_epoch: value
                         for step, value in run.values(tag).items()}, color)
                   for tag, (_, color) in tags.items()] for run in compared]
        common = charts.common_span(panels, may_be_log=may_be_log)
        if common is None:
            continue
        yield {
            "heading": heading,
            "legend": [{"words": words, "color": color, "dashed": False}
                       for words, color in tags.values()],
            "panels": [_panel(run.name, charts.draw_panel(
                lines, common, x_name="epochs", top_scale=run.steps_per_epoch,
                top_name="updates", borders=[
                    step / run.steps_per_epoch
                    for step in [run.pretrained_until] if step is not None]))
                for run, lines in zip(compared, panels)]}


def _panel(caption: str, png: bytes) -> dict[str, str]:
    return {"caption": caption, "url": data_uri("png", png)}


def _colors(compared: Sequence[Run]) -> list[str]:
    palette = charts.RUN_COLORS
    return [palette[place % len(palette)] for place in range(len(compared))]
