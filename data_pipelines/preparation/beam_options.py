"""The options that --beam_options passes to Apache Beam."""

import contextlib
import io
import os
from typing import Sequence

from apache_beam import runners
from apache_beam.options import pipeline_options

from data_pipelines import command
from data_pipelines.errors import UserError


def parse_beam_options(
        values: Sequence[str]) -> pipeline_options.PipelineOptions:
    """Makes Beam's options, by default the direct runner, one thread per core.

    Args:
      values: options as `name=value` or `name`, with or without dashes.

    Raises:
      UserError: Beam does not know the option, value or runner.
    """
    given = [f"--{value.lstrip('-')}" for value in values if value]
    names = {value[2:].partition("=")[0] for value in given}
    if "runner" not in names:
        # Beam's DirectRunner is either this or a program that it downloads.
        given.append("--runner=FnApiRunner")
        if not names & {"direct_num_workers", "direct_running_mode"}:
            given += [f"--direct_num_workers={os.cpu_count()}",
                      "--direct_running_mode=multi_threading"]
    complaints = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaints):
            options = pipeline_options.PipelineOptions(given)
            known = options.get_all_options()
            runners.create_runner(
                options.view_as(pipeline_options.StandardOptions).runner)
    except SystemExit:  # from argparse, for a wrong value
        why = complaints.getvalue().strip().rpartition("\n")[2]
        raise UserError(f"--beam_options: {why}") from None
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(
            f"--beam_options: {command.one_line(error)}") from None
    unknown = sorted(names.difference(known))
    if unknown:
        raise UserError(f"--beam_options: Beam has no option {unknown[0]!r}")
    return options
