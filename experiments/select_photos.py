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
from typing import NamedTuple, Sequence

import numpy as np
from absl import flags
from PIL import Image

from data_pipelines import command
from data_pipelines.errors import InputError
from data_pipelines.preparation import duplicates

_PHOTOS = flags.DEFINE_string("photos", "", "The folder of photographs.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", "", "The folder of links to make; it must not exist.")
_LEAVE_OUT = flags.DEFINE_list("leave_out", [], "Sources to leave out whole.")
_DISTANCE = flags.DEFINE_integer(
    "distance", 10, "In how many of 64 bits the hashes of two photographs that "
    "look alike may differ.", lower_bound=0, upper_bound=63)
_MIN_CHROMA = flags.DEFINE_float(
    "min_chroma", 2.5, "Least mean difference of the largest and the smallest "
    "of R, G and B, of 255.", lower_bound=0.0)


class Look(NamedTuple):
    """What decides about a photograph.

    Attributes:
      perceptual: hash of the photograph and of its mirror image.
      chroma: mean of the largest minus the smallest of R, G and B, 0..255.
    """

    perceptual: tuple[int, int]
    chroma: float


def look_at(path: str) -> Look:
    """Reads a photograph."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    pixels = np.asarray(rgb, np.int16)
    return Look((duplicates.perceptual_hash(rgb), duplicates.perceptual_hash(
        rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT))),
        float((pixels.max(axis=-1) - pixels.min(axis=-1)).mean()))


def source_of(name: str) -> str:
    """The source that a photograph's name begins with."""
    return os.path.basename(name).removeprefix("x_").partition("_")[0]


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    for flag, value in (("photos", _PHOTOS.value),
                        ("output_dir", _OUTPUT_DIR.value)):
        if not value:
            raise InputError(f"--{flag} must name a folder")
    folder = command.load("data_pipelines.sources.folder")
    directory = command.load("data_pipelines.sources.sample_photos").DIRECTORY
    embedded = [look_at(os.path.join(directory, name)).perceptual[0]
                for name in folder.list_images(directory, origin="")]
    photos = os.path.abspath(_PHOTOS.value)
    names = list(folder.list_images(photos, origin=f"--photos={photos}"))
    counts = {"kept": 0, "left out": 0, "like an embedded photograph": 0,
              "hardly any color": 0}
    folders = {"kept": _OUTPUT_DIR.value,
               "left out": f"{_OUTPUT_DIR.value}-left_out"}
    for path in folders.values():
        os.makedirs(path)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        looks = pool.map(look_at, (os.path.join(photos, name)
                                   for name in names), chunksize=64)
        for name, look in zip(names, looks):
            what = "kept"
            if any((one ^ other).bit_count() <= _DISTANCE.value
                   for one in look.perceptual for other in embedded):
                what = "like an embedded photograph"
                print(f"like an embedded photograph: {name}")
            elif look.chroma < _MIN_CHROMA.value:
                what = "hardly any color"
            elif source_of(name) in _LEAVE_OUT.value:
                what = "left out"
            counts[what] += 1
            if what in folders:
                os.symlink(os.path.join(photos, name), os.path.join(
                    folders[what], name.replace(os.sep, "_")))
    print(", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    command.run(main)
