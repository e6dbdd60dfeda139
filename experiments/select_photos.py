"""Chooses photographs to train on: python -m experiments.select_photos.

Makes a folder of links to the photographs of --photos, without those that

- look like one of the embedded photographs (perceptual hash, 64 bits, up to
  --distance of them different), so that these stay unseen;
- hold hardly any color, which would teach to leave things gray;
- come from a source of --leave_out, for measuring on sources that were never
  trained on; those go to a second folder, OUTPUT_DIR-left_out. A photograph's
  source is the first part of its name, up to `_`, after `x_` where that stands.
"""

import concurrent.futures
import os
from typing import Iterator, NamedTuple, Optional, Sequence

import numpy as np
import tqdm
from absl import flags
from PIL import Image

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.preparation import duplicates

_KEPT, _LEFT_OUT, _ALIKE, _PALE, _UNREADABLE = (
    "kept", "left out", "like an embedded photograph", "hardly any color",
    "unreadable")


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_string("photos", "", "The folder of photographs.")
    flags.DEFINE_string("output_dir", "", "The folder of links to make; it "
                        "must not exist.")
    flags.DEFINE_list("leave_out", [], "Sources to leave out whole.")
    flags.DEFINE_integer(
        "distance", 10, "In how many of 64 bits the hashes of two photographs "
        "that look alike may differ.", lower_bound=0, upper_bound=63)
    flags.DEFINE_float(
        "min_chroma", 2.5, "Least mean difference of the largest and the "
        "smallest of R, G and B, of 255.", lower_bound=0.0)


class Look(NamedTuple):
    """What decides about a photograph.

    Attributes:
      perceptual: hash of the photograph and of its mirror image.
      chroma: mean of the largest minus the smallest of R, G and B, 0..255.
    """

    perceptual: tuple[int, int]
    chroma: float


def look_at(path: str) -> Optional[Look]:
    """Reads a photograph; None where it cannot be read."""
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    pixels = np.asarray(rgb, np.int16)
    return Look((duplicates.perceptual_hash(rgb), duplicates.perceptual_hash(
        rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT))),
        float((pixels.max(axis=-1) - pixels.min(axis=-1)).mean()))


def source_of(name: str) -> str:
    """Returns the source that a photograph's name begins with."""
    return os.path.basename(name).removeprefix("x_").partition("_")[0]


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    options = flags.FLAGS
    for flag in ("photos", "output_dir"):
        if not options[flag].value:
            raise UserError(f"--{flag} must name a folder")
    folders = {_KEPT: options.output_dir,
               _LEFT_OUT: f"{options.output_dir}-left_out"}
    for path in folders.values():
        if os.path.lexists(path):
            raise UserError(f"--output_dir={options.output_dir}: {path} "
                            f"exists already")
    with command.quiet_tensorflow():
        from data_pipelines.sources import folder
    photos = os.path.abspath(options.photos)
    names = list(folder.list_images(photos, origin=f"--photos={photos}"))
    unknown = set(options.leave_out).difference(map(source_of, names))
    if unknown:
        raise UserError(f"--leave_out={','.join(sorted(unknown))}: no "
                        f"photograph in {photos} is from there")
    what = dict(zip(names, _judge_all(photos, names, options)))
    for name, verdict in what.items():
        if verdict in folders:
            link = os.path.join(folders[verdict], name)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(os.path.join(photos, name), link)
        elif verdict != _PALE:
            print(f"{verdict}: {name}")
    verdicts = list(what.values())
    print(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in
                    (_KEPT, _LEFT_OUT, _ALIKE, _PALE, _UNREADABLE)))


def _judge_all(photos: str, names: Sequence[str],
               options: flags.FlagValues) -> Iterator[str]:
    """Yields what becomes of each photograph."""
    with command.quiet_tensorflow():
        from data_pipelines.sources import folder
        from data_pipelines.sources.sample_photos import DIRECTORY as directory
    embedded = [look.perceptual[0] for look in map(look_at, (
        os.path.join(directory, name)
        for name in folder.list_images(directory, origin=""))) if look]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        looks = pool.map(look_at, (os.path.join(photos, name)
                                   for name in names), chunksize=64)
        for name, look in zip(names, tqdm.tqdm(
                looks, total=len(names), unit="photo", disable=None)):
            if look is None:
                yield _UNREADABLE
            elif any((one ^ other).bit_count() <= options.distance
                     for one in look.perceptual for other in embedded):
                yield _ALIKE
            elif look.chroma < options.min_chroma:
                yield _PALE
            else:
                yield (_LEFT_OUT if source_of(name) in options.leave_out
                       else _KEPT)


if __name__ == "__main__":
    define_flags()
    command.run(main)
