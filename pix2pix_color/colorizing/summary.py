"""Says at the end how many files were colored, and what was passed over."""

import os
from typing import Iterable, Sequence

from pix2pix_color.colorizing.folders import PassedOver, Reason

_MAX_NAMES = 3


def summarize(colored: int, failed: int,
              passed_over: Sequence[PassedOver]) -> str:
    """Says what became of all files.

    Args:
      colored: how many files were colored.
      failed: how many were not, because of errors.
      passed_over: the others.
    """
    return ", ".join(filter(None, (
        f"{colored} colored", f"{failed} with errors" if failed else "",
        list_passed_over(passed_over))))


def list_passed_over(files: Iterable[PassedOver]) -> str:
    """Counts what was passed over by reason; empty if there is nothing."""
    names: dict[Reason, list[str]] = {}
    for file in files:
        names.setdefault(file.reason, []).append(os.path.basename(file.path))
    reasons = [f"{len(names[reason])} {reason.value[len(names[reason]) > 1]} "
               f"({_shortened(names[reason])})"
               for reason in Reason if reason in names]
    return (f"{sum(map(len, names.values()))} passed over: "
            + ", ".join(reasons)) if reasons else ""


def _shortened(names: Sequence[str]) -> str:
    return ", ".join((*names[:_MAX_NAMES],
                      *(["..."] if len(names) > _MAX_NAMES else [])))
