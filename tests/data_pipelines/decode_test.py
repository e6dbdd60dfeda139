"""Encoded bytes -> RGB, compared with Pillow's own decoding."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from data_pipelines import decode
from tests.data_pipelines import image_files

# libjpeg's two ways to compute the cosine transform differ by so many levels.
JPEG_TOLERANCE = 5


def noise(channels=3):
    return np.random.default_rng(0).integers(
        0, 256, (7, 9, channels), dtype=np.uint8)


def gradient(height=24, width=40):
    """A smooth picture, uint8 RGB, that changes when mirrored or turned."""
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
    """Decodes with Pillow, upright, int64 [H, W, 3]."""
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


def png(width, height, rows=b"", *, depth=8, kind=2, before=b""):
    """A PNG of any depth and color kind (PNG 1.2, 4.1.1), its rows given."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + before + png_chunk(b"IHDR", header)
            + png_chunk(b"IDAT", zlib.compress(rows))
            + png_chunk(b"IEND", b""))


def png_chunk(kind, payload):
    return (struct.pack(">I", len(payload)) + kind + payload
            + struct.pack(">I", zlib.crc32(kind + payload)))


def jpeg_saying(width, height, **options):
    """A JPEG of 16 x 16 pixels whose frame header gives another size."""
    jpeg = encode(Image.new("RGB", (16, 16)), "JPEG", **options)
    frame = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return with_bytes(jpeg, frame + 5, struct.pack(">HH", height, width))


def with_bytes(image_bytes, offset, replacement):
    return (image_bytes[:offset] + replacement
            + image_bytes[offset + len(replacement):])


@pytest.mark.parametrize("file_format, mode", [
    ("PNG", "1"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "P"), ("PNG", "RGB"),
    ("PNG", "RGBA"),
    ("BMP", "RGB"), ("BMP", "RGBA"),
    ("WEBP", "L"), ("WEBP", "P"), ("WEBP", "RGB"), ("WEBP", "LA"),
    ("WEBP", "RGBA"),
])
def test_lossless_file_is_decoded_to_the_bit(file_format, mode):
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    assert_decoded_as_pillow_does(
        encode(picture(mode, noise(4)), file_format, **options))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [
    {"quality": 75, "subsampling": 2}, {"quality": 95, "subsampling": 0},
    {"quality": 95, "progressive": True},
])
def test_jpeg_is_decoded_within_a_few_levels(mode, options):
    assert_decoded_as_pillow_does(encode(
        picture(mode, gradient()), "JPEG", **options), JPEG_TOLERANCE)


def test_lossy_webp_is_decoded_within_a_level():
    assert_decoded_as_pillow_does(encode(
        picture("RGB", gradient()), "WEBP", quality=80), tolerance=1)


@pytest.mark.parametrize("kind, channels", [(0, 1), (2, 3)])
def test_png_of_16_bits_keeps_its_upper_8(kind, channels):
    pixels = np.random.default_rng(0).integers(
        0, 2**16, (7, 9, channels), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    np.testing.assert_array_equal(
        decode_rgb(png(9, 7, rows, depth=16, kind=kind)),
        np.broadcast_to(pixels >> 8, (7, 9, 3)))


FORMATS = ["JPEG", "PNG", "BMP", "WEBP"]


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


@pytest.mark.parametrize("image_bytes, limit", [
    (encode(picture("RGBA", noise(4)), "WEBP"), 63),
    # Three quarters of the pixels.
    (encode(picture("CMYK", gradient()), "JPEG"), 1280),
], ids=["webp_with_alpha", "cmyk"])
def test_the_limit_is_met_exactly(image_bytes, limit):
    image_bytes = tf.constant(image_bytes)
    assert decode.decode_rgb(image_bytes, max_pixels=limit).shape[2] == 3
    with pytest.raises(tf.errors.InvalidArgumentError, match=" pixels, more"):
        decode.decode_rgb(image_bytes, max_pixels=limit - 1)


def animation(file_format):
    others = [Image.new("RGB", (9, 7), name) for name in ("red", "blue")]
    return encode(Image.fromarray(noise()), file_format, save_all=True,
                  append_images=others)


WEBP = encode(Image.fromarray(noise()), "WEBP")
REFUSED = {
    "nothing": b"",
    "text": b"These are words, not an image.",
    "zeros": bytes(100),
    "png_signature": b"\x89PNG\r\n\x1a\n",
    "gif": encode(Image.fromarray(noise()), "GIF"),
    "animated_gif": animation("GIF"),
    "animated_webp": animation("WEBP"),
    "webp_without_a_chunk_header": WEBP[:12] + WEBP[20:],
    "palette_bmp": encode(picture("P", noise()), "BMP"),
    "bilevel_bmp": encode(picture("1", noise()), "BMP"),
    "jpeg_xl": b"\xff\x0a" + bytes(100),
    "jpeg_xl_container": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100),
    "tiff": encode(Image.fromarray(noise()), "TIFF"),
    # libpng skips a private chunk in the place of the header.
    "png_with_a_late_header": png(20_000, 20_000, before=png_chunk(
        b"prVt", struct.pack(">II", 4, 4) * 2)),
}


@pytest.mark.parametrize(
    "image_bytes", REFUSED.values(), ids=REFUSED.keys())
