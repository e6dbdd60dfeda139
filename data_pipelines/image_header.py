"""Reads the headers of JPEG, PNG, WebP and BMP files, without decoding them.

orientation.py reads the same in TensorFlow ops.
"""

import dataclasses
import struct
import zlib
from typing import Iterator, NamedTuple

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

_JPEG_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_JPEG_ENDS = frozenset({0xD9, 0xDA})
# Markers that begin a frame: SOF0 to SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"
_WEBP_ICC, _WEBP_EXIF, _WEBP_ANIMATION = 0x20, 0x08, 0x02
# Profiles have a few hundred bytes, or a few megabytes with tables.
_MAX_PROFILE_BYTES = 16 * 2**20
_JPEG_FRAME = struct.Struct(">xHHB")
_PNG_HEADER = struct.Struct(">IIxB")
_BMP_HEADER = struct.Struct("<10xIIii2xHI")
# Of BITMAPV5HEADER: what the colors are, and where the profile is.
_BMP_SPACE, _BMP_PROFILE_INSIDE = 70, b"DEBM"
_BMP_PROFILE = struct.Struct("<126xII")
_BMP_V5_BYTES = 124

UPRIGHT = 1
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION_TAG, _ENTRY_BYTES = 0x0112, 12
_VALUES = {3: "H", 4: "I"}  # SHORT and LONG (TIFF 6.0, section 2)


class DamagedImageError(ValueError):
    """A file is damaged or cut off; the message says how."""


@dataclasses.dataclass
class Header:
    """A picture's properties; empty if the header is damaged.

    Attributes:
      file_format: JPEG, PNG, WEBP or BMP; empty for others.
      num_pixels: height times width; 0 where it is not told.
      mode: Pillow's mode for the kind of the values: L, RGB or CMYK.
      exif: where the EXIF block is, from its byte order on: offset, end; 0, 0
        if there is none.
      icc_profile: the embedded profile; empty if there is none.
      is_plain: whether TensorFlow and Pillow decode it alike.
    """

    file_format: str = ""
    num_pixels: int = 0
    mode: str = "RGB"
    exif: tuple[int, int] = (0, 0)
    icc_profile: bytes = b""
    is_plain: bool = True


class Chunk(NamedTuple):
    """A piece of a PNG or WebP file: its name, and where its content is."""

    name: bytes
    start: int
    end: int


def read_header(image_bytes: bytes) -> Header:
    """Reads the header of a file of any format; damaged ones tell less."""
    if image_bytes.startswith(JPEG):
        return _read_jpeg(image_bytes)
    if image_bytes.startswith(PNG):
        return _read_png(image_bytes)
    if image_bytes.startswith(b"RIFF") and image_bytes[8:12] == b"WEBP":
        return _read_webp(image_bytes)
    if image_bytes.startswith(b"BM"):
        return _read_bmp(image_bytes)
    return Header()


