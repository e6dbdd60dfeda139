"""Embedded ICC profiles: whatever a file's values mean, sRGB comes out.

    profile of the values' own kind     applied (gray, RGB, CMYK)
    as good as sRGB's                   nothing changes
    of another kind, or damaged         ignored

Applied by LittleCMS with the perceptual intent.
"""

import functools
import io
from typing import Optional

import numpy as np
from PIL import Image, ImageCms

# Bytes of a profile's header (ICC.1:2022, table 17).
_DATE, _SPACE, _SIGNATURE = slice(24, 36), slice(16, 20), slice(36, 40)
_SPACES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}
# A profile that changes 8-bit values by less is one of sRGB's many spellings.
_SAME = 2
_KEPT = 16


@functools.lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """Returns a profile of sRGB, always the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes())
    profile[_DATE] = bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])  # 2000-01-01
    return bytes(profile)


@functools.lru_cache(maxsize=_KEPT)
def find_transform(profile: bytes,
                   mode: str) -> Optional[ImageCms.ImageCmsTransform]:
    """Makes the way from a profile's values to sRGB.

    Args:
      profile: the ICC profile.
      mode: L, RGB or CMYK, the kind of the values.

    Returns:
      A transform to mode RGB; None if the values stay as they are: the profile
      is as good as sRGB's, damaged, or for another kind of values.
    """
    if not _is_of_kind(profile, mode):
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile())), mode, "RGB")
        return transform if _changes_colors(transform, mode) else None
    except (ImageCms.PyCMSError, OSError):
        return None


def _changes_colors(transform, mode):
    if mode == "CMYK":
        return True
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * 3), -1).reshape(1, -1, 3)
    probe = Image.fromarray(grid)
    if mode == "L":
        probe = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    found = ImageCms.applyTransform(probe, transform)
    expected = np.asarray(probe.convert("RGB")).astype(int)
    return np.abs(np.asarray(found) - expected).max() > _SAME


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Converts a picture by its profile.

    Args:
      image: a picture of mode L, RGB or CMYK.
      profile: the ICC profile; may be empty.

    Returns:
      A picture of mode RGB. Its `info` has `icc_profile`, the profile of its
      values, if they had one of their kind; untold values are sRGB.
    """
    transform = find_transform(profile, image.mode)
    if transform is None:
        rgb = image.convert("RGB")
        told = (profile if image.mode == "RGB" and _is_of_kind(profile, "RGB")
                else b"")
    else:
        converted = ImageCms.applyTransform(image, transform)
        assert converted is not None  # it is not done in place
        rgb, told = converted, srgb_profile()
    rgb.info = {"icc_profile": told} if told else {}
    return rgb


def _is_of_kind(profile, mode):
    return (profile[_SIGNATURE] == b"acsp"
            and profile[_SPACE] == _SPACES[mode])
