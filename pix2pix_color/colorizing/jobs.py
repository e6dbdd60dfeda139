"""Finds the files to color and names their results, without TensorFlow.

    photo.jpg                  photo_colorized.png, beside it or in the same
                               place below --output_dir
    photo.jpg and photo.tif    photo.jpg_colorized.png, photo.tif_colorized.png:
                               files of one place that differ in their endings
                               only keep them
    a TIFF of several pages    photo_colorized_page1.png, ..._page2.png; with
                               --format=tiff one file of as many pages
    --samples=2                photo_colorized_1.png, photo_colorized_2.png
    film.mov                   film_colorized.mp4
"""

import dataclasses
import glob
import os
from typing import Iterable, Sequence

from data_pipelines.command import MAX_PIXELS
from data_pipelines.errors import UserError
from data_pipelines.results import SUFFIX
from pix2pix_color.colorizing.folders import (Found, PassedOver, Reason,
                                              examine_if_file, find_files)
from pix2pix_color.colorizing.summary import list_passed_over

STANDARD = "-"
# Of colored photographs, by the value of --format.
ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
# What --format may be, too.
OTHER_NAMES = {"jpg": "jpeg", "tif": "tiff"}


@dataclasses.dataclass(frozen=True)
class Job:
    """A file to color.

    Attributes:
      path: the file; STANDARD for standard input.
      outputs: the results' paths; STANDARD for standard output. Page by page,
        and one a sample for each; a TIFF holds all pages.
      is_video: whether it is a video.
      num_pages: how many photographs it has, all of which are colored.
      finished: those of outputs that exist and are to be left alone.
    """

    path: str
    outputs: tuple[str, ...]
    is_video: bool = False
    num_pages: int = 1
    finished: frozenset[str] = frozenset()


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
      hints: path of a JSON file of hints (hints_file.py); empty for none.
      use_hints: whether to look for such a file beside each photograph.
      reference: path of a photograph whose colors to take; empty for none.
    """

    file_format: str = "png"
    saturation: float = 1.0
    seeds: tuple[int, ...] = ()
    side_by_side: bool = False
    chroma_size: int = 0
    max_pixels: int = MAX_PIXELS
    hints: str = ""
    use_hints: bool = False
    reference: str = ""


def find_jobs(arguments: Sequence[str], *, output_dir: str, file_format: str,
              samples: int, overwrite: bool, skip_existing: bool = False
              ) -> tuple[list[Job], list[PassedOver]]:
    """Finds the files to color and names their results.

    Args:
      arguments: files, folders, patterns such as `photos/*.jpg`, or `-`.
      output_dir: the results' folder, in which folders keep their structure;
        empty for beside each file.
      file_format: of colored photographs, the value of --format.
      samples: results for each file; 0 for one without a number.
      overwrite: whether results may replace existing files, except inputs.
      skip_existing: whether to leave existing results alone.

    Returns:
      The jobs, and which files of folders and patterns are passed over.

    Raises:
      UserError: there is nothing to color, a folder cannot be read, or a
        result would replace a file that it must not.
    """
    if STANDARD in arguments:
        if len(set(arguments)) > 1 or samples > 1:
            raise UserError("- (standard input to standard output) takes one "
                            "photograph, no other file and one sample")
        return [Job(STANDARD, (STANDARD,))], []
    files: dict[tuple[str, str, str], Found] = {}
    passed_over: dict[str, PassedOver] = {}
    for argument in arguments:
        for file in _expand(argument, output_dir):
            if isinstance(file, PassedOver):
                passed_over[file.path] = file
            else:  # which may be named twice
                files.setdefault((
                    os.path.realpath(os.path.dirname(file.path)),
                    os.path.basename(file.path),
                    os.path.realpath(file.folder)), file)
    if not files:
        raise UserError("No photograph was named: colorize --model=M FILE...")
    jobs = []
    for job in _name_results(files.values(), file_format, samples):
        passed_over.pop(job.path, None)  # by one name, and found by another
        finished = frozenset(filter(os.path.lexists, job.outputs)
                             if skip_existing else ())
        if finished == set(job.outputs):
            passed_over[job.path] = PassedOver(job.path, Reason.EXISTING)
        else:
            jobs.append(dataclasses.replace(job, finished=finished))
    _protect_files(jobs, [file.path for file in files.values()], overwrite)
    return jobs, list(passed_over.values())


def _expand(argument: str, output_dir: str) -> list[Found | PassedOver]:
    if not os.path.isdir(argument) and (
            os.path.lexists(argument) or not glob.has_magic(argument)):
        return [Found(argument, output_dir or os.path.dirname(argument),
                      examine_if_file(argument))]
    files = list(find_files(argument, output_dir))
    passed_over = [file for file in files if isinstance(file, PassedOver)]
    if passed_over == files:
        raise UserError("; ".join(filter(None, (
            f"{argument} holds no photograph or video",
            list_passed_over(passed_over)))))
    return files


def _name_results(files: Iterable[Found], file_format: str,
                  samples: int) -> list[Job]:
    """Names the results of all files.

    Raises:
      UserError: two files of the same name would have the same results.
    """
    names = {file: os.path.splitext(os.path.basename(file.path))[0]
             for file in files}
    while True:
        places: dict[tuple[str, str, bool], list[Found]] = {}
        for file, name in names.items():
            places.setdefault((os.path.realpath(file.folder), name,
                               file.content.kind.is_video), []).append(file)
        crowded = [rivals for rivals in places.values() if len(rivals) > 1]
        if not crowded:
            break
        whole = {file: os.path.basename(file.path)
                 for rivals in crowded for file in rivals}
        if all(names[file] == name for file, name in whole.items()):
            one, other, *_ = crowded[0]
            raise UserError(
                f"Both {one.path} and {other.path} would be written to "
                f"{_outputs(one, names[one], file_format, samples)[0]}; name "
                f"the folder that both are in, whose structure is kept, or "
                f"color them one after the other, with different --output_dir")
        names |= whole
    return [Job(file.path, _outputs(file, name, file_format, samples),
                is_video=file.content.kind.is_video,
                num_pages=file.content.num_pages)
            for file, name in names.items()]


def _outputs(file: Found, name: str, file_format: str,
             samples: int) -> tuple[str, ...]:
    path = os.path.join(file.folder, name + SUFFIX)
    if file.content.kind.is_video:
        return (f"{path}.mp4",)
    pages = [""]
    if file.content.num_pages > 1 and file_format != "tiff":
        pages = [f"_page{page + 1}" for page in range(file.content.num_pages)]
    numbers = [f"_{number + 1}" for number in range(samples)] or [""]
    return tuple(f"{path}{page}{number}{ENDINGS[file_format]}"
                 for page in pages for number in numbers)


def _protect_files(jobs: Sequence[Job], inputs: Iterable[str],
                   overwrite: bool) -> None:
    real_inputs = set(map(os.path.realpath, inputs))
    for job in jobs:
        for output in job.outputs:
            if os.path.realpath(output) in real_inputs:
                raise UserError(f"{output} is one of the files to color and "
                                f"is never overwritten; name an --output_dir")
            if (os.path.lexists(output) and not overwrite
                    and output not in job.finished):
                raise UserError(
                    f"{output} exists and is not overwritten; use "
                    f"--overwrite, --skip_existing or another --output_dir")
