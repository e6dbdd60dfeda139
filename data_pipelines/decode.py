"""Encoded bytes -> uint8 RGB [H, W, 3], in TensorFlow ops alone.

What comes in and what becomes of it:

    JPEG, PNG, BMP, GIF, WebP   decoded by libjpeg-turbo, libpng, libwebp
    gray, gray + alpha          the gray value three times, alpha dropped
    alpha, palette              alpha dropped, palette applied
    CMYK and YCCK JPEG          converted to RGB
    16 bits a channel           the upper 8 are kept
    animated GIF, WebP          the first frame, on the whole canvas
    EXIF orientation (JPEG)     applied: the photograph comes out upright
    truncated or damaged        tf.errors.InvalidArgumentError
    anything else               the same; TIFF and JPEG XL among it
    more than MAX_PIXELS        the same, before anything is decoded; three
                                quarters of that many for CMYK
    JPEG of more than 500       the same, where reading it all could take many
    scans                       seconds

The same graph runs under tf.data, eagerly, and inside the SavedModel.
"""

import functools

import tensorflow as tf

from data_pipelines import image_header
from data_pipelines.command import MAX_PIXELS

# JPEG, PNG, BMP, GIF, WebP.
_MAGICS = (b"\xff\xd8", b"\x89P", b"BM", b"GI", b"RI")

# A scan may be 10 bytes long and yet go over every pixel; photographs have
# about ten. Files in which these could not add up to many seconds (bytes times
# pixels) are not searched.
_MAX_JPEG_SCANS = 500
_START_OF_SCAN = b"\xff\xda"
_HARMLESS_JPEG = 10**11

# EXIF stands in the first segments of a JPEG file and its orientation in the
# first directory of the EXIF block.
_EXIF_SEARCH_BYTES = 4096
_UP_TO_EXIF = r"^\C*?Exif\x00\x00"  # \C is any byte
_ORIENTATION_TAG = 0x0112
_TIFF_SHORT = 3


def _as_one_op(function):
    """Keeps a function that is seldom called out of its caller's graph.

    TensorFlow visits each operation of a branch that is not taken; all of them
    here take 30 microseconds, where a JPEG of 640 x 480 takes 900.
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
      uint8 [H, W, 3], sRGB.

    Raises:
      tf.errors.InvalidArgumentError: the bytes are no image of a known format,
        are truncated or damaged, or hold more than max_pixels.
    """
    decoders = (_decode_jpeg, _decode_png, _decode_bmp, _decode_gif,
                _decode_webp)
    rgb = tf.switch_case(
        _kind(image_bytes), [functools.partial(decoder, image_bytes, max_pixels)
                             for decoder in decoders],
        default=functools.partial(_refuse_unknown, image_bytes))
    return tf.ensure_shape(rgb, [None, None, 3])


def read_size(image_bytes: tf.Tensor) -> tf.Tensor:
    """Reads an image's size and decodes nothing.

    Args:
      image_bytes: string [], an encoded image.

    Returns:
      int64 [2], height and width as stored, before it is turned upright; 0, 0
      where the format is none that is read or the header tells no size.

    Raises:
      tf.errors.InvalidArgumentError: a JPEG's header is damaged.
    """
    readers = (
        lambda: tf.cast(tf.io.extract_jpeg_shape(image_bytes)[:2], tf.int64),
        lambda: image_header.png_size(image_header.read_head(image_bytes)),
        lambda: image_header.bmp_size(image_header.read_head(image_bytes)),
        lambda: image_header.first_gif_frame(image_bytes).canvas,
        lambda: image_header.webp_size(image_header.read_head(image_bytes)))
    return tf.switch_case(_kind(image_bytes), readers,
                          default=lambda: tf.zeros([2], tf.int64))


def _kind(image_bytes):
    """int32 []: which of _MAGICS a file begins with; their number for none."""
    known = tf.equal(tf.strings.substr(image_bytes, 0, 2), list(_MAGICS))
    return tf.reduce_min(tf.where(known, range(len(_MAGICS)), len(_MAGICS)))


