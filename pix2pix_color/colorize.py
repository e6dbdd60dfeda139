"""Colors photographs: python -m pix2pix_color.colorize --model=M FILE...

Each FILE is a photograph, a video, a folder, a pattern such as 'old/*.jpg', or
- for standard input to standard output. Writes NAME_colorized.png beside each,
or into --output_dir, where folders keep their structure: the same size, the
same lightness, with color. An existing file is not overwritten, an input never;
--skip_existing goes on with a folder that was not finished.
A file that cannot be read is named at the end, with exit code 1, while the
others are done.
"""

import concurrent.futures
import sys
from typing import Sequence

import tqdm
from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color.colorizing.jobs import STANDARD, Job, find_jobs

_MODEL = flags.DEFINE_string(
    "model", "colorizer",
    "A SavedModel, a directory of its versions, or the folder of a run; "
    "colorizer is the trained one that comes with the package.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", "", "Where the pictures go; empty is beside each file.")
_FORMAT = flags.DEFINE_enum(
    "format", "png", ["png", "jpeg", "webp", "tiff"],
    "What photographs are written as; videos become MP4.")
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace results that exist already.")
_SKIP_EXISTING = flags.DEFINE_bool(
    "skip_existing", False, "Leave out files whose results exist already.")
_SATURATION = flags.DEFINE_float(
    "saturation", 1.0, "Factor of the colors: 0 is gray, 1 as predicted.",
    lower_bound=0.0, upper_bound=10.0)
_SAMPLES = flags.DEFINE_integer(
    "samples", 0, "How many alternatives to draw for each photograph, with "
    "dropout as noise; 0 gives the one answer without noise.", lower_bound=0)
_SEED = flags.DEFINE_integer(
    "seed", 0, "What the first alternative's noise follows from; the others "
    "take the next numbers.", lower_bound=0)
_SIDE_BY_SIDE = flags.DEFINE_bool(
    "side_by_side", False, "Write the gray photograph to the left of each "
    "result.")
_CHROMA_SIZE = flags.DEFINE_integer(
    "chroma_size", 0, "Side of the square that colors are predicted in, "
    "pixels, a multiple of the model's: more is slower and colors smaller "
    "things; 0 is the model's.", lower_bound=0)
_MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels", 100_000_000, "Pixels of the largest picture that is decoded.",
    lower_bound=1)

# While one is decoded or written, another is colored.
_AT_ONCE = 2


def main(arguments: Sequence[str]) -> None:
    if not _MODEL.value:
        raise UserError("--model must name a SavedModel, a run's folder, or "
                        "colorizer")
    if _OVERWRITE.value and _SKIP_EXISTING.value:
        raise UserError("--overwrite and --skip_existing exclude each other")
    ending = {"png": ".png", "jpeg": ".jpg", "webp": ".webp",
              "tiff": ".tif"}[_FORMAT.value]
    jobs = find_jobs(arguments[1:], output_dir=_OUTPUT_DIR.value, ending=ending,
                     samples=_SAMPLES.value, overwrite=_OVERWRITE.value,
                     skip_existing=_SKIP_EXISTING.value)
    if not jobs:
        print("nothing to do: every result exists")
        return
    if (_SAMPLES.value or _SIDE_BY_SIDE.value) and any(
            job.is_video for job in jobs):
        raise UserError("videos take neither --samples nor --side_by_side; "
                        "color photographs and videos in two calls")
    with command.quiet_tensorflow():
        from pix2pix_color.colorizing import one_file
        from pix2pix_color.saved_model.load import LoadedModel
    model = LoadedModel(_MODEL.value)
    if _SAMPLES.value and not model.has_noise:
        raise UserError(
            f"--samples={_SAMPLES.value}: the model in {model.directory} has "
            f"no noise to draw from; leave --samples out")
    chroma_size = model.fitting_chroma_size(_CHROMA_SIZE.value)
    if chroma_size < _CHROMA_SIZE.value:
        print(f"--chroma_size={_CHROMA_SIZE.value} needs more memory than "
              f"there is; coloring at {chroma_size}", file=sys.stderr)
    options = one_file.Options(
        file_format=_FORMAT.value, saturation=_SATURATION.value,
        seeds=tuple(range(_SEED.value, _SEED.value + _SAMPLES.value)),
        side_by_side=_SIDE_BY_SIDE.value, chroma_size=chroma_size,
        max_pixels=_MAX_PIXELS.value)

    def color(job: Job) -> str:
        """Colors one file; returns what is wrong with it, or nothing."""
        try:
            one_file.colorize(model, job, options)
        except OSError as error:
            return f"{error.filename or job.path}: {error.strerror or error}"
        except one_file.NoPhotographError as error:
            return f"{job.path}: {error}"
        except UserError as error:  # it is a video and PyAV is missing
            return str(error)
        return ""

    failed = []
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for job, problem in zip(jobs, tqdm.tqdm(
                    pool.map(color, jobs), total=len(jobs), unit="photo",
                    disable=True if jobs[0].path == STANDARD else None)):
                if problem:
                    failed.append(problem)
                elif job.path != STANDARD:
                    for output in job.outputs:
                        tqdm.tqdm.write(output)  # above the progress bar
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if failed:
        sys.exit("error: " + "\nerror: ".join(failed))


if __name__ == "__main__":
    command.run(main)
