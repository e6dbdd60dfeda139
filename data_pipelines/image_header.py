"""What an encoded image says of itself, read before a pixel is decoded.

A file of a few kilobytes can unfold into gigabytes, so decode.py asks here
first how large the picture will be. Where a header is damaged, or laid out so
that a decoder could find another size elsewhere, the size is 0 x 0.

A `head` is what a file begins with, zeros behind the end of a short one:
string []. A `size` is height and width in pixels: int64 [2].
"""

from typing import NamedTuple

import tensorflow as tf

_HEAD_BYTES = 40

# Where a WebP's first chunk keeps width and height, little-endian bit fields:
# byte, bits a number, bits from one number to the next, what is to be added
# (RFC 9649: 2.7 VP8X; 3.4 VP8L; RFC 6386, 9.1 VP8).
_WEBP_SIZES = {
    b"VP8X": (24, 24, 24, 1),
    b"VP8L": (21, 14, 14, 1),
    b"VP8 ": (26, 14, 16, 0),
}

# Of a chunk, its name and the length of what follows; of ANMF, what stands
# before its picture's own chunks (RFC 9649, 2.7.1.1).
_WEBP_CHUNK_HEADER, _ANMF_HEADER = 8, 16
_RIFF_HEADER = 12
# A picture is behind profile, animation header and its own transparency; so
# many chunks are passed over, and a file of nothing but empty ones is refused.
_MAX_WEBP_CHUNKS = 100
# More than is read at once behind the end of a WebP.
_WEBP_MARGIN = b"\0" * 64

_GIF_EXTENSION, _GIF_TRAILER = 0x21, b"\x3b"
# More than any part of a GIF that is skipped at once: a 256-color table.
_GIF_MARGIN = b"\0" * 2048
_GIF_LOOKAHEAD = 1024


def read_head(image_bytes: tf.Tensor) -> tf.Tensor:
    """What a file begins with: string [] -> string []."""
    head = tf.strings.substr(image_bytes, 0, _HEAD_BYTES)
    return tf.strings.substr(head + b"\0" * _HEAD_BYTES, 0, _HEAD_BYTES)


def png_size(head: tf.Tensor) -> tf.Tensor:
    """The size that IHDR tells, which has to be the first chunk.

    libpng reads on past an unknown chunk that stands before it.
    """
    size = tf.abs(_integers(head, 16, 2, tf.int32, little_endian=False))[::-1]
    return tf.where(_is_at(head, 12, b"IHDR"), size, 0)


def bmp_size(head: tf.Tensor) -> tf.Tensor:
    """The size; a height below 0 means that the top row comes first."""
    return tf.abs(_integers(head, 18, 2, tf.int32))[::-1]


def webp_size(head: tf.Tensor) -> tf.Tensor:
    """The canvas, from whichever of the three kinds of chunk is the first."""
    size = tf.zeros([2], tf.int64)
    for kind, (offset, bits, stride, plus) in _WEBP_SIZES.items():
        fields = _integers(head, offset, 1, tf.int64)
        shifted = tf.bitwise.right_shift(
            fields, tf.constant([stride, 0], tf.int64))
        size = tf.where(_is_at(head, 8, b"WEBP" + kind),
                        shifted % 2**bits + plus, size)
    return size


