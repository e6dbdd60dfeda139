"""EXIF's orientation: found in an image file and applied, in TensorFlow ops.

    JPEG    the first APP1 segment with EXIF before the first scan
    PNG     the chunk eXIf, wherever it is; checksums are not looked at
    WebP    the chunk EXIF, if the header announces one
    others  have none

An orientation that is told elsewhere (XMP, a PNG's text) is ignored, here and
by all readers of files.
"""

import numpy as np
import tensorflow as tf

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"

# Bounds the time that a file of tiny pieces takes: half a second.
_MAX_PIECES = 20_000
_PIECE_HEADER_BYTES = 8
_NOWHERE = 2**62
_JPEG_EXIF = b"Exif\0\0"
_JPEG_APP1 = 0xE1
# Markers without a length, and those behind which no metadata follow.
_JPEG_ALONE = (0x00, 0x01, *range(0xD0, 0xD9))
_JPEG_ENDS = (0xD9, 0xDA)
_WEBP_HAS_EXIF = 0x08

_ORIENTATION_TAG = 0x0112
_SHORT, _LONG = 3, 4  # types of TIFF 6.0, section 2
_ENTRY_BYTES = 12
# An integer of Python would become int32 in a graph.
_ZERO = np.int64(0)


def find_exif(image_bytes: tf.Tensor) -> tf.Tensor:
    """Finds an image file's EXIF block.

    Args:
      image_bytes: string [], a JPEG, PNG or WebP file.

    Returns:
      string [], the block from its byte order on; empty if there is none.
    """
    return tf.case(
        [(_is_at(image_bytes, 0, _JPEG), lambda: _exif_of_jpeg(image_bytes)),
         (_is_at(image_bytes, 0, _PNG), lambda: _exif_of_png(image_bytes)),
         (_is_at(image_bytes, 8, b"WEBPVP8X"),
          lambda: _exif_of_webp(image_bytes))],
        default=lambda: tf.constant(b""))


def _exif_of_jpeg(image_bytes):
    """Goes through the segments (ITU-T T.81, annex B)."""
    def look_at(offset):
        octets = _octets(image_bytes, offset, 4)
        code, length = octets[1], octets[2] * 256 + octets[3]
        is_marker = (octets[0] == 0xFF) & (code != 0xFF)
        is_alone = tf.reduce_any(code == _JPEG_ALONE)
        is_found = is_marker & (code == _JPEG_APP1) & _is_at(
            image_bytes, offset + 4, _JPEG_EXIF)
        is_last = is_marker & (
            tf.reduce_any(code == _JPEG_ENDS) | (~is_alone & (length < 2)))
        # Anything else than a marker is skipped, as libjpeg does.
        step = 1 + tf.where(is_marker, 1 + tf.where(
            is_alone, _ZERO, length), _ZERO)
        return is_found, is_found | is_last, step, length - 2

    offset, size = _search(image_bytes, 2, look_at)
    return _substr(image_bytes, offset + 4 + len(_JPEG_EXIF),
                   tf.maximum(size - len(_JPEG_EXIF), 0))


def _exif_of_png(image_bytes):
    """Goes through the chunks (PNG 1.2, 3.2)."""
    def look_at(offset):
        octets = _octets(image_bytes, offset, 4)
        size = tf.reduce_sum(octets * [2**24, 2**16, 2**8, 1])
        is_found = _is_at(image_bytes, offset + 4, b"eXIf")
        is_last = _is_at(image_bytes, offset + 4, b"IEND")
        return is_found, is_found | is_last, size + 12, size

    offset, size = _search(image_bytes, len(_PNG), look_at)
    return _without_prefix(_substr(image_bytes, offset + 8, size))


