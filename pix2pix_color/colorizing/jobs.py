"""Finds the files to color and names their results, without TensorFlow."""

import dataclasses
import glob
import os
from typing import Iterator, Sequence

from data_pipelines.command import MAX_PIXELS
from data_pipelines.errors import UserError

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif",
                 ".tiff")
VIDEO_ENDINGS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg")
STANDARD = "-"
_SUFFIX = "_colorized"


@dataclasses.dataclass(frozen=True)
class Job:
    """A file to color.

    Attributes:
      path: the file; STANDARD for standard input.
      outputs: the results' paths, one a sample; STANDARD for standard output.
    """

    path: str
    outputs: tuple[str, ...]

    @property
    def is_video(self) -> bool:
        return self.path.lower().endswith(VIDEO_ENDINGS)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of coloring; the defaults are those of `colorize`.

    Attributes:
      file_format: of colored photographs, the value of --format.
      saturation: factor of a* and b*.
      seeds: one for each sample; empty for one answer without noise.
      side_by_side: whether to put the gray photograph to the left.
      chroma_size: side of the square to color in; 0 for the model's.
      max_pixels: height times width of the largest picture that is decoded.
    """

    file_format: str = "png"
    saturation: float = 1.0
    seeds: tuple[int, ...] = ()
    side_by_side: bool = False
    chroma_size: int = 0
    max_pixels: int = MAX_PIXELS


def find_jobs(arguments: Sequence[str], *, output_dir: str, ending: str,
              samples: int, overwrite: bool,
              skip_existing: bool = False) -> list[Job]:
    """Finds the files to color and names their results.

    Args:
      arguments: files, folders, patterns such as `photos/*.jpg`, or `-`.
      output_dir: the results' folder, in which folders keep their structure;
        empty for beside each file.
      ending: file name ending of colored photographs, such as `.png`.
      samples: results for each file; 0 for one without a number.
      overwrite: whether results may replace existing files, except inputs.
      skip_existing: whether to skip files whose results all exist.

    Returns:
      The jobs; empty if all files were skipped.

    Raises:
      UserError: no file was named, a folder cannot be read, or a result
        would replace a file that it must not.
    """
    jobs = list(dict.fromkeys(  # a file may be named twice
        Job(path, tuple(_outputs(path, folder, ending=ending, samples=samples)))
        for argument in arguments for path, folder in _expand(
            argument, output_dir)))
    if not jobs:
        raise UserError("No photograph was named: colorize --model=M FILE...")
    if any(job.path == STANDARD for job in jobs):
        if len(jobs) > 1 or samples > 1:
            raise UserError("- (standard input to standard output) takes one "
                            "photograph, no other file and one sample")
        return jobs
    inputs = {os.path.realpath(job.path) for job in jobs}
    if skip_existing:
        jobs = [job for job in jobs
                if not all(map(os.path.lexists, job.outputs))]
    outputs = [output for job in jobs for output in job.outputs]
    for output in outputs:
        if os.path.realpath(output) in inputs:
            raise UserError(f"{output} is one of the files to color and is "
                            f"never overwritten; name an --output_dir")
        if os.path.lexists(output) and not overwrite:
            raise UserError(
                f"{output} exists and is not overwritten; use --overwrite, "
                f"--skip_existing or another --output_dir")
    made_of: dict[str, str] = {}
    for job in jobs:
        for output in job.outputs:
            other = made_of.setdefault(os.path.realpath(output), job.path)
            if other != job.path:
                raise UserError(
                    f"Both {other} and {job.path} would be written to "
                    f"{output}; color them separately, with different "
                    f"--output_dir")
    return jobs


def _expand(argument: str, output_dir: str) -> Iterator[tuple[str, str]]:
    """Yields files, each with the folder of its results."""
    if argument == STANDARD:
        yield STANDARD, ""
    elif os.path.isdir(argument):
        found = False
        avoided = os.path.realpath(output_dir) if output_dir else None
        for directory, subdirectories, names in os.walk(
                argument, onerror=_refuse_folder):
            subdirectories[:] = sorted(
                name for name in subdirectories if not name.startswith(".")
                and os.path.realpath(os.path.join(directory, name)) != avoided)
            inside = os.path.relpath(directory, argument)
            folder = (os.path.normpath(os.path.join(output_dir, inside))
                      if output_dir else directory)
            for name in sorted(names):
                stem, ending = os.path.splitext(name)
                if (ending.lower() in PHOTO_ENDINGS + VIDEO_ENDINGS
                        and not name.startswith(".") and _SUFFIX not in stem
                        and not _is_device(os.path.join(directory, name))):
                    found = True
                    yield os.path.join(directory, name), folder
        if not found:
            raise UserError(f"{argument} holds no image or video file")
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        paths = sorted(path for path in glob.glob(argument, recursive=True)
                       if os.path.isfile(path))
        if not paths:
            raise UserError(f"{argument} matches no file")
        for path in paths:
            yield path, output_dir or os.path.dirname(path)
    else:
        yield argument, output_dir or os.path.dirname(argument)


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"{error.filename}: {error.strerror}")


def _is_device(path: str) -> bool:
    """Tells whether a path is, say, a pipe, which would be waited for."""
    return os.path.exists(path) and not os.path.isfile(path)


def _outputs(path, folder, *, ending, samples):
    if path == STANDARD:
        return [STANDARD]
    stem, own_ending = os.path.splitext(os.path.basename(path))
    if own_ending.lower() in VIDEO_ENDINGS:
        return [os.path.join(folder, f"{stem}{_SUFFIX}.mp4")]
    numbers = [f"_{number + 1}" for number in range(samples)] or [""]
    return [os.path.join(folder, f"{stem}{_SUFFIX}{number}{ending}")
            for number in numbers]
