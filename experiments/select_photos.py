"""Chooses photographs to train on: python -m experiments.select_photos.

Makes a folder of links to the photographs of --photos. Left out are photographs

- that look like an embedded photograph (their 64-bit perceptual hashes differ
  in at most 10 bits), so that the embedded ones stay unseen;
- with hardly any color, which would teach the network to leave things gray;
- from a source in --leave_out, for evaluation on unseen sources. Links to them
  go to a second folder, OUTPUT_DIR-left_out.

Photographs whose path matches --repeated are linked --times times, so that
training shows them more often than others. Name --eval_data when you train on
them: a share of --data set aside for evaluation could hold copies of
photographs that are trained on.

A photograph's source is the first part of its name, up to `_`, after a leading
`x_`.
"""

import concurrent.futures
import os
import re
from typing import Iterator, NamedTuple, Optional, Sequence

import numpy as np
import tqdm
from absl import flags
from PIL import Image

from data_pipelines import command, data_spec
from data_pipelines.errors import UserError
from data_pipelines.preparation import duplicates

with command.quiet_tensorflow():
    from data_pipelines import photo_file
    from data_pipelines.sources import sample_photos

_KEPT, _LEFT_OUT, _ALIKE, _PALE, _UNREADABLE = (
    "kept", "left out", "like an embedded photograph", "hardly any color",
    "unreadable")

_PHOTOS = command.define_path("photos", "", "Folder of photographs.")
_OUTPUT_DIR = command.define_path(
    "output_dir", "", "Folder of links to make; it must not exist.")
_LEAVE_OUT = flags.DEFINE_list("leave_out", [], "Sources to leave out.")
_REPEATED = flags.DEFINE_string(
    "repeated", "", "Regular expression; photographs whose path below --photos "
    "it matches from the beginning are linked --times times.")
_TIMES = flags.DEFINE_integer(
    "times", 1, "Links to each photograph of --repeated.", lower_bound=1)

# Two photographs look alike if their hashes differ in at most so many bits.
_LARGEST_DISTANCE = 10
# Photographs with less chroma have hardly any color.
_LEAST_CHROMA = 2.5


class PhotoProperties(NamedTuple):
    """The properties of a photograph that decide whether it is kept.

    Attributes:
      hashes: perceptual hashes of the upright photograph and of its mirror
        image.
      chroma: mean of max(R, G, B) - min(R, G, B), 0..255.
    """

    hashes: tuple[int, int]
    chroma: float


def read_properties(path: str) -> Optional[PhotoProperties]:
    """Returns the properties of a photograph; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            rgb = photo_file.read_rgb(file)
    except (OSError, photo_file.Rejected):
        return None
    pixels = np.asarray(rgb, np.int16)
    mirrored = rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return PhotoProperties(
        (duplicates.perceptual_hash(rgb), duplicates.perceptual_hash(mirrored)),
        float((pixels.max(axis=-1) - pixels.min(axis=-1)).mean()))


def source_of(name: str) -> str:
    """Returns the source in a photograph's name."""
    return os.path.basename(name).removeprefix("x_").partition("_")[0]


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    for flag in (_PHOTOS, _OUTPUT_DIR):
        if not flag.value:
            raise UserError(f"--{flag.name} must name a folder")
    folders = {_KEPT: _OUTPUT_DIR.value,
               _LEFT_OUT: f"{_OUTPUT_DIR.value}-left_out"}
    for path in folders.values():
        if os.path.lexists(path):
            raise UserError(f"--output_dir={_OUTPUT_DIR.value}: {path} "
                            f"exists already")
    photos = os.path.abspath(_PHOTOS.value)
    names = list(data_spec.list_images(photos, origin=f"--photos={photos}"))
    unknown = set(_LEAVE_OUT.value).difference(map(source_of, names))
    if unknown:
        raise UserError(f"--leave_out={','.join(sorted(unknown))}: no "
                        f"photograph in {photos} has this source")
    repeated = _match_repeated(names)
    verdicts = list(_judge_photos(photos, names))
    for name, verdict in zip(names, verdicts):
        if verdict in folders:
            link = os.path.join(folders[verdict], name)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(os.path.join(photos, name), link)
            for copy in range(2, 1 + _TIMES.value * (name in repeated)):
                stem, ending = os.path.splitext(link)
                os.symlink(os.path.join(photos, name),
                           f"{stem}~{copy}{ending}")
        elif verdict != _PALE:
            print(f"{verdict}: {name}")
    print(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in
                    (_KEPT, _LEFT_OUT, _ALIKE, _PALE, _UNREADABLE)))


def _match_repeated(names: Sequence[str]) -> set[str]:
    """Returns the names that --repeated matches."""
    if not _REPEATED.value:
        return set()
    try:
        pattern = re.compile(_REPEATED.value)
    except re.error as error:
        raise UserError(f"--repeated={_REPEATED.value}: {error}") from error
    repeated = set(filter(pattern.match, names))
    if not repeated:
        raise UserError(f"--repeated={_REPEATED.value} matches no photograph")
    return repeated


def _judge_photos(photos: str, names: Sequence[str]) -> Iterator[str]:
    """Yields the verdict on each photograph."""
    embedded = [photo.hashes[0] for photo in map(read_properties, (
        os.path.join(sample_photos.DIRECTORY, name)
        for name in data_spec.list_images(sample_photos.DIRECTORY, origin="")))
        if photo]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        properties = pool.map(
            read_properties, (os.path.join(photos, name) for name in names),
            chunksize=64)
        for name, photo in zip(names, tqdm.tqdm(
                properties, total=len(names), unit="photo", disable=None)):
            if photo is None:
                yield _UNREADABLE
            elif any((one ^ other).bit_count() <= _LARGEST_DISTANCE
                     for one in photo.hashes for other in embedded):
                yield _ALIKE
            elif photo.chroma < _LEAST_CHROMA:
                yield _PALE
            else:
                yield (_LEFT_OUT if source_of(name) in _LEAVE_OUT.value
                       else _KEPT)


if __name__ == "__main__":
    command.run(main)
