"""Whatever reads a file sees the same picture: one answer for all."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines import color, pipeline, sources
from pix2pix_color.colorizing.photograph import (NoPhotographError,
                                                 read_photograph)
from pix2pix_color.saved_model.load import load_saved_model
from tests.data_pipelines.image_files import (ADOBE_RGB, DISPLAY_P3, PROPHOTO,
                                              SIDE, SRGB, ImageFile, bmp, chunk,
                                              encode, exif, fields, in_space,
                                              jpeg, picture, png, profile,
                                              stored, without_adobe_marker)
from tests.data_pipelines.preparation import scenes

MAX_PIXELS = 10**6
# libjpeg's quicker cosine transform is so many levels off.
JPEG_TOLERANCE = 8
# Values of 8 bits in a wide space are a few levels of sRGB apart.
PROFILE_TOLERANCE = 3
SERVED_TOLERANCE = 1.5  # of L*, besides

APP1, APP13, COMMENT = 0xE1, 0xED, 0xFE
EXIF = b"Exif\0\0"
XMP = (b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
       b'<rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
RGBA = 0xFF, 0xFF00, 0xFF0000
ARGB = 0xFF00, 0xFF0000, 0xFF000000
TEN_BITS = 0x3FF00000, 0xFFC00, 0x3FF
FIVE_SIX_FIVE = 0xF800, 0x7E0, 0x1F
LONG_TEXT = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))


def like_jpeg(content, rgb):
    return ImageFile(content, rgb, tolerance=JPEG_TOLERANCE)


def turned_jpeg(rgb, orientation, *before, order="<", kind=3):
    return like_jpeg(jpeg(stored(rgb, orientation), *before, (
        APP1, EXIF + exif(orientation, order=order, kind=kind))), rgb)


def behind_the_tables(rgb):
    plain = jpeg(stored(rgb, 3))
    return like_jpeg(jpeg(stored(rgb, 3), (APP1, EXIF + exif(3, kind=4)),
                          before=plain.index(b"\xff\xc0")), rgb)


def fill_bytes(rgb):
    content = turned_jpeg(rgb, 6).content
    return like_jpeg(content[:2] + b"\xff\xff" + content[2:], rgb)


def in_a_space(space, file_format, **options):
    def make(rgb):
        values = in_space(rgb, space)
        return ImageFile(encode(values, file_format,
                                icc_profile=profile(space), **options),
                         rgb, served=values, tolerance=JPEG_TOLERANCE
                         if file_format == "JPEG" else PROFILE_TOLERANCE)
    return make


def turned_and_in_a_space(rgb):
    content = encode(in_space(stored(rgb, 6), ADOBE_RGB), "JPEG", quality=100,
                     subsampling=0, exif=EXIF + exif(6),
                     icc_profile=profile(ADOBE_RGB))
    return ImageFile(content, rgb, served=in_space(rgb, ADOBE_RGB),
                     tolerance=JPEG_TOLERANCE)


def inks_not_inverted(rgb):
    """CMYK of another program than Adobe's; Pillow inverts what it writes."""
    black = np.full((SIDE, SIDE, 1), 255, np.uint8)
    image = Image.merge("CMYK", [
        Image.fromarray(channel) for channel in np.moveaxis(
            np.concatenate([rgb, black], axis=2), 2, 0)])
    return like_jpeg(without_adobe_marker(encode(
        image, "JPEG", "CMYK", quality=100, subsampling=0)), rgb)


def bmp_with_a_profile(rgb):
    values = in_space(rgb, ADOBE_RGB)
    content = bytearray(bmp(fields(values, RGBA), 32, RGBA, header=124))
    embedded = profile(ADOBE_RGB)
    content[70:74] = b"DEBM"  # PROFILE_EMBEDDED
    struct.pack_into("<II", content, 126, len(content) - 14, len(embedded))
    return ImageFile(bytes(content) + embedded, rgb, served=values,
                     tolerance=PROFILE_TOLERANCE)


