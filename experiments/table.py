"""Prints runs as rows of a Markdown table: python -m experiments.table RUN...

The numbers come from the runs' own files: run.json, written when a run ends,
and the curves. Each mean is followed by its 95 % interval. Minutes are those of
all updates; images/s is the median of the curve. Neither counts evaluations and
checkpoints.
"""

from typing import Any, Iterator, Mapping, Sequence

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color.metric_names import METRICS

with command.quiet_tensorflow():
    from experiments.reporting import runs


def main(arguments: Sequence[str]) -> None:
    if not arguments[1:]:
        raise UserError("no run was named: table RUN...")
    print("\n".join(format_rows(runs.load_runs(arguments[1:]))))


def format_rows(compared: Sequence[runs.Run]) -> Iterator[str]:
    """Yields the table's lines: a column for each metric that a run has.

    Raises:
      UserError: a run has not ended.
    """
    for run in compared:
        if not run.is_finished:
            raise UserError(f"{run.path} has not ended: it is at step "
                            f"{run.step} of {run.total_steps}")
    metrics = [name for name in METRICS if any(
        name in run.facts["evaluation"]["colorized"] for run in compared)]
    yield _row("run", "epochs", "photographs seen", "minutes", "images/s",
               *(METRICS[name].label for name in metrics))
    yield "|---" * (5 + len(metrics)) + "|"
    gray: dict[str, None] = {}
    for run in compared:
        seen = run.step * run.config.data.batch_size
        seconds, rate = run.training_seconds(), run.images_per_second()
        yield _row(
            run.name, f"{run.step / run.steps_per_epoch:.1f}", f"{seen:,}",
            "" if seconds is None else f"{seconds / 60:.1f}",
            "" if rate is None else f"{rate:.1f}",
            *_cells(run.facts["evaluation"], "colorized", metrics))
        gray[_row("gray image", "", "", "", "", *_cells(
            run.facts["evaluation"], "gray_image", metrics))] = None
    yield from gray


def _cells(evaluation: Mapping[str, Any], kind: str,
           metrics: Sequence[str]) -> Iterator[str]:
    """Yields means with their intervals; FID has none."""
    means, intervals = evaluation[kind], evaluation["interval_95"][kind]
    for name in metrics:
        cell = f"{means[name]:.2f}" if name in means else ""
        if name in intervals:
            cell += " ({:.2f} to {:.2f})".format(*intervals[name])
        yield cell


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    command.run(main)
