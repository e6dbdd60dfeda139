"""Colors photographs: python -m pix2pix_color.colorize --model=M FILE...

Each FILE is a photograph, a video, a folder, a pattern such as 'old/*.jpg', or
- for standard input to standard output. Writes NAME_colorized.png, of the same
size and lightness, beside each file or into --output_dir, where folders keep
their structure. Files of one folder that differ in their endings only, such as
a.jpg and a.tif, keep them: a.jpg_colorized.png. A TIFF of several pages
becomes NAME_colorized_page1.png and so on, or one TIFF with --format=tiff.
Existing files are not overwritten, inputs never; --skip_existing continues an
unfinished folder. Files that cannot be read are named at the end, with exit
code 1; the others are still colored. What a folder holds besides photographs
and videos, and results of earlier runs, is counted at the end.
"""

import concurrent.futures
import dataclasses
import sys
from typing import Sequence

import tqdm
from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color import model_flag
from pix2pix_color.colorizing.frame_progress import FrameProgress
from pix2pix_color.colorizing.jobs import (ENDINGS, OTHER_NAMES, STANDARD, Job,
                                           Options, find_jobs)
from pix2pix_color.colorizing.requirements import (require_hints_fit,
                                                   require_some_readable,
                                                   require_writable_places)
from pix2pix_color.colorizing.summary import list_passed_over, summarize
from pix2pix_color.saved_model import find

_MODEL = model_flag.define_model()
_OUTPUT_DIR = command.define_path(
    "output_dir", "", "Folder of the results; empty writes beside each file.")
_FORMAT = flags.DEFINE_enum(
    "format", "png", [*ENDINGS, *OTHER_NAMES],
    "File format of colored photographs; videos become MP4.",
    case_sensitive=False)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace existing results.")
_SKIP_EXISTING = flags.DEFINE_bool(
    "skip_existing", False, "Skip files whose results exist.")
_SATURATION = flags.DEFINE_float(
    "saturation", 1.0, "Factor of the colors: 0 is gray, 1 as predicted.",
    lower_bound=0.0, upper_bound=10.0)
_SAMPLES = flags.DEFINE_integer(
    "samples", 0, "Alternatives to draw for each photograph, with dropout as "
    "noise; 0 gives one answer without noise.", lower_bound=0)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Seed of the first alternative's noise; the others take the "
    "next numbers.", lower_bound=0)
_SIDE_BY_SIDE = flags.DEFINE_bool(
    "side_by_side", False, "Put the gray photograph to the left of each "
    "result.")
_CHROMA_SIZE = flags.DEFINE_integer(
    "chroma_size", 0, "Side of the square in which colors are predicted, "
    "pixels, a multiple of the model's; a larger one is slower and colors "
    "smaller things. 0 takes the model's.", lower_bound=0)
_MAX_PIXELS = command.define_max_pixels()

_HINTS = command.define_path(
    "hints", "", "JSON file of color hints for one photograph: a list of "
    '{"x": 120, "y": 80, "color": "#7a3b1d"}, in pixels of the upright '
    "photograph, with a color as #rrggbb or by its name.")
_USE_HINTS = flags.DEFINE_bool(
    "use_hints", False, "Use the hints in NAME.hints.json beside each "
    "photograph NAME.jpg, where there is such a file.")
_REFERENCE = command.define_path(
    "reference", "", "Color photograph whose colors to take for what is alike "
    "in the photographs. Hints of a photograph's own count before it.")

# One file is decoded or written while another is colored.
_AT_ONCE = 2


def main(arguments: Sequence[str]) -> None:
    if _OVERWRITE.value and _SKIP_EXISTING.value:
        raise UserError("--overwrite and --skip_existing cannot be used "
                        "together")
    file_format = OTHER_NAMES.get(_FORMAT.value, _FORMAT.value)
    jobs, passed_over = find_jobs(
        arguments[1:], output_dir=_OUTPUT_DIR.value, file_format=file_format,
        samples=_SAMPLES.value, overwrite=_OVERWRITE.value,
        skip_existing=_SKIP_EXISTING.value)
    if not jobs:
        print("nothing to do: every result exists;",
              list_passed_over(passed_over))
        return
    if (_SAMPLES.value or _SIDE_BY_SIDE.value) and any(
            job.is_video for job in jobs):
        raise UserError("--samples and --side_by_side cannot be used with "
                        "videos; color photographs and videos separately")
    require_some_readable(jobs)
    require_writable_places(jobs, _OUTPUT_DIR.value)
    card = find.find_card(_MODEL.value)
    find.require_fitting(_CHROMA_SIZE.value, int(card["image_size"]))
    if _SAMPLES.value and not card["has_noise"]:
        raise UserError(f"--samples={_SAMPLES.value} needs a model with noise, "
                        f"and {_MODEL.value} has none")
    options = Options(
        file_format=file_format, saturation=_SATURATION.value,
        seeds=tuple(range(_SEED.value, _SEED.value + _SAMPLES.value)),
        side_by_side=_SIDE_BY_SIDE.value, chroma_size=_CHROMA_SIZE.value,
        max_pixels=_MAX_PIXELS.value, hints=_HINTS.value,
        use_hints=_USE_HINTS.value, reference=_REFERENCE.value)
    require_hints_fit(options, jobs, model=_MODEL.value,
                      takes_hints=bool(card.get("takes_hints")))
    with command.quiet_tensorflow():
        from pix2pix_color.colorizing.one_file import colorize_file
        from pix2pix_color.colorizing.photograph import NoPhotographError
        from pix2pix_color.saved_model.load import LoadedModel
    model = LoadedModel(_MODEL.value)
    chroma_size = model.fitting_chroma_size(_CHROMA_SIZE.value)
    if chroma_size < _CHROMA_SIZE.value:
        print(f"--chroma_size={_CHROMA_SIZE.value} needs too much memory; "
              f"using {chroma_size}", file=sys.stderr)
    options = dataclasses.replace(options, chroma_size=chroma_size)

    def color(job: Job) -> str:
        """Colors one file; returns an error message, or an empty text."""
        frames = FrameProgress(job.path)
        try:
            remarks.extend(f"{job.path}: {remark}" for remark in colorize_file(
                model, job, options, progress=frames))
        except OSError as error:
            return f"{error.filename or job.path}: {error.strerror or error}"
        except NoPhotographError as error:
            return f"{job.path}: {error}"
        except UserError as error:  # a video without PyAV
            return str(error)
        finally:
            frames.close()
        return ""

    failed: list[str] = []
    remarks: list[str] = []
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            # The bar counts a photograph when the next one is asked for: it
            # must be asked to the end.
            for problem, job in zip(tqdm.tqdm(
                    pool.map(color, jobs), total=len(jobs), unit="photo",
                    disable=True if jobs[0].path == STANDARD else None), jobs):
                if problem:
                    failed.append(problem)
                elif job.path != STANDARD:
                    for output in job.outputs:
                        if output not in job.finished:
                            tqdm.tqdm.write(output)  # above the progress bar
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if passed_over or len(jobs) > 1:
        remarks.append(summarize(len(jobs) - len(failed), len(failed),
                                 passed_over))
    for remark in remarks:
        print(remark, file=sys.stderr)
    if failed:
        sys.exit("error: " + "\nerror: ".join(failed))


if __name__ == "__main__":
    command.run(main)
