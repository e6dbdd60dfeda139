"""Encoded bytes -> RGB, against Pillow's decoding of what Pillow wrote."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps, ImageSequence

from data_pipelines import decode

# libjpeg's two ways to compute the cosine transform differ by so many levels.
JPEG_TOLERANCE = 5

LITTLE_ENDIAN, BIG_ENDIAN = "<", ">"
SHORT = 3  # EXIF's type for an unsigned 16-bit value
ORIENTATION_TAG = 0x0112


def noise(channels=3):
    return np.random.default_rng(0).integers(
        0, 256, (7, 9, channels), dtype=np.uint8)


def gradient(height=24, width=40):
    """A smooth picture, uint8 RGB, that no mirror or turn leaves as it is."""
    y, x = np.mgrid[:height, :width]
    return np.stack([20 + 8 * y, 20 + 5 * x, 20 + 3 * (x + y)], -1).astype(
        np.uint8)


def picture(mode, pixels):
    """The pixels as a Pillow picture of a mode; LA and RGBA keep an alpha."""
    if mode == "LA":
        alpha = Image.fromarray(pixels[..., 3])
        gray = Image.fromarray(pixels[..., :3]).convert("L")
        return Image.merge("LA", [gray, alpha])
    return Image.fromarray(pixels if mode == "RGBA" else pixels[..., :3]
                           ).convert(mode)


def encode(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def pillow_rgb(image_bytes):
    """What Pillow makes of an encoded image, upright, int64 [H, W, 3]."""
    with Image.open(io.BytesIO(image_bytes)) as image:
        upright = ImageOps.exif_transpose(image)
        return np.asarray(upright.convert("RGB")).astype(np.int64)


def decode_rgb(image_bytes):
    rgb = decode.decode_rgb(tf.constant(image_bytes))
    assert rgb.dtype == tf.uint8
    return rgb.numpy()


def assert_decoded_as_pillow_does(image_bytes, tolerance=0):
    np.testing.assert_allclose(
        decode_rgb(image_bytes), pillow_rgb(image_bytes),
        rtol=0, atol=tolerance)


def jpeg_with(*segments):
    """A JPEG of the gradient with these (marker, payload) before the rest."""
    jpeg = encode(Image.fromarray(gradient()), "JPEG", quality=95)
    inserted = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
        for marker, payload in segments)
    return jpeg[:2] + inserted + jpeg[2:]


def exif(orientation, *, byte_order=LITTLE_ENDIAN, header=None, num_entries=1,
         directory_offset=8, before=b""):
    """An EXIF block whose first directory holds nothing but an orientation.

    Args:
      orientation: the value of the tag.
      byte_order: LITTLE_ENDIAN or BIG_ENDIAN.
      header: the four bytes that tell the byte order, where they should be
        others than those that fit.
      num_entries: how many entries the directory says it has.
      directory_offset: where the directory is said to be.
      before: bytes between the header and the directory.
    """
    fitting = {LITTLE_ENDIAN: b"II*\0", BIG_ENDIAN: b"MM\0*"}[byte_order]
    return (
        b"Exif\0\0" + (header or fitting)
        + struct.pack(byte_order + "I", directory_offset) + before
        + struct.pack(byte_order + "H", num_entries)
        + struct.pack(byte_order + "HHIHH", ORIENTATION_TAG, SHORT, 1,
                      orientation, 0)
        + struct.pack(byte_order + "I", 0))


def png_of_16_bits(color):
    """A PNG of 16 bits a channel, which Pillow cannot write.

    Args:
      color: uint16 [H, W, 3].
    """
    height, width, _ = color.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in color)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
            + png_chunk(b"IDAT", zlib.compress(rows))
            + png_chunk(b"IEND", b""))


def png_chunk(kind, payload):
    return (struct.pack(">I", len(payload)) + kind + payload
            + struct.pack(">I", zlib.crc32(kind + payload)))


def lossless(file_format):
    """Pillow's options for a file that keeps every value."""
    return ({"lossless": True, "exact": True} if file_format == "WEBP" else {})


