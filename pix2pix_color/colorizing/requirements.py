"""Refuses what colorize cannot do, before the work and without TensorFlow."""

import errno
import os
from typing import Sequence

from data_pipelines.errors import UserError
from data_pipelines.files import require_file, why_not_writable
from pix2pix_color.colorizing.jobs import STANDARD, Job, Options


def require_some_readable(jobs: Sequence[Job]) -> None:
    """Checks that one of the files is there and may be read.

    The others are named after the work.

    Raises:
      UserError: none is; with a line for each.
    """
    problems = [_why_unreadable(job.path) for job in jobs]
    if all(problems):
        raise UserError("\n".join(problems))


def _why_unreadable(path: str) -> str:
    """Returns the file and the reason; empty if it can be read."""
    if path == STANDARD:
        return ""
    try:
        os.stat(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return ("" if os.access(path, os.R_OK)
            else f"{path}: {os.strerror(errno.EACCES)}")


def require_writable_places(jobs: Sequence[Job], output_dir: str) -> None:
    """Checks that the results can be written, and makes nothing.

    Args:
      jobs: the files.
      output_dir: the value of --output_dir.

    Raises:
      UserError: a folder of results cannot be made or written to.
    """
    for folder in dict.fromkeys(
            os.path.dirname(output) for job in jobs for output in job.outputs
            if output != STANDARD):
        reason = why_not_writable(folder)
        if reason and output_dir:
            raise UserError(f"--output_dir={output_dir} cannot be written: "
                            f"{reason}")
        if reason:
            raise UserError(f"the results cannot be written beside the files: "
                            f"{reason}; name an --output_dir")


def require_hints_fit(options: Options, jobs: Sequence[Job], *, model: str,
                      takes_hints: bool) -> None:
    """Checks that the model takes hints and the jobs can be given them.

    Args:
      options: they may name hints.
      jobs: the files.
      model: the value of --model.
      takes_hints: whether it takes hints.

    Raises:
      UserError: options name hints that cannot be used.
    """
    for flag in ("hints", "use_hints", "reference"):
        if not getattr(options, flag):
            continue
        require_takes_hints(takes_hints, f"--{flag}", model=model)
        if options.seeds:
            raise UserError(f"--{flag} cannot be used with --samples")
    if options.hints and (len(jobs) > 1 or jobs[0].is_video
                          or jobs[0].num_pages > 1):
        raise UserError(f"--hints={options.hints} is for one photograph; use "
                        f"--use_hints for several")
    for flag in ("hints", "reference"):
        if getattr(options, flag):
            require_file(getattr(options, flag), flag=f"--{flag}")


def require_takes_hints(takes_hints: bool, option: str, *,
                        model: str) -> None:
    """Checks that a model takes hints, which an option needs.

    Raises:
      UserError: it does not.
    """
    if not takes_hints:
        raise UserError(f"{option} needs an efficientnet_unet, and {model} is "
                        f"none")
