"""Turns a TIFF's samples into a picture, as the directory's tags say.

    gray, 0 black or white, 1 to 16 bits, signed or not    L
    palette of 8-bit or 16-bit colors                      RGB
    RGB, CIELAB, ICCLAB                                    RGB
    CMYK                                                   CMYK
    32 bits, floating point     as above, if two tags tell the range
    alpha                       dropped; premultiplied colors are divided by it

A directory (IFD) is a tifffile.TiffPage, of which the tags have been read.
Its samples are decoded by tifffile and imagecodecs. Source: TIFF 6.0.
"""

import functools
import math

import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageCms
from tifffile import COMPRESSION, PHOTOMETRIC

# Samples a pixel, without the extra ones.
_COLORS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1, PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.PALETTE: 1, PHOTOMETRIC.RGB: 3, PHOTOMETRIC.SEPARATED: 4,
    PHOTOMETRIC.YCBCR: 3, PHOTOMETRIC.CIELAB: 3, PHOTOMETRIC.ICCLAB: 3}
_LAB = (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB)
# A file with more is no photograph, and would take as much more memory.
_MAX_SAMPLES = 8
_MAX_GRAY_SAMPLES = 2
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_SAMPLE_KINDS = {_UNSIGNED: "unsigned", _SIGNED: "signed",
                 _FLOAT: "floating-point", _UNDEFINED: "unsigned"}
_ASSOCIATED_ALPHA, _ALPHA = 1, 2
_INK_SET, _INK_SET_CMYK = 332, 1
_SMIN_SAMPLE_VALUE, _SMAX_SAMPLE_VALUE = 340, 341
_COLOR_MAP = 320

_FAX = (COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6)
OLD_COMPRESSIONS = (COMPRESSION.OJPEG, *_FAX)
# Compressions whose data are pictures with a size of their own, and Pillow's
# names for them.
PICTURE_FORMATS = {COMPRESSION.JPEG: "JPEG", COMPRESSION.JPEG2000: "JPEG2000",
                   COMPRESSION.WEBP: "WEBP"}
_COMPRESSIONS = {
    COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE,
    COMPRESSION.DEFLATE, COMPRESSION.PACKBITS, COMPRESSION.LZMA,
    COMPRESSION.ZSTD, *OLD_COMPRESSIONS, *PICTURE_FORMATS}


class UnsupportedTiffError(ValueError):
    """The TIFF's picture is not read; the message says why."""


def photometric_of(directory: tifffile.TiffPage) -> int:
    """Returns PhotometricInterpretation, or libtiff's guess without it."""
    if ExifTags.Base.PhotometricInterpretation in directory.tags:
        return directory.photometric
    if directory.samplesperpixel >= 3:
        return PHOTOMETRIC.RGB
    return (PHOTOMETRIC.MINISWHITE if directory.compression in _FAX
            else PHOTOMETRIC.MINISBLACK)


def require_support(directory: tifffile.TiffPage) -> None:
    """Refuses by name what is not read.

    Raises:
      UnsupportedTiffError: the picture is not of a kind that is read.
    """
    photometric = photometric_of(directory)
    bits, samples = directory.bitspersample, directory.samplesperpixel
    unsupported = None
    if directory.compression not in _COMPRESSIONS:
        unsupported = f"compression {_name(directory.compression)}"
    elif photometric not in _COLORS:
        unsupported = f"colors stored as {_name(photometric)}"
    elif (photometric == PHOTOMETRIC.SEPARATED and directory.tags.valueof(
            _INK_SET, _INK_SET_CMYK) != _INK_SET_CMYK):
        unsupported = "inks other than CMYK"
    elif not _COLORS[photometric] <= samples <= (
            _MAX_GRAY_SAMPLES if _COLORS[photometric] == 1 else _MAX_SAMPLES):
        unsupported = f"{samples} samples a pixel ({_name(photometric)})"
    elif directory.imagedepth != 1:
        unsupported = f"{directory.imagedepth} pictures in depth"
    elif isinstance(bits, tuple):
        unsupported = f"samples of {', '.join(map(str, bits))} bits"
    elif (directory.dtype is None
          or directory.sampleformat not in _SAMPLE_KINDS):
        unsupported = (f"{bits}-bit samples of the format "
                       f"{_name(directory.sampleformat)}")
    elif (photometric in (PHOTOMETRIC.PALETTE, *_LAB)
          and directory.dtype.kind == "f"
          or photometric in _LAB and bits not in (8, 16)):
        unsupported = (f"{_name(photometric)} of {bits}-bit "
                       f"{_SAMPLE_KINDS[directory.sampleformat]} samples")
    if unsupported:
        raise UnsupportedTiffError(
            f"a TIFF with {unsupported}, which is not read; convert it to RGB "
            f"or gray of 8 or 16 bits")
    if _has_no_range(directory) and _told_range(directory) is None:
        raise UnsupportedTiffError(
            f"a TIFF with {bits}-bit {_SAMPLE_KINDS[directory.sampleformat]} "
            f"samples of unknown range (it has no tags SMinSampleValue and "
            f"SMaxSampleValue); convert it to 16 bits")


def _name(value):
    """The name of a tag's value, or the number where it has none."""
    return getattr(value, "name", str(value))