def gray_alpha(rgb):
    gray = np.repeat(rgb[..., :1], 3, axis=2)
    return ImageFile(png(rgb[..., :2]), gray)


KINDS = {
    "plain.jpg": lambda rgb: like_jpeg(jpeg(rgb), rgb),
    "behind_70_kb.jpg": lambda rgb: turned_jpeg(
        rgb, 6, (COMMENT, bytes(5000)), (APP13, bytes(65000)), (APP1, XMP)),
    "long_big_endian.jpg": lambda rgb: turned_jpeg(
        rgb, 8, order=">", kind=4),
    "behind_the_tables.jpg": behind_the_tables,
    "fill_bytes.jpg": fill_bytes,
    "in_xmp_only.jpg": lambda rgb: like_jpeg(jpeg(rgb, (APP1, XMP)), rgb),
    "exif.png": lambda rgb: ImageFile(png(
        stored(rgb, 6), chunk(b"eXIf", exif(6, order=">", kind=4))), rgb),
    "exif_behind_the_pixels.png": lambda rgb: ImageFile(png(
        stored(rgb, 7), after=[chunk(b"eXIf", exif(7))]), rgb),
    "exif.webp": lambda rgb: ImageFile(encode(
        stored(rgb, 8), "WEBP", lossless=True, exif=exif(8)), rgb),
    "exif_with_prefix.webp": lambda rgb: ImageFile(encode(
        stored(rgb, 6), "WEBP", lossless=True, exif=EXIF + exif(6)), rgb),

    "adobe.png": in_a_space(ADOBE_RGB, "PNG"),
    "prophoto.webp": in_a_space(PROPHOTO, "WEBP", lossless=True),
    "p3.jpg": in_a_space(DISPLAY_P3, "JPEG", quality=100, subsampling=0),
    "turned_adobe.jpg": turned_and_in_a_space,
    "srgb.png": lambda rgb: ImageFile(
        encode(rgb, "PNG", icc_profile=profile(SRGB)), rgb),
    "damaged_profile.png": lambda rgb: ImageFile(
        encode(rgb, "PNG", icc_profile=b"garbage" * 30), rgb),

    "rgba.bmp": lambda rgb: ImageFile(
        bmp(fields(rgb, RGBA), 32, RGBA, header=108), rgb),
    "argb_top_down.bmp": lambda rgb: ImageFile(
        bmp(fields(rgb, ARGB), 32, ARGB, top_down=True), rgb),
    "ten_bits.bmp": lambda rgb: ImageFile(
        bmp(fields(rgb, TEN_BITS), 32, TEN_BITS), rgb, served=None,
        tolerance=1),
    "with_a_profile.bmp": bmp_with_a_profile,
    "bytes_behind_the_pixels.bmp": lambda rgb: ImageFile(
        encode(rgb, "BMP") + bytes(2), rgb),
    "565.bmp": lambda rgb: ImageFile(
        bmp(fields(rgb, FIVE_SIX_FIVE), 16, FIVE_SIX_FIVE, header=124), rgb,
        served=None, tolerance=5),

    "text_with_a_wrong_checksum.png": lambda rgb: ImageFile(
        png(rgb, chunk(b"tEXt", b"a\0b", checksum=1)), rgb),
    "three_megabytes.png": lambda rgb: ImageFile(
        png(rgb, LONG_TEXT, after=[LONG_TEXT]), rgb),
    "wrong_checksum.png": lambda rgb: ImageFile(png(rgb).replace(
        chunk(b"IEND", b""), chunk(b"IEND", b"", checksum=1)), None),
    "half_of_the_rows.png": lambda rgb: ImageFile(
        png(rgb[:SIDE // 2], height=SIDE), None),
    "cut_off.png": lambda rgb: ImageFile(png(rgb)[:-12], None),

    "16_bits.png": lambda rgb: ImageFile(
        png(rgb.astype(int) * 256 + 9, depth=16), rgb),
    "gray_alpha.png": gray_alpha,
    "animated.webp": lambda rgb: ImageFile(encode(
        rgb, "WEBP", lossless=True, save_all=True,
        append_images=[Image.fromarray(255 - rgb)]), rgb, served=None),
    "adobes_cmyk.jpg": lambda rgb: like_jpeg(jpeg(rgb, mode="CMYK"), rgb),
    "inks_not_inverted.jpg": inks_not_inverted,
    "trailing_garbage.jpg": lambda rgb: like_jpeg(
        jpeg(rgb) + b"garbage" * 99, rgb),
    "cut_off.jpg": lambda rgb: ImageFile(jpeg(rgb)[:-40], None),
    "12_bits.jpg": lambda rgb: ImageFile(jpeg(rgb).replace(
        b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), None),
}
FILES = {name: make(picture(seed))
         for seed, (name, make) in enumerate(KINDS.items())}
READ = [name for name, file in FILES.items() if file.seen is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("files")
    for name, file in FILES.items():
        (directory / name).write_bytes(file.content)
    return directory


def assert_seen(pictures):
    """Compares name -> uint8 [H, W, 3] with what is to be seen."""
    assert sorted(pictures) == sorted(READ)
    for name, rgb in pictures.items():
        file = FILES[name]
        np.testing.assert_allclose(
            np.asarray(rgb).astype(int), file.seen, rtol=0,
            atol=file.tolerance, err_msg=name)


@pytest.fixture(scope="module")
def source(folder):
    return sources.open_source(f"folder:{folder}", flag="--data")


def test_training_sees_it(source):
    indices = tf.data.Dataset.range(len(source)).map(
        lambda index: (index, source.load(index))).ignore_errors()
    assert_seen({source.identities[int(index)]: rgb
                 for index, rgb in indices.as_numpy_iterator()})


def test_evaluation_sees_it(source):
    [batch] = pipeline.evaluation_batches(
        source, image_size=SIDE, batch_size=len(source))
    assert_seen({source.identities[index]: rgb for index, rgb in zip(
        batch.index.numpy().tolist(), batch.photo.numpy())})


def test_prepare_sees_it(folder, tmp_path):
    scenes.prepare(f"folder:{folder}", tmp_path / "out", shorter_side=0,
                   min_chroma=0.0, near_duplicate_distance=-1, encoding="raw")
    assert_seen(scenes.read_back(tmp_path / "out"))
    assert set(scenes.read_report(tmp_path / "out")) == set(FILES) - set(READ)


def read_all(read, refusal):
    """Reads every file, or sees it refused."""
    pictures = {}
    for name, file in FILES.items():
        if file.seen is not None:
            pictures[name] = read(name)
            continue
        with pytest.raises(refusal):
            read(name)
    return pictures


def test_colorize_and_the_web_page_see_it():
    # Both read by read_photograph.
    assert_seen(read_all(lambda name: read_photograph(
        FILES[name].content, max_pixels=MAX_PIXELS).rgb, NoPhotographError))


@pytest.fixture(scope="module")
def served(export_dir):
    return load_saved_model(str(export_dir)).signatures["serving_default"]


@pytest.mark.parametrize("name", FILES)
def test_the_saved_model_sees_it(served, name):
    """Its answers keep the lightness of what it sees."""
    file = FILES[name]
    image_bytes = tf.constant([file.content])
    seen = file.seen if isinstance(file.served, str) else file.served
    if seen is None or file.seen is None:
        with pytest.raises(tf.errors.InvalidArgumentError,
                           match=r"image_bytes\[0\]: "):
            served(image_bytes=image_bytes)
        return
    answer = tf.io.decode_png(served(
        image_bytes=image_bytes)["colorized_bytes"][0])
    given, expected = (color.rgb_to_lab(tf.constant(rgb)).numpy()[..., 0]
                       for rgb in (answer, seen))
    tolerance = SERVED_TOLERANCE + (
        0.4 * JPEG_TOLERANCE if name.endswith(".jpg") else 0)
    np.testing.assert_allclose(given, expected, rtol=0, atol=tolerance)