def is_animated_webp(head: tf.Tensor) -> tf.Tensor:
    """Whether VP8X announces an animation: bool []."""
    flags = _integers(head, 20, 1, tf.uint8)[0]
    return _is_at(head, 8, b"WEBPVP8X") & (flags // 2 % 2 > 0)


class GifFrame(NamedTuple):
    """The first picture of a GIF.

    Attributes:
      image_bytes: string [], a GIF of this picture alone, at the origin.
      offset: int64 [2], its top and left on the canvas, in pixels.
      size: int64 [2], its own height and width.
      canvas: int64 [2], height and width of the screen, or what it takes for
        the picture to be on it.
      is_whole: bool [], whether the file goes on to the picture's end.
    """

    image_bytes: tf.Tensor
    offset: tf.Tensor
    size: tf.Tensor
    canvas: tf.Tensor
    is_whole: tf.Tensor


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def first_gif_frame(image_bytes: tf.Tensor) -> GifFrame:
    """Cuts a GIF behind its first picture (GIF89a, 17 to 27).

    TensorFlow decodes every picture of an animation even where it returns one,
    and returns it as large as the largest of them.

    Args:
      image_bytes: string [], a GIF, perhaps a damaged one.
    """
    padded = image_bytes + _GIF_MARGIN
    octets = tf.io.decode_raw(padded, tf.uint8)

    def octet(at):
        return tf.cast(octets[at], tf.int32)

    def behind_color_table(flags_at, start):
        flags = octet(flags_at)
        return start + tf.where(flags >= 128, 3 * 2**(flags % 8 + 1), 0)

    def behind_equal_blocks(at):
        # Nearly all blocks are 255 bytes long: a step goes over many at once.
        stride = octet(at) + 1
        lengths = octets[at:at + _GIF_LOOKAHEAD * stride:stride]
        same = tf.cast(tf.equal(lengths, lengths[0]), tf.int32)
        # The appended 0 is found where the blocks are all the same.
        run = tf.argmin(tf.pad(same, [[0, 1]]), output_type=tf.int32)
        return [at + run * stride]

    def behind_blocks(at):
        """Behind the empty block that ends the blocks from here."""
        return 1 + tf.while_loop(
            lambda at: octet(at) > 0, behind_equal_blocks, [at])[0]

    picture_at = tf.while_loop(
        lambda at: tf.equal(octet(at), _GIF_EXTENSION),
        lambda at: [behind_blocks(at + 2)], [behind_color_table(10, 13)])[0]
    end = behind_blocks(behind_color_table(picture_at + 9, picture_at + 10) + 1)

    left_top = _integers(padded, picture_at + 1, 2, tf.uint16)
    size = _integers(padded, picture_at + 5, 2, tf.uint16)
    screen = _integers(padded, 6, 2, tf.uint16)
    return GifFrame(
        image_bytes=tf.strings.join([
            tf.strings.substr(padded, 0, picture_at + 1), b"\0" * 4,
            tf.strings.substr(padded, picture_at + 5, end - picture_at - 5),
            _GIF_TRAILER]),
        offset=left_top[::-1],
        size=size[::-1],
        canvas=tf.maximum(screen, left_top + size)[::-1],
        is_whole=end <= tf.strings.length(image_bytes))


class WebpFrame(NamedTuple):
    """The first picture of an animated WebP.

    Attributes:
      image_bytes: string [], a WebP of this picture alone.
      offset: int64 [2], its top and left on the canvas, in pixels.
      size: int64 [2], its own height and width; 0, 0 where there is none.
      canvas: int64 [2], height and width of the whole.
    """

    image_bytes: tf.Tensor
    offset: tf.Tensor
    size: tf.Tensor
    canvas: tf.Tensor


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def first_webp_frame(image_bytes: tf.Tensor) -> WebpFrame:
    """Moves the first picture of an animated WebP to its front.

    What stood before it comes after it, so that the length in the file's
    header stays right; a decoder does not read beyond the first picture. Its
    transparency, a chunk apart in lossy ones, is left out.

    Args:
      image_bytes: string [], an animated WebP, perhaps a damaged one.
    """
    padded = image_bytes + _WEBP_MARGIN
    length = tf.cast(tf.strings.length(image_bytes), tf.int64)

    def behind(at):
        num_bytes = _integer(padded, at + 4, 4)
        at += _WEBP_CHUNK_HEADER + num_bytes + num_bytes % 2
        return tf.minimum(at, length)

    def is_one(at, names):
        return (at < length) & tf.reduce_any(
            tf.equal(tf.strings.substr(padded, at, 4), names))

    def find(at, *names):
        """Where the first chunk of such a name begins; the end for none."""
        at, = tf.while_loop(
            lambda at: (at < length) & ~is_one(at, names),
            lambda at: [behind(at)], [at],
            maximum_iterations=_MAX_WEBP_CHUNKS)
        return tf.where(is_one(at, names), at, length)

    first = tf.constant(_RIFF_HEADER, tf.int64)
    frame = find(first, b"ANMF")
    header = tf.minimum(frame + _WEBP_CHUNK_HEADER, length)
    picture = find(tf.minimum(header + _ANMF_HEADER, length),
                   b"VP8 ", b"VP8L")
    still = tf.strings.join([
        tf.strings.substr(image_bytes, 0, _RIFF_HEADER),
        tf.strings.substr(padded, picture, length - picture),
        tf.strings.substr(image_bytes, first, picture - first)])
    # Three bytes each: half of left, half of top.
    left, top = (2 * _integer(padded, header + 3 * place, 3)
                 for place in (0, 1))
    return WebpFrame(
        image_bytes=still, offset=tf.stack([top, left]),
        # Without a picture the file is as it was, an animation.
        size=tf.where(picture < length, webp_size(read_head(still)), 0),
        canvas=webp_size(read_head(image_bytes)))


def _integers(text, offset, count, dtype, *, little_endian=True):
    """Consecutive integers out of a string, int64 [count]."""
    octets = tf.strings.substr(text, offset, count * dtype.size)
    return tf.cast(tf.io.decode_raw(octets, dtype, little_endian), tf.int64)


def _integer(text, offset, num_bytes):
    """One little-endian integer without a sign, int64 []."""
    octets = _integers(text, offset, num_bytes, tf.uint8)
    return tf.reduce_sum(octets * 256**tf.range(num_bytes, dtype=tf.int64))


def _is_at(text, offset, word):
    return tf.equal(tf.strings.substr(text, offset, len(word)), word)