def to_image(directory: tifffile.TiffPage) -> Image.Image:
    """Decodes a picture that require_support lets pass.

    Returns:
      A picture of mode L, RGB or CMYK, as it lies in the file. Its `info` has
      `is_transparent` if the file has an alpha channel.

    Raises:
      Exception: anything, where the file is damaged.
    """
    samples = directory.asarray(squeeze=False)  # [planes, 1, H, W, samples]
    samples = (np.moveaxis(samples[:, 0, ..., 0], 0, -1) if len(samples) > 1
               else samples[0, 0])
    image = _without_alpha(directory, samples)
    if directory.extrasamples[:1] in ((_ASSOCIATED_ALPHA,), (_ALPHA,)):
        alpha = samples[..., _COLORS[photometric_of(directory)]]
        image.info["is_transparent"] = bool(
            (_to_units(directory, alpha) < 1).any())
    return image


def _without_alpha(directory, samples):
    photometric = photometric_of(directory)
    num_colors = _COLORS[photometric]
    if photometric == PHOTOMETRIC.PALETTE:
        return Image.fromarray(_apply_palette(directory, samples[..., 0]))
    if photometric in _LAB:
        return _from_lab(samples[..., :num_colors], photometric)
    if directory.extrasamples[:1] == (_ASSOCIATED_ALPHA,):
        units = _to_units(directory, samples[..., :num_colors + 1])
        alpha = np.maximum(units[..., num_colors:], 1 / 255)
        octets = _units_to_bytes(units[..., :num_colors] / alpha)
    else:
        octets = _to_bytes(directory, samples[..., :num_colors])
    if photometric == PHOTOMETRIC.MINISWHITE:
        octets = ~octets
    if photometric == PHOTOMETRIC.SEPARATED:
        return Image.fromarray(octets, "CMYK")
    return Image.fromarray(octets[..., 0] if num_colors == 1 else octets)


def _to_bytes(directory, samples):
    """Brings samples to uint8; of more than 8 bits the upper 8 are kept."""
    bits = directory.bitspersample
    if _has_no_range(directory) or _told_range(directory):
        return _units_to_bytes(_to_units(directory, samples))
    samples = _as_unsigned(samples)
    if directory.sampleformat == _SIGNED:
        samples = samples ^ samples.dtype.type(1 << (bits - 1))
    if bits >= 8:
        return (samples >> (bits - 8)).astype(np.uint8)
    steps = np.arange(2**bits) * 255 / (2**bits - 1)
    return np.round(steps).astype(np.uint8)[samples.astype(np.uint8)]


def _as_unsigned(samples):
    return samples.view(f"u{samples.dtype.itemsize}")


def _to_units(directory, samples):
    """Brings samples to float32 in 0..1, by their range."""
    bits = directory.bitspersample
    low = -2**(bits - 1) if directory.sampleformat == _SIGNED else 0
    low, high = _told_range(directory) or (low, low + 2**bits - 1)
    with np.errstate(all="ignore"):  # samples may be infinite, or no numbers
        units = (samples.astype(np.float32) - low) / np.float32(high - low)
    return np.clip(np.nan_to_num(units), 0, 1)


def _units_to_bytes(units):
    return np.round(np.clip(units, 0, 1) * 255).astype(np.uint8)


def _has_no_range(directory):
    """Tells whether the samples' type leaves their range open.

    Integers of 32 bits could; but they hold counts more often than light.
    """
    return directory.sampleformat == _FLOAT or directory.bitspersample > 16


def _told_range(directory):
    """The range that SMinSampleValue and SMaxSampleValue tell, or None.

    They are for signed and floating-point samples (TIFF 6.0, section 19). Of
    unsigned ones up to 16 bits they may tell what the picture happens to hold.
    """
    if not _has_no_range(directory) and directory.sampleformat != _SIGNED:
        return None
    lows, highs = (np.ravel(directory.tags.valueof(tag, ())) for tag in
                   (_SMIN_SAMPLE_VALUE, _SMAX_SAMPLE_VALUE))
    if not lows.size or not highs.size:
        return None
    low, high = float(lows.min()), float(highs.max())
    return (low, high) if -math.inf < low < high < math.inf else None


def _apply_palette(directory, indices):
    """Looks indices up: [H, W] -> uint8 [H, W, 3].

    The values of a color map have 16 bits; some programs write 8.
    """
    colors = np.asarray(directory.tags.valueof(_COLOR_MAP)).reshape(3, -1).T
    if colors.max() >= 256:
        colors = colors >> 8
    return colors.astype(np.uint8)[_as_unsigned(indices)]


def _from_lab(samples, photometric):
    """Converts CIELAB or ICCLAB of 8 or 16 bits, D50, to sRGB.

    CIELAB has signed a* and b*, with 16 bits in 1/256. ICCLAB has them 128
    higher, and with 16 bits L* 100 is 0xFF00.
    """
    values = _as_unsigned(samples)
    if values.dtype == np.uint16:
        white = 0xFFFF if photometric == PHOTOMETRIC.CIELAB else 0xFF00
        lightness = np.minimum(values[..., :1] * (255 / white), 255)
        values = np.concatenate(
            [np.round(lightness), values[..., 1:] >> 8], axis=-1)
    values = values.astype(np.uint8)
    if photometric == PHOTOMETRIC.ICCLAB:
        values[..., 1:] ^= 128  # Pillow takes them as CIELAB has them
    image = Image.frombytes("LAB", values.shape[1::-1], values.tobytes())
    rgb = ImageCms.applyTransform(image, _lab_to_srgb())
    assert rgb is not None  # None is for changes in place
    return rgb


@functools.cache
def _lab_to_srgb():
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB",
        "RGB")