def _decode_jpeg(image_bytes, max_pixels):
    shape = tf.cast(tf.io.extract_jpeg_shape(image_bytes), tf.int64)
    # A progressive JPEG takes 2 bytes a component besides the 3 of the result.
    image_bytes = _checked(
        image_bytes, shape[:2], max_pixels * 3 // tf.maximum(shape[2], 3),
        "JPEG")
    num_bytes = tf.cast(tf.strings.length(image_bytes), tf.int64)
    image_bytes = tf.cond(
        num_bytes * tf.reduce_prod(shape[:2]) > _HARMLESS_JPEG,
        lambda: _with_few_scans(image_bytes), lambda: image_bytes)
    rgb = _decode(image_bytes, channels=3)
    head = tf.strings.substr(image_bytes, 0, _EXIF_SEARCH_BYTES)
    return tf.cond(
        tf.strings.regex_full_match(head, _UP_TO_EXIF + r"\C*"),
        lambda: _turn_upright(rgb, image_bytes), lambda: rgb)


@_as_one_op
def _turn_upright(rgb, image_bytes):
    return apply_orientation(rgb, exif_orientation(image_bytes))


@_as_one_op
def _with_few_scans(jpeg_bytes):
    pieces = _split_at_scans(jpeg_bytes, _MAX_JPEG_SCANS + 1)
    return _require(tf.size(pieces) - 1 <= _MAX_JPEG_SCANS, jpeg_bytes,
                    f"JPEG of more than {_MAX_JPEG_SCANS} scans")


def _split_at_scans(jpeg_bytes, maxsplit):
    """What is before the first scan, then each scan, the last with the rest."""
    return tf.raw_ops.StringSplitV2(
        input=[jpeg_bytes], sep=_START_OF_SCAN, maxsplit=maxsplit).values


@_as_one_op
def _decode_png(image_bytes, max_pixels):
    size = image_header.png_size(image_header.read_head(image_bytes))
    image_bytes = _checked(image_bytes, size, max_pixels, "PNG")
    return _decode(image_bytes, channels=3)


@_as_one_op
def _decode_bmp(image_bytes, max_pixels):
    head = image_header.read_head(image_bytes)
    size = image_header.bmp_size(head)
    image_bytes = _checked(image_bytes, size, max_pixels, "BMP")
    octets = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    # TensorFlow takes a palette's indices for grays.
    return tf.cond(
        tf.equal(octets[28], 8),
        lambda: _decode_palette_bmp(image_bytes, octets),
        lambda: _decode(image_bytes, channels=3))


def _decode_palette_bmp(image_bytes, head):
    """Looks the indices up in the palette: BGRx, between header and pixels."""
    start = 14 + head[14] + 256 * head[15]
    end = head[10] + 256 * head[11]
    # A substr that starts behind a file's end quotes the file in its message,
    # which then makes Python raise a UnicodeDecodeError.
    palette = tf.io.decode_raw(
        tf.strings.substr(image_bytes, 0, end), tf.uint8)[start:]
    index = tf.cast(_decode(image_bytes, channels=0)[..., 0], tf.int32)
    return tf.gather(tf.reshape(palette, [-1, 4])[:, 2::-1], index)


@_as_one_op
def _decode_gif(image_bytes, max_pixels):
    frame = image_header.first_gif_frame(image_bytes)
    image_bytes = _require(frame.is_whole, frame.image_bytes,
                           "GIF that ends before its first picture does")
    image_bytes = _checked(image_bytes, frame.canvas, max_pixels, "GIF")
    return _on_canvas(_decode(image_bytes, channels=3), frame)


def _on_canvas(rgb, frame):
    """Puts an animation's picture where it is to be, black around it."""
    margins = tf.stack(
        [frame.offset, frame.canvas - frame.offset - frame.size], axis=1)
    return tf.cond(tf.reduce_any(margins > 0),
                   lambda: tf.pad(rgb, tf.pad(margins, [[0, 1], [0, 0]])),
                   lambda: rgb)


@_as_one_op
def _decode_webp(image_bytes, max_pixels):
    head = image_header.read_head(image_bytes)
    size = image_header.webp_size(head)
    image_bytes = _checked(image_bytes, size, max_pixels, "WebP")
    return tf.cond(image_header.is_animated_webp(head),
                   lambda: _decode_first_webp_frame(image_bytes),
                   lambda: _decode_still_webp(image_bytes))


