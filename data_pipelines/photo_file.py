"""Any image file -> an upright 8-bit RGB picture of the wanted size.

Pillow also reads what decode.py refuses: GIF, AVIF, JPEG 2000, HEIC (with
pillow-heif), animations, palettes. tiff_file.py reads TIFF, png_file.py PNG and
bmp_file.py BMP with masks. This module is not for the hot path.

    gray, gray + alpha, RGBA    the gray value three times, alpha dropped
    palette, bilevel            the palette applied
    CMYK, YCCK, YCbCr           converted to RGB
    embedded color profile      applied: values become sRGB; what a PNG tells
                                otherwise (gAMA, cHRM, cICP) is ignored
    16 bits a channel           the upper 8 are kept
    animated, several pages     the first one
    EXIF and TIFF orientation   applied; that of XMP and of texts is ignored
    more than MAX_PIXELS        refused before a pixel is decoded
"""

import contextlib
import io
import warnings
from typing import BinaryIO, Iterator

import imagecodecs
import numpy as np
import tensorflow as tf
from PIL import Image, ImageChops

from data_pipelines import (bmp_file, color, color_profile, extras,
                            image_header, png_file, tiff_file)
from data_pipelines.command import MAX_PIXELS

try:
    import pillow_heif
except ImportError:
    _READS_HEIC = False
else:
    pillow_heif.register_heif_opener()
    _READS_HEIC = True

# A picture whose L* (0..100) has a lower standard deviation is blank.
MIN_LIGHTNESS_DEVIATION = 1.0

# Leaves out formats that start other programs (EPS) or that any file could be
# mistaken for (TGA).
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "JPEG2000", "PPM",
            *(("HEIF",) if _READS_HEIC else ()))
_HEAD_BYTES = 128
# The brands of HEIC, behind `ftyp` (ISO/IEC 23008-12). AVIF has the last two
# as well, and then names itself among the compatible ones.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1",
                b"msf1")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STATISTICS_SIDE = 64

# Pillow's warnings of odd metadata are harmless; sizes are checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Rejected(Exception):
    """A file that cannot be used.

    Attributes:
      reason: a keyword to count by: `unreadable`, `too_large`...
      detail: the details, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def read_rgb(file: BinaryIO, *, shorter_side: int = 0, min_size: int = 1,
             max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Reads one image, upright and shrunk.

    Args:
      file: the encoded image, at its beginning.
      shorter_side: length to which a longer shorter side is shrunk,
        antialiased, in pixels; 0 keeps the size.
      min_size: least length of the file's shorter side, pixels.
      max_pixels: height times width of the largest picture that is decoded.

    Returns:
      A picture of mode RGB, sRGB.

    Raises:
      Rejected: `not_an_image`, `too_small`, `too_large` or `unreadable`.
    """
    image = load_image(file, min_size=min_size, max_pixels=max_pixels)
    return upright_rgb(image, shorter_side=shorter_side)


def load_image(file: BinaryIO, *, min_size: int = 1,
               max_pixels: int = MAX_PIXELS, page: int = 0) -> Image.Image:
    """Decodes an image, not yet upright and of any mode.

    Its `info` has `icc_profile` and, for EXIF, getexif can be asked.

    Args:
      file, min_size, max_pixels: as for read_rgb.
      page: which photograph of a TIFF, from 0.

    Raises:
      Rejected: as read_rgb does.
    """
    with _rejecting():
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        raw_format = tiff_file.find_raw_format(head)
        if raw_format:
            raise Rejected("unreadable", tiff_file.explain_raw(raw_format))
        if not _READS_HEIC and _is_heic(head):
            raise Rejected("unreadable", "HEIC needs pillow-heif: "
                           + extras.how_to_install("heic"))
        if tiff_file.is_tiff(head):
            with tiff_file.open_page(file, page) as directory:
                _require_size(*directory.size, min_size, max_pixels)
                return directory.decode()
        if head.startswith(image_header.PNG):
            image_bytes = file.read()
            _require_size(*png_file.read_size(image_bytes), min_size,
                          max_pixels)
            return png_file.decode(image_bytes)
        if bmp_file.has_masks(head):
            image_bytes = file.read()
            _require_size(*bmp_file.read_size(image_bytes), min_size,
                          max_pixels)
            image = Image.fromarray(bmp_file.decode(image_bytes))
        else:
            image = Image.open(file, formats=_FORMATS)
            _require_size(*image.size, min_size, max_pixels)
            image.load()
        file.seek(0)
        if head.startswith(b"BM"):
            image.info["icc_profile"] = image_header.read_header(
                file.read()).icc_profile
        elif image.format == "JPEG2000" and image.mode in ("RGB", "RGBA"):
            return _whole_range(image, file.read())
        return image


def _whole_range(image: Image.Image, image_bytes: bytes) -> Image.Image:
    """Decodes a JPEG 2000 again whose samples have more than 8 bits.

    Pillow makes 0 of the largest ones.
    """
    # ISO/IEC 15444-1, A.5.1: the bits of the first component less one.
    place = image_bytes.find(b"\xff\x4f\xff\x51") + 42
    bits = (image_bytes[place] & 0x7F) + 1
    if bits <= 8:
        return image
    samples = imagecodecs.jpeg2k_decode(image_bytes)
    deep = Image.fromarray((samples >> (bits - 8)).astype(np.uint8))
    deep.info, deep.format = image.info, image.format
    return deep


def _is_heic(head):
    return (head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS
            and b"avif" not in head)


