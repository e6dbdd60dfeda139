"""One file of a collection -> a photograph fit for training, or why not."""

import dataclasses
import os
from typing import NamedTuple, Union

from data_pipelines.preparation import duplicates, photo_file
from data_pipelines.preparation.collection import Collection


@dataclasses.dataclass(frozen=True)
class Settings:
    """What becomes of a photograph, and which are dropped.

    Attributes:
      shorter_side: what a picture is shrunk to, pixels; 0 to leave it.
      min_size: the least shorter side of a file, pixels.
      min_chroma: the least mean chroma, in units of a* and b*.
      near_duplicate_distance: in how many of 64 bits the hashes of near
        duplicates differ at most; -1 to keep near duplicates.
      jpeg_quality: 1..100.
    """

    shorter_side: int
    min_size: int
    min_chroma: float
    near_duplicate_distance: int
    jpeg_quality: int


class Photo(NamedTuple):
    """A photograph that is fit for training.

    Attributes:
      identity: the name of its file, as bytes: not all are text.
      jpeg: the picture, prepared.
      width, height: of the prepared picture.
      digest: of its pixels.
      perceptual: its perceptual hash.
    """

    identity: bytes
    jpeg: bytes
    width: int
    height: int
    digest: bytes
    perceptual: int


class Rejection(NamedTuple):
    """A file that was left out: its name, a word, and what was found.

    What was found may quote a name, and is bytes as names are.
    """

    identity: bytes
    reason: str
    detail: bytes


def examine(collection: Collection, identity: str,
            settings: Settings) -> tuple[Union[Photo, Rejection], int]:
    """Reads one file of a collection.

    Returns:
      The photograph, or why it was rejected; and the file's size in bytes.
    """
    name, num_bytes = os.fsencode(identity), 0
    try:
        file, num_bytes = collection.open(identity)
        with file:
            rgb = photo_file.read_rgb(
                file, shorter_side=settings.shorter_side,
                min_size=settings.min_size)
        photo_file.require_color(rgb, min_chroma=settings.min_chroma)
    except photo_file.Rejected as rejected:
        reason, detail = rejected.reason, rejected.detail
    except OSError as error:
        reason, detail = "unreadable", error.strerror or str(error)
    else:
        return Photo(
            name, photo_file.encode_jpeg(rgb, quality=settings.jpeg_quality),
            rgb.width, rgb.height, duplicates.pixel_digest(rgb),
            duplicates.perceptual_hash(rgb)), num_bytes
    return Rejection(
        name, reason, detail.encode("utf-8", "backslashreplace")), num_bytes