@pytest.mark.parametrize("file_format, mode", [
    ("PNG", "1"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "P"), ("PNG", "RGB"),
    ("PNG", "RGBA"),
    ("BMP", "L"), ("BMP", "RGB"), ("BMP", "RGBA"),
    ("GIF", "L"), ("GIF", "LA"), ("GIF", "P"), ("GIF", "RGB"),
    ("BMP", "P"),
    ("WEBP", "L"), ("WEBP", "P"), ("WEBP", "RGB"), ("WEBP", "LA"),
    ("WEBP", "RGBA"),
])
def test_lossless_file_is_decoded_to_the_bit(file_format, mode):
    assert_decoded_as_pillow_does(encode(
        picture(mode, noise(4)), file_format, **lossless(file_format)))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [
    {"quality": 75, "subsampling": 2}, {"quality": 95, "subsampling": 0},
    {"quality": 95, "progressive": True},
])
def test_jpeg_is_decoded_within_a_few_levels(mode, options):
    image = picture(mode, gradient())
    assert_decoded_as_pillow_does(
        encode(image, "JPEG", **options), JPEG_TOLERANCE)


def test_lossy_webp_is_decoded_as_pillow_does():
    assert_decoded_as_pillow_does(
        encode(Image.fromarray(gradient()), "WEBP", quality=80), tolerance=1)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_gray_file_has_its_value_in_all_three_channels(mode):
    rgb = decode_rgb(encode(picture(mode, noise(4)), "PNG"))
    gray = np.asarray(picture(mode, noise(4)).convert("L"))
    np.testing.assert_array_equal(rgb, np.stack([gray] * 3, axis=-1))


def test_gray_png_of_16_bits_keeps_its_upper_8():
    gray = np.random.default_rng(0).integers(
        0, 2**16, (7, 9), dtype=np.uint16)
    image = Image.fromarray(gray)
    assert image.mode == "I;16"
    np.testing.assert_array_equal(
        decode_rgb(encode(image, "PNG")), np.stack([gray >> 8] * 3, axis=-1))


def test_color_png_of_16_bits_keeps_its_upper_8():
    pixels = np.random.default_rng(0).integers(
        0, 2**16, (7, 9, 3), dtype=np.uint16)
    np.testing.assert_array_equal(
        decode_rgb(png_of_16_bits(pixels)), pixels >> 8)


def animation(file_format):
    first = Image.fromarray(gradient())
    others = [Image.new("RGB", first.size, name) for name in ("red", "blue")]
    image_bytes = encode(first, file_format, save_all=True,
                         append_images=others, **lossless(file_format))
    with Image.open(io.BytesIO(image_bytes)) as frames:
        assert len(list(ImageSequence.Iterator(frames))) == 3
    return image_bytes


def test_an_animated_gif_gives_its_first_frame():
    assert_decoded_as_pillow_does(animation("GIF"))


def gif_with_a_picture_at(left, top, *, screen):
    """A GIF of 9 x 7 noise somewhere on a screen (width, height)."""
    image_bytes = encode(picture("P", noise()), "GIF")
    descriptor = image_bytes.index(b"," + bytes(4))
    return (image_bytes[:6] + struct.pack("<HH", *screen)
            + image_bytes[10:descriptor + 1] + struct.pack("<HH", left, top)
            + image_bytes[descriptor + 5:])


@pytest.mark.parametrize("left, top, screen, shape", [
    (3, 5, (40, 24), (24, 40, 3)),
    (31, 17, (40, 24), (24, 40, 3)),
    (0, 0, (9, 7), (7, 9, 3)),
    (3, 5, (9, 7), (12, 12, 3)),
], ids=["within", "in_the_corner", "all_of_it", "beyond"])
def test_gif_picture_is_put_on_its_canvas(left, top, screen, shape):
    rgb = decode_rgb(gif_with_a_picture_at(left, top, screen=screen))
    stored = decode_rgb(gif_with_a_picture_at(0, 0, screen=(9, 7)))
    expected = np.zeros(shape, np.uint8)
    expected[top:top + 7, left:left + 9] = stored
    np.testing.assert_array_equal(rgb, expected)
    assert pillow_rgb(gif_with_a_picture_at(left, top, screen=screen)
                      ).shape == shape