def is_transparent(image: Image.Image) -> bool:
    """Tells whether a part of what load_image returns is not opaque.

    Raises:
      Rejected: `unreadable`.
    """
    if not image.has_transparency_data:
        return image.info.get("is_transparent", False)  # of a TIFF
    with _rejecting():
        alpha = (image if image.mode in ("LA", "PA", "RGBA")
                 else image.convert("RGBA")).getchannel("A")
        return alpha.getextrema() != (255, 255)


def upright_rgb(image: Image.Image, *, shorter_side: int = 0) -> Image.Image:
    """Converts what load_image returns to sRGB, shrinks it and turns it.

    Args:
      image: the decoded image.
      shorter_side: as for read_rgb.

    Returns:
      As read_rgb. Its `info` has `icc_profile`, the profile of the values, if
      the file told what they mean; they are sRGB in any case.

    Raises:
      Rejected: `unreadable`.
    """
    with _rejecting():
        # Image.getexif would take an orientation from XMP as well.
        exif = (image.info.get("exif") or b"").removeprefix(b"Exif\0\0")
        turn = image_header.read_orientation(exif)
        srgb = color_profile.to_srgb(
            _to_known_mode(image), image.info.get("icc_profile") or b"")
        return turn_upright(_shrink(srgb, shorter_side), turn)


@contextlib.contextmanager
def _rejecting() -> Iterator[None]:
    """Makes a Rejected of whatever reading an image raises."""
    try:
        yield
    except Rejected:
        raise
    except Image.UnidentifiedImageError:
        raise Rejected("not_an_image",
                       "the format is none of "
                       + ", ".join((*_FORMATS, "TIFF"))) from None
    except Image.DecompressionBombError as error:
        raise Rejected("too_large", str(error)) from None
    except (tiff_file.UnsupportedTiffError,
            image_header.DamagedImageError) as error:
        raise Rejected("unreadable", str(error)) from None
    except Exception as error:  # damaged files raise nearly anything
        said = " ".join(str(error).split())
        if not isinstance(error, OSError) or not said:
            said = f"{type(error).__name__}: {said}"
        raise Rejected("unreadable", said) from error


def turn_upright(image: Image.Image, turn: int) -> Image.Image:
    """Applies EXIF's orientation, 1..8."""
    return image.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else image


def _require_size(width: int, height: int, min_size: int,
                  max_pixels: int) -> None:
    if width * height > max_pixels:
        raise Rejected("too_large", f"{width} x {height} pixels, at most "
                                    f"{max_pixels} are read")
    if min(width, height) < min_size:
        raise Rejected("too_small", f"{width} x {height} pixels, the shorter "
                                    f"side must be at least {min_size}")


def _to_known_mode(image: Image.Image) -> Image.Image:
    """Converts to mode L, RGB or CMYK."""
    if image.mode == "CMYK":
        # Pillow takes all JPEGs for Adobe's, whose inks are inverted.
        is_inverted = (image.format in ("JPEG", "MPO")
                       and "adobe" not in image.info)
        return ImageChops.invert(image) if is_inverted else image
    if image.mode.startswith("I;16") or (
            # Pillow brings every PGM of more than 8 bits to 0..65535.
            image.mode == "I" and image.format == "PPM"):
        gray = np.asarray(image).astype(np.uint16)
        return Image.fromarray((gray >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise Rejected("unreadable", f"{image.format} with 32-bit samples, "
                                     f"whose range is unknown")
    if image.mode in ("1", "L", "LA"):
        return image.convert("L")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def _shrink(image: Image.Image, shorter_side: int) -> Image.Image:
    width, height = image.size
    if not 0 < shorter_side < min(width, height):
        return image
    scale = shorter_side / min(width, height)
    # A much larger picture is first averaged down to three times the size.
    return image.resize(
        (round(width * scale), round(height * scale)),
        Image.Resampling.LANCZOS, reducing_gap=3.0)


def encode_rgb(rgb: Image.Image, *, encoding: str, jpeg_quality: int) -> bytes:
    """Encodes a picture.

    Args:
      rgb: a picture of mode RGB.
      encoding: `raw` for the pixels, three bytes each, row by row from the
        upper left; `jpeg` for a JPEG without color subsampling.
      jpeg_quality: JPEG's quality, 1..100.
    """
    if encoding == "raw":
        return rgb.tobytes()
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=jpeg_quality, subsampling="4:4:4")
    return buffer.getvalue()


def require_color(rgb: Image.Image, *, min_chroma: float) -> None:
    """Refuses a picture from which no colors can be learned.

    The picture is averaged to 64 x 64 pixels first, so that noise and
    compression count for less.

    Args:
      rgb: a picture of mode RGB.
      min_chroma: least mean of hypot(a*, b*), in native units.

    Raises:
      Rejected: `blank`, if L* is almost the same everywhere, or `colorless`.
    """
    lab = _small_lab(rgb)
    deviation = float(lab[..., 0].std())
    if deviation < MIN_LIGHTNESS_DEVIATION:
        raise Rejected("blank", f"standard deviation of L* {deviation:.2f} < "
                                f"{MIN_LIGHTNESS_DEVIATION:.2f}")
    chroma = _mean_chroma(lab)
    if chroma < min_chroma:
        raise Rejected("colorless",
                       f"mean chroma {chroma:.2f} < {min_chroma:.2f}")


def mean_chroma(rgb: Image.Image) -> float:
    """Returns the mean of hypot(a*, b*), as require_color measures it.

    Args:
      rgb: a picture of mode RGB.
    """
    return _mean_chroma(_small_lab(rgb))


def _small_lab(rgb):
    small = rgb.resize((_STATISTICS_SIDE,) * 2, Image.Resampling.BOX)
    return color.rgb_to_lab(tf.constant(np.asarray(small))).numpy()


def _mean_chroma(lab):
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())
