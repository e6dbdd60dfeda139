"""Runs as rows of a Markdown table: python -m experiments.table RUN...

Everything is read from the runs' own files: run.json, written when a run ends,
and its curves. Beside each mean stands its 95 % interval. Minutes are those of
all updates, images/s the median of the curve's points; evaluations and
checkpoints count in neither.
"""

from typing import Any, Iterator, Mapping, Sequence

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color.metric_names import METRICS

_SHOWN = ("ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness",
          "colorfulness_gap")


def main(arguments: Sequence[str]) -> None:
    if not arguments[1:]:
        raise UserError("no run was named: table RUN...")
    with command.quiet_tensorflow():
        from experiments.reporting import runs
    print("\n".join(rows(runs.load_runs(arguments[1:]))))


def rows(compared: Sequence[Any]) -> Iterator[str]:
    """The table's lines.

    Args:
      compared: the runs, each a reporting.runs.Run that has ended.

    Raises:
      UserError: one has not.
    """
    yield _row("run", "epochs", "photographs seen", "minutes", "images/s",
               *(METRICS[name].label for name in _SHOWN))
    yield "|---" * (5 + len(_SHOWN)) + "|"
    gray: dict[str, list[str]] = {}
    for run in compared:
        if not run.is_finished:
            raise UserError(f"{run.path} has not ended: it is at step "
                            f"{run.step} of {run.total_steps}")
        measured = run.facts["evaluation"]
        seen = run.step * run.config.data.batch_size
        yield _row(
            run.name, f"{run.step / run.steps_per_epoch:.1f}", f"{seen:,}",
            *(("", "") if run.images_per_second() is None else (
                f"{run.training_seconds() / 60:.1f}",
                f"{run.images_per_second():.1f}")),
            *_cells(measured["colorized"],
                    measured["interval_95"]["colorized"]))
        cells = _cells(measured["gray_image"],
                       measured["interval_95"]["gray_image"])
        gray.setdefault("".join(cells), cells)
    for cells in gray.values():
        yield _row("gray image", "", "", "", "", *cells)


def _cells(means: Mapping[str, float],
           intervals: Mapping[str, Sequence[float]]) -> list[str]:
    return ["{:.2f} ({:.2f} to {:.2f})".format(means[name], *intervals[name])
            for name in _SHOWN]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    command.run(main)
