"""Encoded bytes -> uint8 RGB [H, W, 3], in TensorFlow ops alone.

    JPEG, PNG, still WebP, BMP  decoded by libjpeg-turbo, libpng, libwebp
    gray, gray + alpha          the gray value three times, alpha dropped
    alpha, palette (PNG)        alpha dropped, palette applied
    CMYK and YCCK JPEG          converted to RGB
    16 bits a channel           the upper 8 are kept
    EXIF orientation            applied: the photograph comes out upright
    embedded color profiles     ignored: all values are taken as sRGB
    BMP with masks              its colors are where the masks say
    truncated or damaged        tf.errors.InvalidArgumentError
    other formats, animations,  the same; photo_file.py reads many of them
    BMP with a palette, or with
    colors of other than 8 bits
    more than MAX_PIXELS        the same, before anything is decoded; the limit
                                for CMYK is three quarters of that
    JPEG of more than 500       the same, if decoding them could take many
    scans                       seconds

The same graph runs under tf.data, eagerly, and inside the SavedModel. Where
Python can be called, decode_file.py reads more and applies color profiles.
"""

import functools

import numpy as np
import tensorflow as tf

from data_pipelines import orientation
from data_pipelines.command import MAX_PIXELS

# For messages.
FORMATS = "JPEG, PNG, still WebP, or BMP of 24 or 32 bits, 8 for each color"

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"

# The first chunk of a WebP stores width and height as little-endian bit
# fields: byte, bits of a number, bits from one number to the next, what to add
# (RFC 9649: 2.7 VP8X; 3.4 VP8L; RFC 6386, 9.1 VP8).
_WEBP_SIZES = {
    b"VP8X": (24, 24, 24, 1),
    b"VP8L": (21, 14, 14, 1),
    b"VP8 ": (26, 14, 16, 0),
}
_BMP_HEADER_BYTES = 40  # of BITMAPINFOHEADER; those of OS/2 are shorter
# The fields of a BMP that has masks and TensorFlow's channels for them, which
# takes every pixel for blue, green, red, alpha. As int32.
_BMP_MASKS = (3, 6)  # BI_BITFIELDS, BI_ALPHABITFIELDS
_BMP_CHANNELS = (0xFF0000, 0xFF00, 0xFF, -2**24)
_HEADER_BYTES = 66
# An integer of Python would become int32 in a graph.
_ZERO = np.int64(0)

# A scan may be 10 bytes long and yet go over every pixel; photographs have
# about ten. Files in which these could not add up to many seconds (bytes times
# pixels) are not searched.
_MAX_JPEG_SCANS = 500
_START_OF_SCAN = b"\xff\xda"
_HARMLESS_JPEG = 10**11


def _as_one_op(function):
    """Keeps a function that is seldom called out of its caller's graph.

    TensorFlow visits every operation of a branch that is not taken. All those
    of this module take 30 microseconds; a JPEG of 640 x 480 takes 900.
    """
    apart = tf.function(function, autograph=False,
                        experimental_attributes={"_noinline": True})

    @functools.wraps(function)
    def called(*args):
        return (function if tf.executing_eagerly() else apart)(*args)
    return called


def decode_rgb(image_bytes: tf.Tensor, *,
               max_pixels: int = MAX_PIXELS) -> tf.Tensor:
    """Decodes one image and turns it upright.

    Args:
      image_bytes: string [], an encoded image.
      max_pixels: height times width of the largest image that is decoded.

    Returns:
      uint8 [H, W, 3], taken as sRGB.

    Raises:
      tf.errors.InvalidArgumentError: the bytes are in none of FORMATS, are
        truncated or damaged, or hold more than max_pixels.
    """
    rgb = tf.cond(_is_at(image_bytes, 0, _JPEG),
                  lambda: _decode_jpeg(image_bytes, max_pixels),
                  lambda: _decode_other(image_bytes, max_pixels))
    return orientation.turn_upright(rgb, orientation.find_exif(image_bytes))


def read_size(image_bytes: tf.Tensor) -> tf.Tensor:
    """Reads an image's size without decoding it.

    Args:
      image_bytes: string [], an encoded image.

    Returns:
      int64 [2], height and width as stored, before the image is turned
      upright; 0, 0 if it is in none of FORMATS or its header gives no size.

    Raises:
      tf.errors.InvalidArgumentError: a JPEG's header is damaged.
    """
    return tf.cond(
        _is_at(image_bytes, 0, _JPEG),
        lambda: tf.cast(tf.io.extract_jpeg_shape(image_bytes)[:2], tf.int64),
        lambda: _size_in_header(image_bytes))