def test_other_formats_are_refused(image_bytes):
    image_bytes = tf.constant(image_bytes)
    in_a_graph = tf.data.Dataset.from_tensors(image_bytes).map(
        decode.decode_rgb)
    for decode_it in (lambda: decode.decode_rgb(image_bytes),
                      lambda: next(iter(in_a_graph))):
        with pytest.raises(tf.errors.InvalidArgumentError,
                           match="Unknown image file format or damaged header; "
                           "the file must be JPEG, PNG, still WebP, or BMP"):
            decode_it()
    assert decode.read_size(image_bytes).numpy().tolist() == [0, 0]


SIDE = 40_000
BMP = encode(Image.new("RGB", (4, 4)), "BMP")
BOMBS = {
    "png": png(SIDE, SIDE),
    "png_of_bits": png(SIDE, SIDE, depth=1, kind=0),
    "jpeg": jpeg_saying(SIDE, SIDE),
    "jpeg_progressive": jpeg_saying(SIDE, SIDE, progressive=True),
    "bmp": with_bytes(BMP, 18, struct.pack("<ii", SIDE, SIDE)),
    "bmp_top_down": with_bytes(BMP, 18, struct.pack("<ii", SIDE, -SIDE)),
    "bmp_lowest": with_bytes(BMP, 18, struct.pack("<ii", SIDE, -2**31)),
    # VP8 and VP8L store sizes up to 16,383.
    "webp_lossless": with_bytes(
        encode(Image.new("RGB", (4, 4)), "WEBP", lossless=True), 21,
        struct.pack("<I", 16_382 + (16_382 << 14))),
    "webp_lossy": with_bytes(WEBP, 26, struct.pack("<HH", 16_383, 16_383)),
    "webp_extended": with_bytes(
        encode(Image.new("RGBA", (4, 4)), "WEBP"), 24,
        struct.pack("<I", SIDE - 1)[:3] * 2),
}


@pytest.mark.parametrize("image_bytes", BOMBS.values(), ids=BOMBS.keys())
def test_a_small_file_of_a_huge_picture_is_refused(image_bytes):
    assert len(image_bytes) < 1000
    with pytest.raises(tf.errors.InvalidArgumentError, match=(
            r"\d{5} x \d{5,} pixels, more than MAX_PIXELS=100000000 allowed")):
        decode_rgb(image_bytes)


def flip_bits(image_bytes, dice):
    changed = bytearray(image_bytes)
    for _ in range(dice.choice([1, 2, 8])):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def lie_in_header(image_bytes, dice):
    number = dice.choice([0, 1, 255, 2**15, 2**16 - 1])
    return with_bytes(image_bytes, dice.randrange(2, 60), struct.pack(
        dice.choice(["<H", ">H"]), number))


def delete_some(image_bytes, dice):
    start = dice.randrange(len(image_bytes))
    return image_bytes[:start] + image_bytes[start + dice.choice([1, 4, 64]):]


@pytest.mark.parametrize("damage", [flip_bits, lie_in_header, delete_some])
@pytest.mark.parametrize("file_format, mode", [
    ("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"),
    ("BMP", "RGB"), ("WEBP", "RGB"), ("WEBP", "RGBA")])
def test_a_damaged_file_is_decoded_or_refused(file_format, mode, damage):
    image_bytes = encode(picture(mode, noise(4)), file_format)
    dice = random.Random(0)
    for _ in range(30):
        try:
            rgb = decode_rgb(damage(image_bytes, dice))
        except tf.errors.InvalidArgumentError:
            continue
        assert rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.size


def test_jpeg_of_many_scans_is_refused_where_it_could_take_long():
    jpeg = encode(Image.fromarray(gradient()), "JPEG", progressive=True)
    last_scan = jpeg[jpeg.rfind(b"\xff\xda"):-2]
    small = jpeg[:-2] + last_scan * 600 + b"\xff\xd9"
    assert decode_rgb(small).shape == (24, 40, 3)
    frame = jpeg.index(b"\xff\xc2")
    large = with_bytes(small, frame + 5, struct.pack(">HH", 9000, 9000))
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
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="Unknown image file format"):
        loaded.decode(tf.constant(b"words"))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("file_format", FORMATS)
def test_truncated_file_is_refused(file_format, kept):
    image_bytes = encode(Image.fromarray(noise()), file_format)
    assert decode_rgb(image_bytes).shape == (7, 9, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_rgb(image_bytes[:int(kept * len(image_bytes))])


def test_files_are_decoded_the_same_in_dataset_map():
    files = [
        encode(picture("L", noise()), "PNG"),
        encode(picture("RGBA", noise(4)), "PNG"),
        encode(picture("CMYK", gradient()), "JPEG"),
        encode(picture("P", noise()), "PNG"),
        encode(picture("RGB", gradient()), "WEBP"),
        encode(picture("RGB", gradient()), "BMP"),
        *(image_files.jpeg(gradient(), (
            0xE1, b"Exif\0\0" + image_files.exif(orientation)))
          for orientation in range(1, 9)),
    ]
    dataset = tf.data.Dataset.from_tensor_slices(files).map(decode.decode_rgb)
    assert dataset.element_spec == tf.TensorSpec([None, None, 3], tf.uint8)
    mapped = list(dataset.as_numpy_iterator())
    assert len(mapped) == len(files)
    for rgb, image_bytes in zip(mapped, files):
        np.testing.assert_array_equal(rgb, decode_rgb(image_bytes))


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_size_is_read_without_the_pixels(file_format):
    image_bytes = encode(Image.fromarray(gradient(24, 40)), file_format)
    size = tf.function(decode.read_size)(tf.constant(image_bytes[:700]))
    assert size.numpy().tolist() == [24, 40]
