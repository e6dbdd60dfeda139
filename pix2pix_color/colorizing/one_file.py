"""Colors one file: reads it, colors it, writes the results."""

import dataclasses
import os
import sys
from typing import Optional

import numpy as np

from data_pipelines.files import write_atomically
from pix2pix_color.colorizing import video
from pix2pix_color.colorizing.jobs import STANDARD, Job, Options
from pix2pix_color.colorizing.photograph import (read_photograph,
                                                 write_photograph)
from pix2pix_color.saved_model.load import LoadedModel, gray_of


def colorize_file(model: LoadedModel, job: Job, options: Options, *,
                  progress: Optional[video.Progress] = None) -> list[str]:
    """Colors one file; each result is written whole or not at all.

    Returns:
      What the results lack of the file, a line each.

    Raises:
      NoPhotographError: the file holds no picture that can be read.
      OSError: the file cannot be read, or a result cannot be written.
      UserError: it is a video and PyAV is not installed.
    """
    if job.path != STANDARD:
        for output in job.outputs:
            os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    if job.is_video:
        return video.colorize_video(model, job.path, job.outputs[0], options,
                                    progress=progress)
    photograph = read_photograph(_read(job.path),
                                 max_pixels=options.max_pixels)
    for seed, output in zip(options.seeds or (None,), job.outputs):
        rgb = model.colorize(
            photograph.rgb, saturation=options.saturation,
            chroma_size=options.chroma_size, seed=seed)
        if options.side_by_side:
            rgb = np.concatenate([gray_of(photograph.rgb), rgb], axis=1)
        content = write_photograph(dataclasses.replace(photograph, rgb=rgb),
                                   file_format=options.file_format)
        if output == STANDARD:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            write_atomically(output, content)
    return []


def _read(path: str) -> bytes:
    if path == STANDARD:
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()
