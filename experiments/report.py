"""Compares runs on one page: python -m experiments.report RUN... --output=F.

Flags that differ, results beside the gray image, curves, and what each run
makes of the same photographs. The runs may still be going, and may differ in
length, size and color space. --output is one HTML file with its pictures in it;
an earlier one is replaced.
"""

import os
from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_string("output", "report.html",
                        "The page to write, an .html file.")


def main(arguments: Sequence[str]) -> None:
    write_report(arguments[1:], flags.FLAGS.output)


def write_report(paths: Sequence[str], output: str) -> None:
    """Writes the page and says where it is.

    Args:
      paths: the runs' folders.
      output: the page to write.

    Raises:
      UserError: no run is named, one twice, one has nothing to show yet, or
        output is no .html file.
      UserError: a folder holds no run.
      OSError: output cannot be written.
    """
    if not paths:
        raise UserError("no run was named: report RUN... --output=report.html")
    if not output.endswith(".html"):
        raise UserError(f"--output={output} must name an .html file")
    with command.quiet_tensorflow():
        from experiments.reporting import page, runs
    content = page.build_page(runs.load_runs(paths)).encode()
    write_atomically(output, content)
    print(f"{os.path.abspath(output)}, {len(content) / 2**20:.1f} MiB")


if __name__ == "__main__":
    define_flags()
    command.run(main)