def _decode_jpeg(image_bytes, max_pixels):
    shape = tf.cast(tf.io.extract_jpeg_shape(image_bytes), tf.int64)
    # A progressive JPEG takes 2 bytes a component besides the 3 of the result.
    image_bytes = _checked(
        image_bytes, shape[:2], max_pixels * 3 // tf.maximum(shape[2], 3))
    num_bytes = tf.cast(tf.strings.length(image_bytes), tf.int64)
    image_bytes = tf.cond(
        num_bytes * tf.reduce_prod(shape[:2]) > _HARMLESS_JPEG,
        lambda: _with_few_scans(image_bytes), lambda: image_bytes)
    return tf.io.decode_jpeg(image_bytes, channels=3)


@_as_one_op
def _with_few_scans(jpeg_bytes):
    # What precedes the first scan, then each scan.
    pieces = tf.raw_ops.StringSplitV2(
        input=[jpeg_bytes], sep=_START_OF_SCAN,
        maxsplit=_MAX_JPEG_SCANS + 1).values
    return _require(tf.size(pieces) - 1 <= _MAX_JPEG_SCANS, jpeg_bytes,
                    f"JPEG of more than {_MAX_JPEG_SCANS} scans")


@_as_one_op
def _decode_other(image_bytes, max_pixels):
    image_bytes = _checked(
        image_bytes, _size_in_header(image_bytes), max_pixels)
    image_bytes = tf.cond(_is_at(image_bytes, 0, b"BM"),
                          lambda: _without_tail(image_bytes),
                          lambda: image_bytes)
    has_masks, _, channels = _bmp_masks(_head(image_bytes))
    # TensorFlow decodes a WebP into as many channels as it has, or not at all.
    return tf.case([
        (_is_at(image_bytes, 0, b"RIFF"), lambda: tf.io.decode_image(
            image_bytes, channels=0, expand_animations=False)[..., :3]),
        (has_masks, lambda: tf.gather(
            tf.io.decode_bmp(image_bytes, channels=4), channels, axis=-1)),
    ], default=lambda: tf.io.decode_image(
        image_bytes, channels=3, expand_animations=False))


def _without_tail(bmp_bytes):
    """Drops what is behind a BMP's pixels, where TensorFlow reads nothing."""
    head = _head(bmp_bytes)
    start, _, width, height = tf.unstack(
        _integers(head, 10, 4, tf.int32), num=4)
    bits = _integers(head, 28, 1, tf.uint16)[0]
    row = (bits * width + 31) // 32 * 4
    return tf.strings.substr(bmp_bytes, _ZERO, start + row * tf.abs(height))


def _bmp_masks(head):
    """Reads where the colors are in a pixel of a BMP, if it says so.

    Returns:
      bool [] twice: whether it does, and whether each color has a byte of its
      own; int64 [3], the channels of red, green and blue as decode_bmp has it.
    """
    masks = _integers(head, 54, 3, tf.int32)
    fields = tf.equal(masks[:, tf.newaxis], _BMP_CHANNELS)
    has_masks = _is_at(head, 0, b"BM") & tf.reduce_any(
        _integers(head, 30, 1, tf.int32) == _BMP_MASKS)
    return (has_masks, tf.reduce_all(tf.reduce_any(fields, axis=1)),
            tf.argmax(tf.cast(fields, tf.int32), axis=1))


def _size_in_header(image_bytes):
    """Reads the size of a PNG, a still WebP or a BMP of 24 or 32 bits.

    Anything else gets 0, 0. TensorFlow 2.21 writes past the end of what it
    allocates for an animated WebP, takes a BMP's palette indices for grays and
    its fields of bits for bytes, and reads on past an unknown chunk that
    precedes a PNG's size.

    Returns:
      int64 [2], height and width in pixels.
    """
    head = _head(image_bytes)
    size = tf.zeros([2], tf.int64)
    size = tf.where(
        _is_at(head, 0, _PNG) & _is_at(head, 12, b"IHDR"),
        _integers(head, 16, 2, tf.int32, little_endian=False)[::-1], size)
    has_masks, of_bytes, _ = _bmp_masks(head)
    bits = _integers(head, 28, 1, tf.uint16)[0]
    compression = _integers(head, 30, 1, tf.int32)[0]
    is_bmp = _is_at(head, 0, b"BM") & (
        _integers(head, 14, 1, tf.int32)[0] >= _BMP_HEADER_BYTES)
    is_decoded = tf.where(
        has_masks, (bits == 32) & of_bytes,
        (compression == 0) & ((bits == 24) | (bits == 32)))
    size = tf.where(is_bmp & is_decoded,
                    _integers(head, 18, 2, tf.int32)[::-1], size)
    for kind, (offset, bits, stride, plus) in _WEBP_SIZES.items():
        fields = tf.bitwise.right_shift(
            _integers(head, offset, 1, tf.int64),
            tf.constant([stride, 0], tf.int64))
        size = tf.where(
            _is_at(head, 0, b"RIFF") & _is_at(head, 8, b"WEBP" + kind),
            fields % 2**bits + plus, size)
    flags = _integers(head, 20, 1, tf.uint8)[0]
    is_animated = _is_at(head, 8, b"WEBPVP8X") & (flags // 2 % 2 > 0)
    # A BMP whose top row comes first has a height below 0.
    return tf.where(is_animated, tf.zeros_like(size), tf.abs(size))


def _head(image_bytes):
    """Returns a file's first bytes, with zeros if it is shorter."""
    head = tf.strings.substr(image_bytes, 0, _HEADER_BYTES)
    return tf.strings.substr(head + b"\0" * _HEADER_BYTES, 0, _HEADER_BYTES)


def _integers(text, offset, count, dtype, *, little_endian=True):
    """Reads consecutive integers out of a string, int64 [count]."""
    octets = tf.strings.substr(text, offset, count * dtype.size)
    return tf.cast(tf.io.decode_raw(octets, dtype, little_endian), tf.int64)


def _is_at(text, offset, word):
    return tf.equal(tf.strings.substr(text, offset, len(word)), word)


def _checked(image_bytes, size, max_pixels):
    """Returns the same bytes if their header gives an allowed size."""
    image_bytes = _require(
        tf.reduce_all(size > 0), image_bytes, f"Unknown image file format or "
        f"damaged header; the file must be {FORMATS}")
    return _require(
        tf.reduce_prod(size) <= max_pixels, image_bytes, tf.strings.format(
            "{} x {} pixels, more than MAX_PIXELS={} allowed",
            (size[1], size[0], max_pixels)))


def _require(condition, image_bytes, otherwise):
    """Returns the same bytes if the condition holds; raises otherwise."""
    with tf.control_dependencies(
            [tf.raw_ops.Assert(condition=condition, data=[otherwise])]):
        return tf.identity(image_bytes)
