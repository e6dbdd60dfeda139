"""Compares two evaluations photograph by photograph.

Photographs differ more than models do. The mean difference on the same
photographs has a far smaller interval than each model's own mean.
"""

import csv
import io
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.errors import UserError
from pix2pix_color.evaluation.protocol import resampled_means
from pix2pix_color.metric_names import METRICS

# Gray images of two evaluations have equal metrics up to rounding.
_ROUNDING = 1e-3


class Difference(NamedTuple):
    """The mean difference of a metric and its 95 % interval."""

    mean: float
    low: float
    high: float


def compare(text: str, other: str, *,
            origin: str) -> tuple[int, dict[str, Difference]]:
    """Compares the CSV files of two evaluations.

    Args:
      text: the content of the model's.
      other: the content of the one to compare it with.
      origin: flag and path of that one, for messages.

    Returns:
      The number of photographs in both, and metric -> difference, of each
      metric of single photographs that is better if it is higher or lower.

    Raises:
      UserError: the other has none of the photographs or of the metrics, or
        was measured in another way.
    """
    mine, theirs = _rows(text), _rows(other)
    names = [name for name, metric in METRICS.items()
             if metric.higher_is_better is not None
             and all(rows and name in next(iter(rows.values()))
                     for rows in (mine, theirs))]
    common = [name for name in mine if name in theirs]
    if not common or not names:
        raise UserError(f"{origin} has none of these photographs")

    def table(rows, prefix=""):
        return np.array([[float(rows[photograph][prefix + name])
                          for name in names] for photograph in common])

    if not np.allclose(table(mine, "gray_"), table(theirs, "gray_"),
                       rtol=_ROUNDING, atol=_ROUNDING):
        raise UserError(f"{origin} was measured on other photographs, at "
                        f"another size or by another judge: its gray images "
                        f"have other metrics")
    apart = table(mine) - table(theirs)
    low, high = np.percentile(resampled_means(apart), [2.5, 97.5], axis=0)
    return len(common), {
        name: Difference(*map(float, values)) for name, *values
        in zip(names, apart.mean(axis=0), low, high)}


def describe(number: int, differences: dict[str, Difference], *,
             other: str) -> str:
    """Formats what compare returned.

    Args:
      number: of photographs.
      differences: metric -> difference.
      other: the path of the file that was compared with.
    """
    lines = [f"difference to {other} on the same {number} photographs, with "
             f"its 95 % interval:"]
    width = max(len(METRICS[name].label) for name in differences)
    for name, (mean, low, high) in differences.items():
        says = "no clear difference"
        if low > 0 or high < 0:
            says = ("better" if (mean > 0) is METRICS[name].higher_is_better
                    else "worse")
        lines.append(f"{METRICS[name].label.ljust(width)}  {mean:+.2f}  "
                     f"({low:+.2f} to {high:+.2f})  {says}")
    return "\n".join(lines)


def _rows(text: str) -> dict[str, dict[str, Any]]:
    return {row.get("photograph", ""): row
            for row in csv.DictReader(io.StringIO(text))}
