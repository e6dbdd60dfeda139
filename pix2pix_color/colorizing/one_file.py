"""Colors one file: reads it, colors it, writes the results."""

import dataclasses
import functools
import os
import sys
from typing import Iterator, Optional, Sequence

import numpy as np

from data_pipelines.errors import UserError
from data_pipelines.files import replace_atomically, write_atomically
from pix2pix_color.colorizing import hints_file, video
from pix2pix_color.colorizing.jobs import STANDARD, Job, Options
from pix2pix_color.colorizing.photograph import (NoPhotographError, Photograph,
                                                 read_photograph, write_pages,
                                                 write_photograph)
from pix2pix_color.colorizing.reference import Reference
from pix2pix_color.saved_model.load import LoadedModel, gray_of


def colorize_file(model: LoadedModel, job: Job, options: Options, *,
                  progress: Optional[video.Progress] = None) -> list[str]:
    """Colors one file; each result is written whole or not at all.

    Returns:
      What the results lack of the file, a line each.

    Raises:
      NoPhotographError: the file holds no picture that can be read. If some of
        its pages can be, these are colored, unless all share one result.
      OSError: the file cannot be read, or a result cannot be written.
      UserError: it is a video and PyAV is not installed, or hints cannot be
        used.
    """
    if job.path != STANDARD:
        for output in job.outputs:
            os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    if job.is_video:
        return video.colorize_video(
            model, job.path, job.outputs[0], options, progress=progress,
            find_hints=lambda rgb: find_hints(model, rgb, "", options))
    content = _read(job.path)
    if job.num_pages > 1:
        color_pages = (_color_into_one_file if options.file_format == "tiff"
                       else _color_into_many_files)
        color_pages(model, content, job, options)
        return [f"{beside(job.path)} is not used: hints are for one "
                f"photograph, not for {job.num_pages} pages"
                ] * (options.use_hints and os.path.exists(beside(job.path)))
    photograph = read_photograph(content, max_pixels=options.max_pixels)
    _color_samples(model, photograph, job.outputs, job.finished, options,
                   job.path)
    return [] if photograph.num_pictures == 1 else [
        f"only the first of its {photograph.num_pictures} pictures was "
        f"colored"]


def require_hints_fit(model: LoadedModel, jobs: Sequence[Job],
                      options: Options) -> None:
    """Checks that a model takes hints and the jobs can be given them.

    Raises:
      UserError: options name hints that cannot be used.
    """
    for flag in ("hints", "use_hints", "reference"):
        if not getattr(options, flag):
            continue
        require_takes_hints(model, flag)
        if options.seeds:
            raise UserError(f"--{flag} cannot be used with --samples")
    if options.hints and (len(jobs) > 1 or jobs[0].is_video
                          or jobs[0].num_pages > 1):
        raise UserError(f"--hints={options.hints} is for one photograph; use "
                        f"--use_hints for several")


def require_takes_hints(model: LoadedModel, flag: str) -> None:
    """Checks that a model takes hints.

    Raises:
      UserError: it does not, but the flag of this name needs it.
    """
    if not model.takes_hints:
        raise UserError(
            f"--{flag} needs a model that was trained with --hints, and "
            f"{model.directory} was not")


def _color_into_one_file(model, content, job, options):
    def pages(seed: Optional[int]) -> Iterator[Photograph]:
        for page in range(job.num_pages):
            try:
                photograph = read_photograph(
                    content, max_pixels=options.max_pixels, page=page)
            except NoPhotographError as error:
                raise NoPhotographError(f"page {page + 1}: {error}") from error
            yield _color(model, photograph, options, seed, find_hints(
                model, photograph.rgb, "", options))

    for seed, output in zip(options.seeds or (None,), job.outputs):
        if output not in job.finished:
            with (replace_atomically(output) as unfinished,
                  open(unfinished, "w+b") as file):
                write_pages(pages(seed), file)


def _color_into_many_files(model, content, job, options):
    samples = len(job.outputs) // job.num_pages
    problems = []
    for page in range(job.num_pages):
        outputs = job.outputs[page * samples:(page + 1) * samples]
        try:
            photograph = read_photograph(
                content, max_pixels=options.max_pixels, page=page)
            _color_samples(model, photograph, outputs, job.finished, options)
        except NoPhotographError as error:
            problems.append(f"page {page + 1}: {error}")
    if problems:
        raise NoPhotographError("; ".join(problems))


def _color_samples(model, photograph, outputs, finished, options, path=""):
    hints = find_hints(model, photograph.rgb, path, options)
    for seed, output in zip(options.seeds or (None,), outputs):
        if output in finished:
            continue
        content = write_photograph(
            _color(model, photograph, options, seed, hints),
            file_format=options.file_format)
        if output == STANDARD:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            write_atomically(output, content)


def _color(model: LoadedModel, photograph: Photograph, options: Options,
           seed: Optional[int], hints: Optional[np.ndarray] = None
           ) -> Photograph:
    rgb = model.colorize(
        photograph.rgb, saturation=options.saturation,
        chroma_size=options.chroma_size, seed=seed, hints=hints)
    if options.side_by_side:
        rgb = np.concatenate([gray_of(photograph.rgb), rgb], axis=1)
    return dataclasses.replace(photograph, rgb=rgb)


def beside(path: str) -> str:
    """Returns the path of the hints that lie beside a photograph."""
    return os.path.splitext(path)[0] + hints_file.ENDING


def find_hints(model: LoadedModel, rgb: np.ndarray, path: str,
               options: Options) -> Optional[np.ndarray]:
    """Finds a photograph's hints: its own, or a reference photograph's.

    Args:
      model: takes hints if options name any.
      rgb: uint8 [H, W, 3], the photograph.
      path: its file; empty for none.
      options: name a file of hints, or a reference photograph, or say that
        files beside the photographs are to be used.

    Returns:
      float32 [K, 4], as hints_file.read_hints; None for none.

    Raises:
      UserError: a file of hints, or the reference photograph, cannot be used.
    """
    height, width = rgb.shape[:2]
    if options.hints or (options.use_hints and path
                         and os.path.exists(beside(path))):
        return hints_file.read_hints(options.hints or beside(path),
                                     height=height, width=width)
    if options.reference:
        return _open_reference(model, options.reference,
                               options.max_pixels).find_hints(rgb)
    return None


@functools.lru_cache(maxsize=1)  # it is the same for every photograph and frame
def _open_reference(model: LoadedModel, path: str, max_pixels: int
                    ) -> Reference:
    try:
        return Reference(model, read_photograph(
            _read(path), max_pixels=max_pixels).rgb)
    except NoPhotographError as error:
        raise UserError(f"--reference={path}: {error}") from error


def _read(path: str) -> bytes:
    if path == STANDARD:
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()