def read_orientation(exif: bytes) -> int:
    """Reads the orientation in the first directory of an EXIF block.

    Args:
      exif: a block from its byte order on, or nothing.

    Returns:
      1..8; UPRIGHT if there is none or its value is invalid. It may be a SHORT,
      as EXIF 2.32 (4.6.4 A) has it, or a LONG.
    """
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return UPRIGHT
    start, = struct.unpack_from(order + "I", exif, 4)
    if start + 2 > len(exif):
        return UPRIGHT
    count, = struct.unpack_from(order + "H", exif, start)
    entries = exif[start + 2:start + 2 + count * _ENTRY_BYTES]
    for offset in range(0, len(entries) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        tag, kind = struct.unpack_from(order + "HH", entries, offset)
        if tag == _ORIENTATION_TAG and kind in _VALUES:
            value, = struct.unpack_from(
                order + _VALUES[kind], entries, offset + 8)
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def _read_jpeg(image_bytes):
    header = Header("JPEG")
    profile = {}
    for code, start, end in _jpeg_segments(image_bytes):
        if code == 0xE1 and not header.exif[1] and image_bytes.startswith(
                _EXIF, start, end):
            header.exif = start + len(_EXIF), end
        elif code == 0xE2 and image_bytes.startswith(_ICC, start, end):
            # ICC.1:2022, B.4: number of the part, number of parts.
            part = start + len(_ICC)
            profile[image_bytes[part:part + 1]] = image_bytes[part + 2:end]
        elif code in _JPEG_FRAMES and end - start > 5:
            height, width, components = _JPEG_FRAME.unpack_from(
                image_bytes, start)
            header.num_pixels = height * width
            header.mode = {1: "L", 4: "CMYK"}.get(components, "RGB")
            # Inks are mixed by Pillow alone.
            header.is_plain = components != 4
    header.icc_profile = b"".join(profile[part] for part in sorted(profile))
    return header


def _jpeg_segments(image_bytes) -> Iterator[tuple[int, int, int]]:
    """Yields code, start and end of the segments before the first scan."""
    offset, size = 2, len(image_bytes)
    while offset + 8 <= size:
        if image_bytes[offset] != 0xFF:
            offset += 1
            continue
        code = image_bytes[offset + 1]
        if code == 0xFF:
            offset += 1
        elif code in _JPEG_ALONE:
            offset += 2
        else:
            length = image_bytes[offset + 2] * 256 + image_bytes[offset + 3]
            end = offset + 2 + length
            if code in _JPEG_ENDS or length < 2 or end > size:
                return
            yield code, offset + 4, end
            offset = end


def _read_png(image_bytes):
    header = Header("PNG")
    for chunk in png_chunks(image_bytes):
        # Only at the beginning: libpng alone would read it elsewhere.
        if (chunk.name == b"IHDR" and chunk.start == 16
                and chunk.end - chunk.start == 13):
            width, height, kind = _PNG_HEADER.unpack_from(
                image_bytes, chunk.start)
            header.num_pixels = height * width
            # PNG 1.2, 4.1.1: gray, and gray with alpha, have no second bit.
            header.mode = "RGB" if kind & 2 else "L"
        elif chunk.name == b"eXIf" and not header.exif[1]:
            header.exif = _without_prefix(image_bytes, chunk)
        elif chunk.name == b"iCCP" and not header.icc_profile:
            name, _, packed = image_bytes[chunk.start:chunk.end].partition(
                b"\0")
            del name
            header.icc_profile = unpack(packed[1:], _MAX_PROFILE_BYTES)
    return header


def png_chunks(image_bytes: bytes) -> Iterator[Chunk]:
    """Yields a PNG's chunks up to the last one that is whole."""
    offset, size = len(PNG), len(image_bytes)
    while offset + 12 <= size:
        length, name = struct.unpack_from(">I4s", image_bytes, offset)
        start = offset + 8
        offset = start + length + 4
        if offset > size:
            return
        yield Chunk(name, start, start + length)
        if name == b"IEND":
            return


def unpack(packed: bytes, max_bytes: int) -> bytes:
    """Inflates zlib's format; empty if damaged or longer than max_bytes."""
    inflating = zlib.decompressobj()
    try:
        content = inflating.decompress(packed, max_bytes)
    except zlib.error:
        return b""
    return content if inflating.eof else b""


def _read_webp(image_bytes):
    header = Header("WEBP")
    if image_bytes[12:16] != b"VP8X" or len(image_bytes) < 30:
        return header
    flags = image_bytes[20]
    header.is_plain = not flags & _WEBP_ANIMATION
    for chunk in _webp_chunks(image_bytes):
        if (chunk.name == b"EXIF" and flags & _WEBP_EXIF
                and not header.exif[1]):
            header.exif = _without_prefix(image_bytes, chunk)
        elif (chunk.name == b"ICCP" and flags & _WEBP_ICC
              and not header.icc_profile):
            header.icc_profile = image_bytes[chunk.start:chunk.end]
    return header


def _webp_chunks(image_bytes) -> Iterator[Chunk]:
    offset, size = 12, len(image_bytes)
    while offset + 8 <= size:
        name, length = struct.unpack_from("<4sI", image_bytes, offset)
        start = offset + 8
        offset = start + length + length % 2
        if offset > size:
            return
        yield Chunk(name, start, start + length)


def _without_prefix(image_bytes, chunk):
    start = chunk.start
    if image_bytes.startswith(_EXIF, start, chunk.end):
        start += len(_EXIF)
    return start, chunk.end


def _read_bmp(image_bytes):
    header = Header("BMP", is_plain=False)
    if len(image_bytes) >= _BMP_HEADER.size:
        start, size, width, height, bits, compression = (
            _BMP_HEADER.unpack_from(image_bytes))
        header.num_pixels = abs(height) * width
        # OS/2's headers are shorter; others have a palette or masks.
        # TensorFlow reads no file with anything behind the pixels.
        row = -(-bits * width // 32) * 4
        header.is_plain = (
            size >= 40 and bits in (24, 32) and compression == 0
            and start + row * abs(height) == len(image_bytes))
        if (size >= _BMP_V5_BYTES
                and len(image_bytes) >= _BMP_PROFILE.size
                and image_bytes.startswith(_BMP_PROFILE_INSIDE, _BMP_SPACE)):
            start, length = _BMP_PROFILE.unpack_from(image_bytes)
            header.icc_profile = image_bytes[14 + start:14 + start + length]
    return header
