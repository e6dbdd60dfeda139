"""BMP files whose pixels are fields of bits: 5-6-5, RGBA, 10-10-10...

Pillow reads some of these layouts and TensorFlow none. (Microsoft,
BITMAPINFOHEADER to BITMAPV5HEADER, compression BI_BITFIELDS.)
"""

import struct

import numpy as np

from data_pipelines.image_header import DamagedImageError

_HEADER = struct.Struct("<2s8xIIiiHHI")
_MASKS = struct.Struct("<3I")
_MASKS_OFFSET = 54  # behind the first 40 bytes of every kind of header
_BITFIELDS = (3, 6)  # BI_BITFIELDS, BI_ALPHABITFIELDS


def has_masks(head: bytes) -> bool:
    """Tells by its first 66 bytes whether a BMP says where its colors are."""
    return (len(head) >= _MASKS_OFFSET + _MASKS.size
            and head.startswith(b"BM")
            and _HEADER.unpack_from(head)[2] >= 40
            and _HEADER.unpack_from(head)[7] in _BITFIELDS)


def read_size(image_bytes: bytes) -> tuple[int, int]:
    """Returns width and height, pixels."""
    _, _, _, width, height, *_ = _HEADER.unpack_from(image_bytes)
    return abs(width), abs(height)


def decode(image_bytes: bytes) -> np.ndarray:
    """Decodes a BMP of 16, 24 or 32 bits a pixel that has masks.

    Returns:
      uint8 [H, W, 3]. A field of fewer or more than 8 bits is scaled.

    Raises:
      DamagedImageError: the file is cut off or odd; the message says how.
    """
    _, start, _, width, height, _, bits, _ = _HEADER.unpack_from(image_bytes)
    if bits not in (16, 24, 32):
        raise DamagedImageError(f"a BMP of {bits} bits a pixel with masks")
    pixel = bits // 8
    row = -(-width * pixel // 4) * 4  # rows end at multiples of 4 bytes
    if width < 1 or not height or start + row * abs(height) > len(image_bytes):
        raise DamagedImageError("a BMP that is cut off")
    rows = np.frombuffer(image_bytes, np.uint8, row * abs(height), start)
    octets = rows.reshape(abs(height), row)[:, :width * pixel].reshape(
        abs(height), width, pixel)
    words = np.zeros((abs(height), width), np.uint32)
    for place in range(pixel):
        words |= octets[..., place].astype(np.uint32) << np.uint32(8 * place)
    rgb = np.stack([_field(words, mask) for mask in _MASKS.unpack_from(
        image_bytes, _MASKS_OFFSET)], axis=-1)
    return rgb if height < 0 else rgb[::-1]


def _field(words, mask):
    """Scales a field of bits to 0..255."""
    if not mask:
        raise DamagedImageError("a BMP with a mask of no bits")
    shift = (mask & -mask).bit_length() - 1
    largest = mask >> shift
    values = ((words & np.uint32(mask)) >> np.uint32(shift)).astype(np.uint64)
    return ((values * 255 + largest // 2) // largest).astype(np.uint8)