def _exif_of_webp(image_bytes):
    """Goes through the chunks (RFC 9649, 2.7)."""
    def look_at(offset):
        octets = _octets(image_bytes, offset + 4, 4)
        size = tf.reduce_sum(octets * [1, 2**8, 2**16, 2**24])
        is_found = _is_at(image_bytes, offset, b"EXIF")
        return is_found, is_found, size + size % 2 + 8, size

    flags = _octets(image_bytes, 20, 1)[0]
    offset, size = _search(
        image_bytes, tf.where(
            flags // _WEBP_HAS_EXIF % 2 > 0, 12 + _ZERO, _NOWHERE + _ZERO),
        look_at)
    return _without_prefix(_substr(image_bytes, offset + 8, size))


def _without_prefix(block):
    """Some programs put JPEG's prefix before other formats' blocks."""
    return tf.strings.regex_replace(block, r"^Exif\x00\x00", b"")


def _search(image_bytes, start, look_at):
    """Goes from piece to piece until one is found.

    Args:
      image_bytes: string [].
      start: int64 [], offset of the first piece.
      look_at: offset int64 [] of a piece -> whether it is the one, whether it
        is the last to be looked at, bytes from it to the next one, bytes of
        its content.

    Returns:
      int64 [] twice: offset and bytes of content; 0, 0 if none is found.
    """
    end = tf.cast(tf.strings.length(image_bytes), tf.int64)

    def step(offset, size, is_last):
        del size, is_last
        is_found, is_last, length, content = look_at(offset)
        is_whole = offset + length <= end
        return (tf.where(is_last, offset, offset + length),
                tf.where(is_found & is_whole, content, _ZERO),
                is_last | ~is_whole)

    offset, size, _ = tf.while_loop(
        lambda offset, size, is_last: ~is_last & (
            offset + _PIECE_HEADER_BYTES <= end), step,
        (tf.cast(start, tf.int64), tf.zeros([], tf.int64),
         tf.constant(False)), maximum_iterations=_MAX_PIECES)
    return tf.where(size > 0, offset, _ZERO), size


def read_orientation(exif: tf.Tensor) -> tf.Tensor:
    """Reads the orientation in the first directory of an EXIF block.

    Args:
      exif: string [], a block from its byte order on, or nothing.

    Returns:
      int32 [], 1..8; 1 (upright) if there is none or its value is invalid. It
      may be a SHORT, as EXIF 2.32 (4.6.4 A) has it, or a LONG.
    """
    is_little = tf.equal(tf.strings.substr(exif, 0, 4), b"II*\0")
    is_big = tf.equal(tf.strings.substr(exif, 0, 4), b"MM\0*")
    order = tf.constant([1, 2**8, 2**16, 2**24], tf.int64)

    def number(octets):
        """Reads octets [..., 2 or 4] as one integer."""
        count = octets.shape[-1]
        return tf.reduce_sum(octets * tf.where(
            is_little, order[:count], order[:count][::-1]), axis=-1)

    start = number(_octets(exif, 4, 4))
    # As much of the directory as the block has.
    size = number(_octets(exif, start, 2)) * _ENTRY_BYTES
    entries = tf.cast(tf.io.decode_raw(
        _substr(exif, start + 2, size), tf.uint8), tf.int64)
    entries = tf.reshape(
        entries[:tf.size(entries) // _ENTRY_BYTES * _ENTRY_BYTES],
        [-1, _ENTRY_BYTES])
    kind = number(entries[:, 2:4])
    value = tf.where(kind == _SHORT, number(entries[:, 8:10]),
                     number(entries[:, 8:12]))
    is_orientation = (number(entries[:, :2]) == _ORIENTATION_TAG) & (
        (kind == _SHORT) | (kind == _LONG))
    value = tf.concat([value[is_orientation], [_ZERO]], axis=0)[0]
    is_valid = (is_little | is_big) & (value >= 1) & (value <= 8)
    return tf.cast(tf.where(is_valid, value, 1 + _ZERO), tf.int32)


def turn_upright(rgb: tf.Tensor, exif: tf.Tensor) -> tf.Tensor:
    """Turns a picture upright if its EXIF block says how.

    Args:
      rgb: uint8 [H, W, 3], as stored.
      exif: string [], as read_orientation takes it.

    Returns:
      uint8 [H, W, 3], or [W, H, 3].
    """
    return tf.ensure_shape(
        tf.cond(tf.equal(exif, b""), lambda: rgb,
                lambda: apply_orientation(rgb, read_orientation(exif))),
        [None, None, 3])


def apply_orientation(rgb: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a picture upright.

    Args:
      rgb: uint8 [H, W, 3], as stored.
      orientation: int32 [], EXIF's orientation, 1..8 (EXIF 2.32, 4.6.4 A).

    Returns:
      uint8 [H, W, 3], or [W, H, 3] for the orientations 5 to 8.
    """
    def when(condition, turn):
        return lambda rgb: tf.cond(condition, lambda: turn(rgb), lambda: rgb)

    def one_of(*values):
        return tf.reduce_any(tf.equal(orientation, values))

    transposed = when(orientation >= 5,
                      lambda rgb: tf.transpose(rgb, [1, 0, 2]))
    mirrored = when(one_of(2, 3, 6, 7), lambda rgb: tf.reverse(rgb, [1]))
    flipped = when(one_of(3, 4, 7, 8), lambda rgb: tf.reverse(rgb, [0]))
    return flipped(mirrored(transposed(rgb)))


def _octets(text, offset, count):
    """Reads consecutive bytes, int64 [count]; 0 behind the end."""
    octets = _substr(text, offset, count) + bytes(count)
    return tf.cast(tf.reshape(tf.io.decode_raw(tf.strings.substr(
        octets, 0, count), tf.uint8), [count]), tf.int64)


def _is_at(text, offset, word):
    return tf.equal(_substr(text, offset, len(word)), word)


def _substr(text, offset, size):
    """Returns as many of these bytes as there are."""
    end = tf.cast(tf.strings.length(text), tf.int64)
    return tf.strings.substr(text, tf.minimum(tf.cast(offset, tf.int64), end),
                             tf.cast(size, tf.int64))
