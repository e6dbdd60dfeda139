"""Reads and writes photographs with the metadata of their files.

An ICC profile is applied: values become sRGB, and the result says so with a
profile; one that is as good as sRGB's is kept. metadata.py says what becomes of
EXIF, XMP, IPTC captions and the resolution.
"""

import dataclasses
import io
import re
from typing import Any, BinaryIO, Iterable, Optional

import numpy as np
from PIL import ExifTags, Image

from data_pipelines import photo_file
from pix2pix_color.colorizing.metadata import (Metadata, read_metadata,
                                               saving_options, tiff_tags,
                                               writable)
from pix2pix_color.colorizing.tiff_writer import TiffSizeError, write_tiff

# read_rgb has its own limit, whose message gives the picture's size.
Image.MAX_IMAGE_PIXELS = None

# --format -> Pillow's name and options; tiff_writer.py writes TIFFs.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 1}),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95, "method": 2}),
}

# Of MPO: the tag that lists its pictures, types that are previews (CIPA DC-007,
# 5.2.3.3), and what telephones say whose second picture is for bright displays.
_MP_ENTRIES, _PREVIEW = 0xB002, "Large Thumbnail"
_GAIN_MAP = re.compile(rb"(?i)gainmap|iso:ts:21496:-1")
_PIXEL = np.zeros((1, 1, 3), np.uint8)
_STRIP_PIXELS = 2**20


class NoPhotographError(ValueError):
    """A file cannot be read as a photograph; the message says why."""


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A picture and its metadata.

    Attributes:
      rgb: uint8 [H, W, 3], sRGB, upright.
      metadata: what else its file says of it.
      icc_profile: a profile of sRGB, the values' own space, if the file had
        one that was applied or kept; None otherwise.
      num_pictures: how many pictures its file has: pages, frames, views.
      was_transparent: whether a part of it is not opaque in its file.
    """

    rgb: np.ndarray
    metadata: Metadata = Metadata()
    icc_profile: Optional[bytes] = None
    num_pictures: int = 1
    was_transparent: bool = False


def read_photograph(image_bytes: bytes, *, max_pixels: int,
                    page: int = 0) -> Photograph:
    """Reads an image file of any format that photo_file.py reads.

    Args:
      image_bytes: the encoded image.
      max_pixels: height times width of the largest image that is decoded.
      page: which photograph of a TIFF, from 0.

    Raises:
      NoPhotographError: the file is not an image, damaged or too large.
    """
    try:
        image = photo_file.load_image(io.BytesIO(image_bytes),
                                      max_pixels=max_pixels, page=page)
        rgb = photo_file.upright_rgb(image)
        was_transparent = photo_file.is_transparent(image)
    except photo_file.Rejected as error:
        if error.reason == "not_an_image":
            raise NoPhotographError(
                "not an image that can be read (JPEG, PNG, WebP, AVIF, BMP, "
                "GIF, JPEG 2000, PPM, TIFF, HEIC)") from None
        raise NoPhotographError(error.detail) from None
    num_pictures = _count_pictures(image, image_bytes)
    return Photograph(rgb=_to_array(rgb), metadata=read_metadata(image),
                      icc_profile=rgb.info.get("icc_profile"),
                      num_pictures=num_pictures,
                      was_transparent=was_transparent)


def _to_array(rgb: Image.Image) -> np.ndarray:
    """Copies a picture of mode RGB by strips of rows.

    np.asarray would need the memory twice.
    """
    array = np.empty((rgb.height, rgb.width, 3), np.uint8)
    rows = max(_STRIP_PIXELS // rgb.width, 1)
    for first in range(0, rgb.height, rows):
        last = min(first + rows, rgb.height)
        array[first:last] = np.asarray(rgb.crop((0, first, rgb.width, last)))
    return array


def _count_pictures(image: Image.Image, image_bytes: bytes) -> int:
    """Counts pages, frames and views, but no previews and no gain maps."""
    try:
        if image.format != "MPO":
            frames = getattr(image, "n_frames", 1)
            return int(image.info.get("num_pages", frames))
        if _GAIN_MAP.search(image_bytes):
            return 1
        return sum(not entry["Attribute"]["MPType"].startswith(_PREVIEW)
                   for entry in getattr(image, "mpinfo")[_MP_ENTRIES])
    except Exception:  # damaged ones raise nearly anything
        return 1


def write_photograph(photograph: Photograph, *, file_format: str) -> bytes:
    """Encodes a photograph with its metadata.

    Args:
      photograph: the picture.
      file_format: the value of --format.

    Raises:
      NoPhotographError: the format cannot hold a picture of this size.
    """
    buffer = io.BytesIO()
    if file_format == "tiff":
        write_pages([photograph], buffer)
        return buffer.getvalue()
    name, options = _FORMATS[file_format]

    def save(rgb, metadata, file):
        Image.fromarray(rgb).save(
            file, name, icc_profile=photograph.icc_profile, **options,
            **saving_options(metadata, name))

    try:
        save(photograph.rgb, writable(
            photograph.metadata,
            lambda metadata: save(_PIXEL, metadata, io.BytesIO())), buffer)
    except (OSError, ValueError) as error:
        raise NoPhotographError(
            f"cannot be written with --format={file_format}: {error}"
        ) from error
    return buffer.getvalue()


def write_pages(photographs: Iterable[Photograph], file: BinaryIO) -> None:
    """Writes a TIFF with a page for each photograph.

    Args:
      photographs: the pages; one after the other is taken.
      file: an empty file, open for reading and writing.

    Raises:
      NoPhotographError: they need more than 4 GiB.
    """
    def with_tags(rgb, metadata, icc_profile):
        profile = {ExifTags.Base.InterColorProfile: icc_profile}
        return rgb, tiff_tags(metadata) | (profile if icc_profile else {})

    def try_writing(metadata):
        write_tiff(io.BytesIO(), [with_tags(_PIXEL, metadata, None)])

    try:
        write_tiff(file, (
            with_tags(photograph.rgb,
                      writable(photograph.metadata, try_writing),
                      photograph.icc_profile)
            for photograph in photographs))
    except TiffSizeError as error:
        raise NoPhotographError(
            f"cannot be written with --format=tiff: {error}") from error