def _decode_first_webp_frame(image_bytes):
    # Of an animation TensorFlow 2.21 writes past the end of what it allocates.
    frame = image_header.first_webp_frame(image_bytes)
    still = _require(
        tf.reduce_all((frame.size > 0)
                      & (frame.offset + frame.size <= frame.canvas))
        & ~image_header.is_animated_webp(
            image_header.read_head(frame.image_bytes)),
        frame.image_bytes, "animated WebP without a first picture on its "
        "canvas")
    return _on_canvas(_decode_still_webp(still), frame)


def _decode_still_webp(image_bytes):
    # It is decoded into as many channels as it has, or not at all.
    return _decode(image_bytes, channels=0)[..., :3]


@_as_one_op
def _refuse_unknown(image_bytes):
    # TensorFlow would try JPEG XL, whose size is not at any fixed place.
    image_bytes = _require(
        tf.constant(False), image_bytes, "Unknown image file format or empty "
        "file: one of JPEG, PNG, BMP, GIF, WebP required")
    return _decode(image_bytes, channels=3)


def _decode(image_bytes: tf.Tensor, *, channels: int) -> tf.Tensor:
    return tf.io.decode_image(
        image_bytes, channels=channels, expand_animations=False)


def _checked(image_bytes, size, max_pixels, kind):
    """The same bytes, if their header tells of one pixel up to so many."""
    image_bytes = _require(tf.reduce_all(size > 0), image_bytes,
                           f"{kind} without a size in its header")
    return _require(
        tf.reduce_prod(size) <= max_pixels, image_bytes, tf.strings.format(
            "{} x {} pixels, more than MAX_PIXELS={} allowed",
            (size[1], size[0], max_pixels)))


def _require(condition, image_bytes, otherwise):
    """The same bytes, once the condition holds; an error where it does not."""
    with tf.control_dependencies(
            [tf.raw_ops.Assert(condition=condition, data=[otherwise])]):
        return tf.identity(image_bytes)


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


def exif_orientation(jpeg_bytes: tf.Tensor) -> tf.Tensor:
    """Reads a JPEG file's EXIF orientation.

    Args:
      jpeg_bytes: string [], a JPEG file, or its beginning.

    Returns:
      int32 [], 1..8; 1 (upright) where there is none or it makes no sense.
    """
    head = tf.strings.substr(jpeg_bytes, 0, _EXIF_SEARCH_BYTES)
    head = _split_at_scans(head, 1)[0]
    tiff = tf.strings.regex_replace(head, _UP_TO_EXIF, b"")
    # Zeros behind the end let every read below stay in range.
    tiff = tf.strings.substr(
        tiff + b"\0" * _EXIF_SEARCH_BYTES, 0, _EXIF_SEARCH_BYTES)
    is_little_endian = tf.equal(tf.strings.substr(tiff, 0, 4), b"II*\0")
    is_big_endian = tf.equal(tf.strings.substr(tiff, 0, 4), b"MM\0*")
    words = tf.where(is_little_endian,
                     tf.io.decode_raw(tiff, tf.uint16, little_endian=True),
                     tf.io.decode_raw(tiff, tf.uint16, little_endian=False))
    words = tf.cast(words, tf.int32)

    # Directories begin at even offsets. The upper half of the first one's is
    # zero in every file where it is in reach.
    start = tf.where(is_little_endian, words[2], words[3]) // 2
    start = tf.minimum(start, tf.size(words) - 1)
    entries = words[start + 1:start + 1 + 6 * words[start]]
    entries = tf.reshape(entries[:tf.size(entries) // 6 * 6], [-1, 6])
    is_orientation = tf.reduce_all(
        tf.equal(entries[:, :2], [_ORIENTATION_TAG, _TIFF_SHORT]), axis=1)
    value = tf.reduce_sum(tf.where(is_orientation, entries[:, 4], 0))

    valid = (is_little_endian | is_big_endian) & (value >= 1) & (value <= 8)
    return tf.where(valid, value, 1)
