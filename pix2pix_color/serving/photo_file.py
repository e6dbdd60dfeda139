"""Image files of people: read with what is told beside the pixels, written.

    EXIF        carried over; the orientation, which was applied, set to upright
    ICC         of an RGB picture carried over, its values being left as they
                are; of gray and CMYK pictures applied, the result being sRGB
"""

import dataclasses
import io
from typing import Any, Optional

import numpy as np
from PIL import ExifTags, Image, ImageCms

from data_pipelines.preparation import photo_file

# read_rgb refuses by its own limit, with the picture's size.
Image.MAX_IMAGE_PIXELS = None

# --format -> Pillow's name and how it is written.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 1}),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95, "method": 2}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
}


class NoPhotographError(ValueError):
    """The bytes are no image that is read; the message says why."""


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A picture and what its file told of it.

    Attributes:
      rgb: uint8 [H, W, 3], upright.
      exif: the EXIF block, empty where there is none.
      icc_profile: of the RGB values; None is sRGB.
    """

    rgb: np.ndarray
    exif: bytes = b""
    icc_profile: Optional[bytes] = None


def read(image_bytes: bytes, *, max_pixels: int) -> Photograph:
    """Reads an image: all that Pillow and this project's decoder know.

    Args:
      image_bytes: the encoded image.
      max_pixels: height times width of the largest image that is decoded.

    Raises:
      NoPhotographError: it is none, is damaged, or is larger.
    """
    try:
        rgb = photo_file.read_rgb(io.BytesIO(image_bytes),
                                  max_pixels=max_pixels)
    except photo_file.Rejected as error:
        if error.reason == "not_an_image":
            raise NoPhotographError(
                "no image that can be read (JPEG, PNG, BMP, GIF, WebP, "
                "TIFF)") from None
        raise NoPhotographError(error.detail) from None
    with Image.open(io.BytesIO(image_bytes)) as image:
        exif = image.getexif()
        icc_profile = image.info.get("icc_profile")
        mode = image.mode
        if icc_profile and mode in ("L", "CMYK"):
            try:
                source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
                image.load()
                converted = ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"),
                    outputMode="RGB")
            except (ImageCms.PyCMSError, OSError):
                pass  # a broken profile: the values are taken as they are
            else:
                assert converted is not None
                rgb = photo_file.turn_upright(
                    converted, exif.get(ExifTags.Base.Orientation))
    if exif.get(ExifTags.Base.Orientation):
        exif[ExifTags.Base.Orientation] = 1
    return Photograph(
        rgb=np.asarray(rgb), exif=exif.tobytes() if len(exif) else b"",
        icc_profile=icc_profile if mode not in ("L", "LA", "CMYK") else None)


def write(photograph: Photograph, *, file_format: str) -> bytes:
    """Encodes a photograph with what its file told of it.

    Args:
      photograph: the picture.
      file_format: the value of --format.

    Raises:
      NoPhotographError: the format does not take a picture of this size.
    """
    name, options = _FORMATS[file_format]
    about: dict[str, Any] = {}
    if photograph.exif:
        about["exif"] = photograph.exif
    if photograph.icc_profile:
        about["icc_profile"] = photograph.icc_profile
    buffer = io.BytesIO()
    try:
        Image.fromarray(photograph.rgb).save(buffer, name, **options, **about)
    except (OSError, ValueError) as error:
        raise NoPhotographError(
            f"cannot be written with --format={file_format}: {error}"
        ) from error
    return buffer.getvalue()