def test_gif_is_not_read_behind_its_first_picture():
    still = encode(picture("P", noise()), "GIF")
    descriptor = still.index(b"," + bytes(4))
    huge = b"," + struct.pack("<4HB", 0, 0, 60_000, 60_000, 0)
    np.testing.assert_array_equal(
        decode_rgb(still[:-1] + huge + still[descriptor + 10:]),
        decode_rgb(still))


def webp_animation(mode="RGB", **options):
    """An animated WebP whose first picture is 9 x 7 noise."""
    first = picture(mode, noise())
    others = [Image.new(mode, first.size, name) for name in ("red", "blue")]
    return encode(first, "WEBP", save_all=True, append_images=others,
                  **options)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [
    {"lossless": True, "exact": True}, {"quality": 70},
    {"quality": 70, "icc_profile": bytes(range(131))}],
    ids=["lossless", "lossy", "with_a_profile"])
def test_an_animated_webp_gives_its_first_frame(mode, options):
    image_bytes = webp_animation(mode, **options)
    assert image_bytes.count(b"ANMF") == 3
    assert_decoded_as_pillow_does(image_bytes, tolerance=1)


def webp_with_a_picture_at(left, top, *, canvas):
    """An animated WebP whose first picture is somewhere on a canvas."""
    image_bytes = bytearray(webp_animation(lossless=True, exact=True))
    for place, value in zip((24, 27), canvas):  # width, height
        image_bytes[place:place + 3] = (value - 1).to_bytes(3, "little")
    frame = image_bytes.index(b"ANMF") + 8
    for place, value in zip((frame, frame + 3), (left, top)):
        image_bytes[place:place + 3] = (value // 2).to_bytes(3, "little")
    return bytes(image_bytes)


@pytest.mark.parametrize("left, top", [(4, 6), (30, 16), (0, 0)])
def test_webp_picture_is_put_on_its_canvas(left, top):
    rgb = decode_rgb(webp_with_a_picture_at(left, top, canvas=(40, 24)))
    expected = np.zeros((24, 40, 3), np.uint8)
    expected[top:top + 7, left:left + 9] = noise()
    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize("left, top, canvas", [
    (32, 16, (40, 24)), (30, 18, (40, 24)), (0, 0, (8, 7))])
def test_a_webp_picture_beyond_its_canvas_is_refused(left, top, canvas):
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="without a first picture on its canvas"):
        decode_rgb(webp_with_a_picture_at(left, top, canvas=canvas))


def without_a_picture(image_bytes):
    """The first picture's chunk is of no known kind, the others are whole."""
    return image_bytes.replace(b"VP8L", b"JUNK", 1)


def with_empty_chunks(image_bytes, count):
    """An animated WebP with chunks of nothing before its first picture."""
    first = image_bytes.index(b"ANIM")
    added = b"XXXX\0\0\0\0" * count
    size = struct.unpack("<I", image_bytes[4:8])[0] + len(added)
    return (image_bytes[:4] + struct.pack("<I", size) + image_bytes[8:first]
            + added + image_bytes[first:])


@pytest.mark.parametrize("damage", [
    without_a_picture, lambda webp: webp[:webp.index(b"ANMF")],
    lambda webp: webp[:webp.index(b"ANMF") + 20],
    lambda webp: with_empty_chunks(webp, 1000)],
    ids=["another_kind", "no_frame", "no_chunk", "far_behind"])
def test_an_animated_webp_without_a_picture_is_refused(damage):
    animated = webp_animation(lossless=True, exact=True)
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="without a first picture on its canvas"):
        decode_rgb(damage(animated))


@pytest.mark.parametrize("length", [1, 2])
def test_a_picture_is_found_behind_other_chunks(length):
    animated = webp_animation(lossless=True, exact=True)
    first = animated.index(b"ANIM")
    added = b"XXXX" + struct.pack("<I", length) + b"VP"  # of an even length
    size = struct.unpack("<I", animated[4:8])[0] + len(added)
    np.testing.assert_array_equal(
        decode_rgb(animated[:4] + struct.pack("<I", size) + animated[8:first]
                   + added + animated[first:]), noise())


