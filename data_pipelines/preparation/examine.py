"""One file of a collection -> a photograph fit for training, or why not."""

import os
from typing import NamedTuple, Union

from data_pipelines import photo_file
from data_pipelines.preparation import duplicates
from data_pipelines.preparation.collection import Collection
from data_pipelines.preparation.settings import Settings


class Photo(NamedTuple):
    """A photograph that is fit for training.

    Attributes:
      identity: the name of its file, as bytes: not all are text.
      picture: its bytes, prepared and encoded as the settings say.
      width, height: of the prepared picture.
      digest: of its pixels.
      perceptual: its perceptual hash.
    """

    identity: bytes
    picture: bytes
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
            name, photo_file.encode(rgb, encoding=settings.encoding,
                                    jpeg_quality=settings.jpeg_quality),
            rgb.width, rgb.height, duplicates.pixel_digest(rgb),
            duplicates.perceptual_hash(rgb)), num_bytes
    return Rejection(
        name, reason, detail.encode("utf-8", "backslashreplace")), num_bytes
