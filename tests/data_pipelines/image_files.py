"""Image files of many kinds with what is to be seen in each."""

import dataclasses
import io
import struct
import zlib
from typing import Any, Optional

import numpy as np
from PIL import Image

SIDE = 48

ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (0.3127, 0.3290), 2.2
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), (0.3127, 0.329), None
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (
    0.3457, 0.3585), 1.8
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), (0.3127, 0.3290), None
# From the white of D65 to ICC's D50 (Bradford; Lindbloom, "Chromatic
# Adaptation").
_D65_TO_D50 = np.array([[1.0478112, 0.0228866, -0.0501270],
                        [0.0295424, 0.9904844, -0.0170491],
                        [-0.0092345, 0.0150436, 0.7521316]])


@dataclasses.dataclass
class ImageFile:
    """A file, and the picture that every reader must see.

    Attributes:
      content: the file's bytes.
      seen: uint8 [H, W, 3]; None if it must be refused.
      served: what the SavedModel sees, if anything else: the values as stored,
        or None where it reads no such format.
      tolerance: the largest difference that decoders may have, levels.
    """

    content: bytes
    seen: Optional[np.ndarray]
    served: Any = "the same"
    tolerance: int = 0


def picture(seed):
    """A smooth picture of muted colors that differs when turned."""
    coarse = np.random.default_rng(seed).uniform(50, 200, (4, 4, 3))
    return np.asarray(Image.fromarray(coarse.astype(np.uint8)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC))


def encode(pixels, file_format, mode="RGB", **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(
        pixels)
    image.convert(mode).save(file, file_format, **options)
    return file.getvalue()


def exif(orientation, *, order="<", kind=3):
    """An EXIF block from its byte order on; kind 3 is SHORT, 4 is LONG."""
    value = (struct.pack(order + "HH", orientation, 0) if kind == 3
             else struct.pack(order + "I", orientation))
    return ({"<": b"II*\0", ">": b"MM\0*"}[order]
            + struct.pack(order + "IH", 8, 2)
            + struct.pack(order + "HHII", 0x0100, 4, 1, SIDE)
            + struct.pack(order + "HHI", 0x0112, kind, 1) + value + bytes(4))


def stored(upright, orientation):
    """The picture as a camera stores it with this orientation."""
    return np.asarray(Image.fromarray(upright).transpose({
        3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]))


def jpeg(pixels, *segments, mode="RGB", before=2):
    """A JPEG with these (marker, payload) before a place in the file."""
    plain = encode(pixels, "JPEG", mode, quality=100, subsampling=0)
    return plain[:before] + b"".join(
        struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
        for marker, payload in segments) + plain[before:]


def without_adobe_marker(content):
    start = content.index(b"\xff\xee")
    size, = struct.unpack_from(">H", content, start + 2)
    return content[:start] + content[start + 2 + size:]


def chunk(name, payload, *, checksum=None):
    if checksum is None:
        checksum = zlib.crc32(name + payload)
    return struct.pack(">I4s", len(payload), name) + payload + struct.pack(
        ">I", checksum)


def png(pixels, *chunks, after=(), depth=8, height=None):
    """A PNG of [H, W, C] with these chunks before and after the pixels.

    Its header may tell another height.
    """
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(
        ">u2" if depth == 16 else "u1"))
    size = pixels.shape[1], height or pixels.shape[0]
    return b"".join([
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)),
        *chunks, chunk(b"IDAT", zlib.compress(rows)), *after,
        chunk(b"IEND", b"")])


def bmp(words, bits, masks, *, header=40, top_down=False):
    """A BMP of unsigned [H, W] pixels; its size is a multiple of 4."""
    height, width = words.shape
    pixels = (words if top_down else words[::-1]).astype(
        f"<u{bits // 8}").tobytes()
    fields = struct.pack("<3I", *masks)
    info = struct.pack("<IiiHHIIiiII", header, width,
                       -height if top_down else height, 1, bits, 3,
                       len(pixels), 0, 0, 0, 0)
    info += fields if header == 40 else fields.ljust(header - 40, b"\0")
    start = 14 + len(info)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start
                       ) + info + pixels


def fields(rgb, masks):
    """Puts colors into fields of bits, the upper bits of each."""
    words = np.zeros(rgb.shape[:2], np.uint32)
    for channel, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        width = (mask >> shift).bit_length()
        value = np.round(rgb[..., channel] / 255 * (2**width - 1))
        words |= value.astype(np.uint32) << np.uint32(shift)
    return words


def _to_xyz(space):
    """The matrix from linear values to XYZ under D50 (Lindbloom)."""
    primaries, white, _ = space
    columns = np.array([[x / y, 1, (1 - x - y) / y]
                        for x, y in (*primaries, white)]).T
    matrix = columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
    return matrix if space is PROPHOTO else _D65_TO_D50 @ matrix


def _decode_gamma(values, gamma):
    if gamma:
        return values**gamma
    return np.where(values <= 0.04045, values / 12.92,
                    ((values + 0.055) / 1.055)**2.4)


def _encode_gamma(values, gamma):
    if gamma:
        return values**(1 / gamma)
    return np.where(values <= 0.0031308, values * 12.92,
                    1.055 * values**(1 / 2.4) - 0.055)


def in_space(rgb, space):
    """The same colors in another space, uint8 [H, W, 3]."""
    linear = _decode_gamma(rgb / 255.0, None)
    matrix = np.linalg.inv(_to_xyz(space)) @ _to_xyz(SRGB)
    values = np.clip(linear @ matrix.T, 0, 1)
    return np.round(255 * _encode_gamma(values, space[2])).astype(np.uint8)


def profile(space):
    """An ICC profile of a space (ICC.1:2022, 7.2, 8.3.3, 10.6, 10.18)."""
    gamma = space[2]

    def fixed(values):
        return b"".join(
            struct.pack(">i", round(value * 65536)) for value in values)

    if gamma:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
        curve += bytes(2)
    else:
        curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + fixed(
            (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed((0.9642, 1.0, 0.8249))}
    for primary, column in zip((b"r", b"g", b"b"), _to_xyz(space).T):
        tags[primary + b"XYZ"] = b"XYZ " + bytes(4) + fixed(column)
        tags[primary + b"TRC"] = curve
    table, data = b"", b""
    for name, content in tags.items():
        start = 128 + 4 + 12 * len(tags) + len(data)
        table += name + struct.pack(">II", start, len(content))
        data += content.ljust(-(-len(content) // 4) * 4, b"\0")
    size = 128 + 4 + len(table) + len(data)
    header = (struct.pack(">I", size) + bytes(4) + b"\4\x30\0\0mntrRGB XYZ "
              + bytes(12) + b"acsp" + bytes(28) + fixed((0.9642, 1, 0.8249)))
    return header.ljust(128, b"\0") + struct.pack(
        ">I", len(tags)) + table + data