def test_a_truncated_first_picture_is_refused():
    animated = webp_animation(quality=70)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_rgb(animated[:animated.index(b"ANMF") + 60])


FORMATS = ["JPEG", "PNG", "BMP", "GIF", "WEBP"]


@pytest.mark.parametrize("options", [
    *({"file_format": name} for name in FORMATS),
    {"file_format": "JPEG", "progressive": True},
    {"file_format": "WEBP", "lossless": True},
], ids=[*FORMATS, "progressive", "lossless"])
def test_as_many_pixels_are_decoded_as_allowed(options):
    image_bytes = tf.constant(encode(Image.fromarray(gradient()), **options))
    rgb = decode.decode_rgb(image_bytes, max_pixels=40 * 24)
    np.testing.assert_array_equal(rgb, decode.decode_rgb(image_bytes))
    for refuse in (
            lambda: decode.decode_rgb(image_bytes, max_pixels=40 * 24 - 1),
            lambda: next(iter(tf.data.Dataset.from_tensors(image_bytes).map(
                lambda one: decode.decode_rgb(one, max_pixels=959))))):
        with pytest.raises(
                tf.errors.InvalidArgumentError,
                match="40 x 24 pixels, more than MAX_PIXELS=959 allowed"):
            refuse()


def test_webp_with_alpha_is_measured_by_its_canvas():
    image_bytes = tf.constant(encode(picture("RGBA", noise(4)), "WEBP"))
    assert decode.decode_rgb(image_bytes, max_pixels=63).shape == (7, 9, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="9 x 7 pixels"):
        decode.decode_rgb(image_bytes, max_pixels=62)


def test_cmyk_may_have_three_quarters_of_the_pixels():
    image_bytes = tf.constant(encode(picture("CMYK", gradient()), "JPEG"))
    assert decode.decode_rgb(image_bytes, max_pixels=1280).shape == (24, 40, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="40 x 24 pixels"):
        decode.decode_rgb(image_bytes, max_pixels=1279)


@pytest.mark.parametrize("image_bytes", [
    b"\xff\x0a" + bytes(100),
    b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100),
    encode(Image.fromarray(noise()), "TIFF"),
], ids=["jpeg_xl", "jpeg_xl_container", "tiff"])
def test_format_whose_size_is_not_known_is_refused(image_bytes):
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="Unknown image file format"):
        decode_rgb(image_bytes)


def test_webp_without_a_chunk_header_is_refused():
    webp = encode(Image.fromarray(noise()), "WEBP")
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="WebP without a size"):
        decode_rgb(webp[:12] + webp[20:])


def test_jpeg_of_many_scans_is_refused_where_it_could_take_long():
    jpeg = encode(Image.fromarray(gradient()), "JPEG", progressive=True)
    last_scan = jpeg[jpeg.rfind(b"\xff\xda"):-2]
    small = jpeg[:-2] + last_scan * 600 + b"\xff\xd9"
    assert decode_rgb(small).shape == (24, 40, 3)
    frame = jpeg.index(b"\xff\xc2")
    large = (small[:frame + 5] + struct.pack(">HH", 9000, 9000)
             + small[frame + 9:])
    with pytest.raises(tf.errors.InvalidArgumentError, match="500 scans"):
        decode_rgb(large)


