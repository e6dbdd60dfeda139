"""Compares runs on one page: python -m experiments.report RUN...

Shows the flags that differ, results beside the gray image, curves, and sample
grids. The runs may still be training, and may differ in length, size and color
space. --output is one HTML file with its pictures inside; an earlier one is
replaced.
"""

import os
from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import require_writable, write_atomically
from experiments import command_flags

flags.declare_key_flag("output")


def main(arguments: Sequence[str]) -> None:
    paths, output = arguments[1:], command_flags.OUTPUT.value
    if not paths:
        raise UserError("no run was named: report RUN... --output=report.html")
    if not output.endswith(".html"):
        raise UserError(f"--output={output} must name an .html file")
    require_writable(output, flag="--output")
    with command.quiet_tensorflow():
        from experiments.reporting import page, runs
    # A file's name may hold bytes that are not text.
    content = page.build_page(runs.load_runs(paths)).encode(
        errors="backslashreplace")
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    write_atomically(output, content)
    print(f"{os.path.abspath(output)}, {len(content) / 2**20:.1f} MiB")


if __name__ == "__main__":
    flags.set_default(command_flags.OUTPUT, "report.html")
    command.run(main)
