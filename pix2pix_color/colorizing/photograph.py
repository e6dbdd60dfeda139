"""Reads and writes photographs with the metadata of their files.

    EXIF    kept, except what a TIFF says about the storage of its pixels; the
            orientation is applied and then set to upright
    ICC     applied: values become sRGB, and the result says so with a profile;
            one that is as good as sRGB's is kept

Metadata that the new format cannot hold is dropped.
"""

import dataclasses
import io
from typing import Any, Optional

import numpy as np
from PIL import ExifTags, Image

from data_pipelines import photo_file, tiff_file

# read_rgb has its own limit, whose message gives the picture's size.
Image.MAX_IMAGE_PIXELS = None

# --format -> Pillow's name and options.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 1}),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95, "method": 2}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
}


class NoPhotographError(ValueError):
    """A file cannot be read as a photograph; the message says why."""


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A picture and its metadata.

    Attributes:
      rgb: uint8 [H, W, 3], sRGB, upright.
      exif: the EXIF block; may be empty.
      icc_profile: a profile of sRGB, the values' own space, if the file had
        one that was applied or kept; None otherwise.
    """

    rgb: np.ndarray
    exif: bytes = b""
    icc_profile: Optional[bytes] = None


def read_photograph(image_bytes: bytes, *, max_pixels: int) -> Photograph:
    """Reads an image file of any format that photo_file.py reads.

    Args:
      image_bytes: the encoded image.
      max_pixels: height times width of the largest image that is decoded.

    Raises:
      NoPhotographError: the file is not an image, damaged or too large.
    """
    try:
        image = photo_file.load_image(io.BytesIO(image_bytes),
                                      max_pixels=max_pixels)
        rgb = photo_file.upright_rgb(image)
    except photo_file.Rejected as error:
        if error.reason == "not_an_image":
            raise NoPhotographError(
                "not an image that can be read (JPEG, PNG, BMP, GIF, WebP, "
                "TIFF)") from None
        raise NoPhotographError(error.detail) from None
    return Photograph(rgb=np.asarray(rgb), exif=_read_exif(image),
                      icc_profile=rgb.info.get("icc_profile"))


def _read_exif(image: Image.Image) -> bytes:
    """Returns the EXIF block to keep; empty if it cannot be written again.

    Changes the image's own EXIF data.
    """
    try:
        exif = image.getexif()
        for tag in set(exif) - tiff_file.DESCRIPTIVE_TAGS:
            del exif[tag]
        if exif.get(ExifTags.Base.Orientation):
            exif[ExifTags.Base.Orientation] = 1
        return exif.tobytes() if len(exif) else b""
    except Exception:  # damaged blocks raise nearly anything
        return b""


def write_photograph(photograph: Photograph, *, file_format: str) -> bytes:
    """Encodes a photograph with its metadata.

    Args:
      photograph: the picture.
      file_format: the value of --format.

    Raises:
      NoPhotographError: the format cannot hold a picture of this size.
    """
    name, options = _FORMATS[file_format]

    def encode(exif):
        buffer = io.BytesIO()
        Image.fromarray(photograph.rgb).save(
            buffer, name, exif=exif, icc_profile=photograph.icc_profile,
            **options)
        return buffer.getvalue()

    if photograph.exif:
        try:
            return encode(photograph.exif)
        except Exception:  # too long or too odd: the picture matters more
            pass
    try:
        return encode(b"")
    except (OSError, ValueError) as error:
        raise NoPhotographError(
            f"cannot be written with --format={file_format}: {error}"
        ) from error