def test_saved_model_decodes_and_refuses_the_same(tmp_path):
    module = tf.Module()
    module.decode = tf.function(decode.decode_rgb, autograph=False,
                                input_signature=[tf.TensorSpec([], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for name in FORMATS:
        image_bytes = encode(Image.fromarray(gradient()), name)
        np.testing.assert_array_equal(
            loaded.decode(tf.constant(image_bytes)), decode_rgb(image_bytes))
    for animated in (animation("GIF"), animation("WEBP")):
        np.testing.assert_array_equal(
            loaded.decode(tf.constant(animated)), decode_rgb(animated))
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="Unknown image file format"):
        loaded.decode(tf.constant(b"words"))


@pytest.mark.parametrize("byte_order", [LITTLE_ENDIAN, BIG_ENDIAN])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_photograph_upright(
        orientation, byte_order):
    image_bytes = jpeg_with(
        (0xE1, exif(orientation, byte_order=byte_order)))
    assert decode.exif_orientation(tf.constant(image_bytes)) == orientation
    assert_decoded_as_pillow_does(image_bytes, JPEG_TOLERANCE)


@pytest.mark.parametrize("byte_order", [LITTLE_ENDIAN, BIG_ENDIAN])
def test_orientation_is_found_among_the_tags_of_a_camera(byte_order):
    tags = Image.Exif()
    tags.endian = byte_order
    tags.update({0x010E: "a description " * 20, 0x010F: "maker",
                 0x0110: "model", ORIENTATION_TAG: 6, 0x011A: 72.0,
                 0x0132: "2020:01:02 03:04:05", 0x8298: "rights"})
    image_bytes = encode(Image.fromarray(gradient()), "JPEG", quality=95,
                         exif=tags)
    assert_decoded_as_pillow_does(image_bytes, JPEG_TOLERANCE)
    assert decode_rgb(image_bytes).shape == (40, 24, 3)


@pytest.mark.parametrize("segments, block", [
    ([(0xFE, b"a comment")], {}),
    ([(0xE2, b"ICC_PROFILE\0\1\1" + bytes(3000))], {}),
    ([], {"directory_offset": 28, "before": bytes(20)}),
], ids=["comment", "color_profile", "directory_further_on"])
def test_orientation_is_found_behind_something_else(segments, block):
    image_bytes = jpeg_with(*segments, (0xE1, exif(8, **block)))
    assert_decoded_as_pillow_does(image_bytes, JPEG_TOLERANCE)
    assert decode_rgb(image_bytes).shape == (40, 24, 3)


MALFORMED_EXIF = {
    "no_block": b"",
    "marker_alone": b"Exif\0\0",
    "zeros": b"Exif\0\0" + bytes(40),
    "cut_in_the_entry": exif(6)[:22],
    "no_entries": exif(6, num_entries=0),
    "orientation_of_0": exif(0),
    "orientation_of_9": exif(9),
    "orientation_of_65535": exif(0xFFFF),
    "directory_out_of_reach": exif(6, directory_offset=0xFFFF),
    "tiff_without_marker": exif(6)[len(b"Exif\0\0"):],
    "wrong_marker": exif(6).replace(b"Exif", b"exif"),
}


@pytest.mark.parametrize("block", [
    *(pytest.param(block, id=name) for name, block in MALFORMED_EXIF.items()),
    pytest.param(exif(6, byte_order=BIG_ENDIAN, header=b"ZZ\0*"),
                 id="no_byte_order"),
    pytest.param(exif(6, byte_order=BIG_ENDIAN, header=b"MM\0\0"),
                 id="no_tiff_magic"),
])
def test_malformed_exif_leaves_the_photograph_as_it_is(block):
    np.testing.assert_array_equal(
        decode_rgb(jpeg_with((0xE1, block))), decode_rgb(jpeg_with()))


def test_directory_that_says_it_is_larger_than_the_file_is_still_read():
    image_bytes = jpeg_with((0xE1, exif(6, num_entries=0xFFFF)))
    assert decode_rgb(image_bytes).shape == (40, 24, 3)


def test_exif_of_another_type_or_behind_the_first_scan_turns_nothing():
    of_type_byte = exif(6).replace(struct.pack("<HH", ORIENTATION_TAG, SHORT),
                                   struct.pack("<HH", ORIENTATION_TAG, 1))
    for image_bytes in (jpeg_with((0xE1, of_type_byte)),
                        jpeg_with() + jpeg_with((0xE1, exif(6)))):
        np.testing.assert_array_equal(
            decode_rgb(image_bytes), decode_rgb(jpeg_with()))


def test_jpeg_without_exif_is_upright():
    image_bytes = jpeg_with()
    assert decode.exif_orientation(tf.constant(image_bytes)) == 1
    assert_decoded_as_pillow_does(image_bytes, JPEG_TOLERANCE)


def test_png_with_exif_among_its_bytes_is_not_turned():
    png = encode(Image.fromarray(gradient()), "PNG")
    end_of_header = 8 + 25
    image_bytes = (png[:end_of_header]
                   + png_chunk(b"tEXt", b"Comment\0" + exif(6))
                   + png[end_of_header:])
    np.testing.assert_array_equal(decode_rgb(image_bytes), gradient())


def test_palette_bmp_that_ends_in_its_header_is_refused():
    image_bytes = encode(picture("P", noise()), "BMP")
    for size in range(2, 80):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode_rgb(image_bytes[:size])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 20])
