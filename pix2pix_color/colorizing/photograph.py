"""Image files of people: read with what is told beside the pixels, written.

    EXIF        carried over, but for what a TIFF says there of how its pixels
                are stored; the orientation, which was applied, set to upright
    ICC         of an RGB picture carried over, its values being left as they
                are; of gray and CMYK pictures applied, the result being sRGB

What the new format cannot hold of it is left out.
"""

import dataclasses
import io
from typing import Any, Optional

import numpy as np
from PIL import ExifTags, Image, ImageCms

from data_pipelines import photo_file, tiff_file

# read_rgb refuses by its own limit, with the picture's size.
Image.MAX_IMAGE_PIXELS = None

# --format -> Pillow's name and how it is written.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 1}),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95, "method": 2}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
}

# Places in an ICC profile's header (ICC.1:2022, table 17).
_ICC_SPACE, _ICC_SIGNATURE = slice(16, 20), slice(36, 40)


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


def read_photograph(image_bytes: bytes, *, max_pixels: int) -> Photograph:
    """Reads an image: all that Pillow and this project's decoder know.

    Args:
      image_bytes: the encoded image.
      max_pixels: height times width of the largest image that is decoded.

    Raises:
      NoPhotographError: it is none, is damaged, or is larger.
    """
    try:
        image = photo_file.load_image(io.BytesIO(image_bytes),
                                      max_pixels=max_pixels)
        rgb = photo_file.upright_rgb(image)
    except photo_file.Rejected as error:
        if error.reason == "not_an_image":
            raise NoPhotographError(
                "no image that can be read (JPEG, PNG, BMP, GIF, WebP, "
                "TIFF)") from None
        raise NoPhotographError(error.detail) from None
    profile = image.info.get("icc_profile") or b""
    space = (profile[_ICC_SPACE] if profile[_ICC_SIGNATURE] == b"acsp"
             else b"")
    if space == b"CMYK" and image.mode == "CMYK":
        converted = _to_srgb(image, profile)
        if converted is not None:
            rgb = photo_file.turn_upright(
                converted, image.getexif().get(ExifTags.Base.Orientation))
    elif space == b"GRAY" and image.mode.startswith(("1", "L", "I;16")):
        rgb = _to_srgb(rgb.convert("L"), profile) or rgb
    exif = _read_exif(image)
    carried = space == b"RGB " and image.mode in ("RGB", "RGBA", "P", "PA")
    return Photograph(rgb=np.asarray(rgb), exif=exif,
                      icc_profile=profile if carried else None)


def _read_exif(image: Image.Image) -> bytes:
    """The EXIF block to carry over; empty where none can be written again.

    It changes the image's own: nothing can be asked of that afterwards.
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


def _to_srgb(image: Image.Image, profile: bytes) -> Optional[Image.Image]:
    """Applies an ICC profile; None where it is broken and tells nothing."""
    try:
        return ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def write_photograph(photograph: Photograph, *, file_format: str) -> bytes:
    """Encodes a photograph with what its file told of it.

    Args:
      photograph: the picture.
      file_format: the value of --format.

    Raises:
      NoPhotographError: the format does not take a picture of this size.
    """
    about: dict[str, Any] = {}
    if photograph.icc_profile:
        about["icc_profile"] = photograph.icc_profile
    if photograph.exif:
        try:
            return _encode(photograph, file_format, exif=photograph.exif,
                           **about)
        except Exception:  # too long or too odd for it: the picture counts
            pass
    try:
        return _encode(photograph, file_format, **about)
    except (OSError, ValueError) as error:
        raise NoPhotographError(
            f"cannot be written with --format={file_format}: {error}"
        ) from error


def _encode(photograph: Photograph, file_format: str, **about: Any) -> bytes:
    name, options = _FORMATS[file_format]
    buffer = io.BytesIO()
    Image.fromarray(photograph.rgb).save(buffer, name, **options, **about)
    return buffer.getvalue()
