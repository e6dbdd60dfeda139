"""Encoded bytes -> uint8 RGB [H, W, 3], in TensorFlow ops alone.

What comes in and what becomes of it:

    JPEG, PNG, BMP, GIF, WebP   decoded by libjpeg-turbo, libpng, libwebp
    gray, gray + alpha          the gray value three times, alpha dropped
    alpha, palette              alpha dropped, palette applied
    CMYK and YCCK JPEG          converted to RGB
    16 bits a channel           the upper 8 are kept
    animated GIF                the first frame
    EXIF orientation (JPEG)     applied: the photograph comes out upright
    truncated or damaged        tf.errors.InvalidArgumentError
    animated WebP               the same: TensorFlow 2.21 cannot read one safely

The same graph runs under tf.data, eagerly, and inside the SavedModel.
"""

import tensorflow as tf

# EXIF stands in the first segments of a JPEG file and its orientation in the
# first directory of the EXIF block.
_EXIF_SEARCH_BYTES = 4096
_EXIF_MARKER = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112


def decode_rgb(image_bytes: tf.Tensor) -> tf.Tensor:
    """Decodes one image and turns it upright.

    Args:
      image_bytes: string [], an encoded image.

    Returns:
      uint8 [H, W, 3], sRGB.

    Raises:
      tf.errors.InvalidArgumentError: the bytes are no image of a known format,
        or are truncated or damaged.
    """
    head = tf.cast(tf.io.decode_raw(
        tf.strings.substr(image_bytes + b"\0" * 32, 0, 32), tf.uint8), tf.int32)

    def starts_with(magic, offset=0):
        window = head[offset:offset + len(magic)]
        return tf.reduce_all(tf.equal(window, list(magic)))

    # TensorFlow decodes a WebP into as many channels as it has, or not at all.
    is_animated = starts_with(b"VP8X", 12) & tf.equal(head[20] & 2, 2)
    is_still_webp = starts_with(b"WEBP", 8) & ~is_animated
    # It takes the palette's indices of a BMP for grays.
    is_palette_bmp = starts_with(b"BM") & tf.equal(head[28], 8)

    rgb = tf.case([
        (is_still_webp, lambda: _decode(image_bytes, channels=0)[..., :3]),
        (is_palette_bmp, lambda: _decode_palette_bmp(image_bytes, head)),
    ], default=lambda: _decode(image_bytes, channels=3))
    rgb = tf.ensure_shape(rgb, [None, None, 3])
    return apply_orientation(rgb, exif_orientation(image_bytes))


def _decode(image_bytes: tf.Tensor, *, channels: int) -> tf.Tensor:
    return tf.io.decode_image(
        image_bytes, channels=channels, expand_animations=False)


def _decode_palette_bmp(image_bytes: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Looks the indices up in the palette: BGRx, between header and pixels."""
    start = 14 + head[14] + 256 * head[15]
    end = head[10] + 256 * head[11]
    palette = tf.io.decode_raw(
        tf.strings.substr(image_bytes, start, end - start), tf.uint8)
    index = tf.cast(_decode(image_bytes, channels=0)[..., 0], tf.int32)
    return tf.gather(tf.reshape(palette, [-1, 4])[:, 2::-1], index)


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


def exif_orientation(image_bytes: tf.Tensor) -> tf.Tensor:
    """Reads a JPEG file's EXIF orientation.

    Args:
      image_bytes: string [], an encoded image of any format.

    Returns:
      int32 [], 1..8; 1 (upright) where there is none or it makes no sense.
    """
    head = tf.io.decode_raw(
        tf.strings.substr(image_bytes, 0, _EXIF_SEARCH_BYTES), tf.uint8)
    # Zeros behind the end let every read below stay in range.
    head = tf.pad(tf.cast(head, tf.int32), [[0, _EXIF_SEARCH_BYTES]])

    windows = tf.signal.frame(head, len(_EXIF_MARKER), 1)
    found = tf.reduce_all(tf.equal(windows, list(_EXIF_MARKER)), axis=1)
    tiff = head[tf.argmax(found, output_type=tf.int32) + len(_EXIF_MARKER):]
    little_endian = tf.equal(tiff[0], ord("I"))

    def unsigned_16(octets):
        """int32 [..., 2] of bytes -> int32 [...] in the file's byte order."""
        high, low = octets[..., 0], octets[..., 1]
        return tf.where(little_endian, low * 256 + high, high * 256 + low)

    # Offsets are relative to the TIFF header. The upper two bytes of the first
    # directory's offset are zero in every file whose directory is in reach.
    offset = unsigned_16(tf.where(little_endian, tiff[4:6], tiff[6:8]))
    offset = tf.minimum(offset, tf.size(tiff) - 2)
    count = unsigned_16(tiff[offset:offset + 2])
    entries = tiff[offset + 2:offset + 2 + 12 * count]
    entries = tf.reshape(entries[:tf.size(entries) // 12 * 12], [-1, 12])
    is_orientation = tf.equal(unsigned_16(entries[:, :2]), _ORIENTATION_TAG)
    value = tf.reduce_sum(
        tf.where(is_orientation, unsigned_16(entries[:, 8:10]), 0))

    is_jpeg = tf.reduce_all(tf.equal(head[:2], [0xFF, 0xD8]))
    is_tiff = tf.reduce_any(tf.reduce_all(
        tf.equal(tiff[:4], [list(b"II*\0"), list(b"MM\0*")]), axis=1))
    valid = (is_jpeg & tf.reduce_any(found) & is_tiff
             & (value >= 1) & (value <= 8))
    return tf.where(valid, value, 1)