def test_orientation_of_a_few_bytes_is_upright(size):
    image_bytes = jpeg_with((0xE1, exif(6)))[:size]
    assert decode.exif_orientation(tf.constant(image_bytes)) == 1


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_truncated_file_is_refused(file_format, kept):
    image_bytes = encode(Image.fromarray(noise()), file_format)
    assert decode_rgb(image_bytes).shape == (7, 9, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_rgb(image_bytes[:int(kept * len(image_bytes))])


def test_damaged_png_is_refused():
    image_bytes = bytearray(encode(Image.fromarray(noise()), "PNG"))
    image_bytes[len(image_bytes) // 2] ^= 0xFF
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_rgb(bytes(image_bytes))


@pytest.mark.parametrize("image_bytes, message", [
    (b"", "empty"),
    (b"These are words, and no image.", "Unknown image file format"),
    (bytes(100), "Unknown image file format"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
], ids=["nothing", "text", "zeros", "jpeg_marker", "png_signature"])
def test_what_is_no_image_is_refused(image_bytes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode_rgb(image_bytes)


def test_files_are_decoded_the_same_in_dataset_map():
    files = [
        encode(picture("L", noise()), "PNG"),
        encode(picture("RGBA", noise(4)), "PNG"),
        encode(picture("CMYK", gradient()), "JPEG"),
        encode(picture("P", noise()), "GIF"),
        encode(picture("RGB", gradient()), "WEBP"),
        encode(picture("RGB", gradient()), "BMP"),
        *(jpeg_with((0xE1, exif(orientation))) for orientation in range(1, 9)),
    ]
    dataset = tf.data.Dataset.from_tensor_slices(files).map(decode.decode_rgb)
    assert dataset.element_spec == tf.TensorSpec([None, None, 3], tf.uint8)
    mapped = list(dataset.as_numpy_iterator())
    assert len(mapped) == len(files)
    for rgb, image_bytes in zip(mapped, files):
        np.testing.assert_array_equal(rgb, decode_rgb(image_bytes))


@pytest.mark.parametrize("image_bytes", [
    b"", b"words", encode(Image.fromarray(noise()), "JPEG")[:-100],
    encode(Image.fromarray(noise()), "PNG")[:-20],
], ids=["nothing", "text", "jpeg", "png"])
def test_damage_is_refused_in_dataset_map(image_bytes):
    dataset = tf.data.Dataset.from_tensors(image_bytes).map(decode.decode_rgb)
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(iter(dataset))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_apply_orientation_agrees_with_pillow_to_the_bit(orientation):
    stored = Image.fromarray(noise())
    stored.getexif()[ORIENTATION_TAG] = orientation
    np.testing.assert_array_equal(
        decode.apply_orientation(
            tf.constant(noise()), tf.constant(orientation)),
        np.asarray(ImageOps.exif_transpose(stored)))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_the_size_is_read_without_the_pixels(file_format):
    image_bytes = encode(Image.fromarray(gradient(24, 40)), file_format)
    header = image_bytes if file_format == "GIF" else image_bytes[:700]
    size = tf.function(decode.read_size)(tf.constant(header))
    assert size.numpy().tolist() == [24, 40]


@pytest.mark.parametrize("image_bytes", [b"", b"text", b"\x89PNG", b"RIFF1234"])
def test_what_has_no_size_is_of_size_0(image_bytes):
    assert decode.read_size(tf.constant(image_bytes)).numpy().tolist() == [0, 0]
