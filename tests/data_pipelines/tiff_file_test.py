"""TIFFs of every kind, written here: read by their tags, or refused by name."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from data_pipelines import tiff_file
from data_pipelines.photo_file import Rejected, load_image, read_rgb
from data_pipelines.tiff_file import UnsupportedTiffError

HEIGHT, WIDTH = 48, 64
GRAY = (np.arange(HEIGHT * WIDTH) * 255 // (HEIGHT * WIDTH - 1)).reshape(
    HEIGHT, WIDTH).astype(np.uint8)
RGB = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])
ALPHA = np.tile(np.linspace(60, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
CMYK = np.dstack([255 - RGB, GRAY // 4])
SMIN, SMAX = 340, 341


def wide(values):
    """Brings uint8 to uint16."""
    return values.astype(np.uint16) * 257


def planes(values):
    return np.moveaxis(values, -1, 0)


def premultiplied(colors):
    """[..., C] -> [..., C + 1], with an alpha of the same type."""
    top = np.iinfo(colors.dtype).max
    alpha = (ALPHA / 255 * top).round()[..., np.newaxis]
    return np.concatenate([(colors * (alpha / top)).round(), alpha],
                          axis=-1).astype(colors.dtype)


def tiff(array, photometric="minisblack", **options):
    """Writes a TIFF of one page, with no more tags than it needs."""
    buffer = io.BytesIO()
    options.setdefault("metadata", None)
    tifffile.imwrite(buffer, array, photometric=photometric, **options)
    return buffer.getvalue()


def pages(*written, **file_options):
    """Writes a TIFF of many directories: pairs of an array and options."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **file_options) as writer:
        for array, options in written:
            writer.write(array, metadata=None, **options)
    return buffer.getvalue()


def sample_range(low, high, kind="f"):
    return [(SMIN, kind, 1, low, True), (SMAX, kind, 1, high, True)]


def short_tag(code, value):
    return [(code, "H", 1, value, True)]


def by_hand(tags, data, offset=256):
    """Writes a little-endian TIFF: (code, type, count, value) and its data.

    Every value fits into 4 bytes or lies in the data, which begins at offset.
    """
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(
        offset, b"\0") + data


def read(content):
    return np.asarray(read_rgb(io.BytesIO(content)))


def refusal(content, **options):
    with pytest.raises(Rejected) as caught:
        read_rgb(io.BytesIO(content), **options)
    return caught.value


@pytest.mark.parametrize("array, options", [
    (255 - GRAY, {"photometric": "miniswhite"}),
    (65535 - wide(GRAY), {"photometric": "miniswhite"}),
    (65535 - wide(GRAY), {"photometric": "miniswhite", "byteorder": ">"}),
    (wide(GRAY), {"compression": "lzw", "predictor": 2, "rowsperstrip": 10}),
    (wide(GRAY), {"compression": "zlib", "predictor": 2, "byteorder": ">"}),
    (wide(GRAY), {"compression": "zstd", "tile": (32, 32)}),
    (wide(GRAY), {"compression": "lzma", "bigtiff": True}),
    (GRAY, {"compression": "packbits"}),
    (wide(GRAY) >> 4, {"bitspersample": 12}),
    (wide(GRAY) >> 6, {"bitspersample": 10, "rowsperstrip": 5}),
    ((GRAY.astype(int) - 128).astype(np.int8), {}),
    ((wide(GRAY).astype(int) - 32768).astype(np.int16), {}),
    ((wide(GRAY).astype(int) - 32768).astype(np.int16), {"byteorder": ">"}),
    (np.dstack([wide(GRAY), wide(ALPHA)]),
     {"planarconfig": "contig", "extrasamples": ["unassalpha"]}),
    (np.float32(GRAY / 255 * 7 - 3), {"extratags": sample_range(-3., 4.)}),
    (GRAY / 255, {"extratags": sample_range(0., 1., "d"), "predictor": 3,
                  "compression": "zlib"}),
    (wide(GRAY).astype(np.uint32),
     {"extratags": sample_range(0, 65535, "I")}),
    ((GRAY.astype(np.int16) - 99), {"extratags": sample_range(-99, 156, "h")}),
])
def test_gray_of_every_kind(array, options):
    np.testing.assert_array_equal(read(tiff(array, **options)),
                                  np.repeat(GRAY[..., None], 3, axis=2))


@pytest.mark.parametrize("array, options", [
    (planes(wide(RGB)), {"planarconfig": "separate"}),
    (planes(wide(RGB)), {"planarconfig": "separate", "tile": (16, 32)}),
    (planes(wide(RGB)), {"planarconfig": "separate", "byteorder": ">",
                         "compression": "zlib", "predictor": 2}),
    (planes(RGB), {"planarconfig": "separate", "compression": "lzw"}),
    (wide(RGB), {"byteorder": ">", "bigtiff": True}),
    (wide(RGB), {"tile": (32, 48), "compression": "zlib"}),
    (wide(RGB) >> 4, {"bitspersample": 12}),
    ((wide(RGB).astype(int) - 32768).astype(np.int16), {}),
    (np.float16(RGB / 255), {"extratags": sample_range(0., 1.)}),
    (np.dstack([wide(RGB), wide(ALPHA)]), {"extrasamples": ["unassalpha"]}),
    (planes(premultiplied(wide(RGB))), {"planarconfig": "separate",
                                        "extrasamples": ["assocalpha"]}),
    (np.dstack([RGB, GRAY, GRAY]), {"extrasamples": ["unspecified"] * 2}),
    (wide(RGB), {"compression": "jpeg2000"}),
    (RGB, {"compression": "webp", "compressionargs": {"level": -1}}),
])
def test_rgb_of_every_kind(array, options):
    np.testing.assert_array_equal(
        read(tiff(array, "rgb", **options)), RGB)


@pytest.mark.parametrize("options", [
    {}, {"tile": (16, 32)}, {"rowsperstrip": 16},
    {"compressionargs": {"level": 100, "outcolorspace": "ycbcr"}}])
def test_jpeg_in_a_tiff(options):
    smooth = np.asarray(Image.fromarray(RGB[:2, ::32]).resize((WIDTH, HEIGHT)))
    content = tiff(smooth, "rgb", compression="jpeg",
                   **{"compressionargs": {"level": 100}, **options})
    np.testing.assert_allclose(read(content), smooth, atol=6)


@pytest.mark.parametrize("bits, values, expected", [
    (12, b"\xAB\xC1\x23", [0xAB, 0x12]), (4, b"\xF2", [255, 34]),
    (2, b"\x90", [170, 85]), (1, b"\x40", [0, 255]),
    (6, b"\xFD\x00", [255, 65])])
def test_packed_samples(bits, values, expected):
    content = by_hand([
        (256, 3, 1, 2), (257, 3, 1, 1), (258, 3, 1, bits), (259, 3, 1, 1),
        (262, 3, 1, 1), (273, 4, 1, 256), (277, 3, 1, 1), (278, 3, 1, 1),
        (279, 4, 1, len(values))], values)
    np.testing.assert_array_equal(read(content)[0, :, 0], expected)


@pytest.mark.parametrize("compression", [
    "group3", "group4", "tiff_ccitt", "packbits", None])
@pytest.mark.parametrize("zero_is_white", [False, True])
def test_bilevel(compression, zero_is_white):
    buffer = io.BytesIO()
    picture = Image.fromarray(GRAY).point(lambda value: 255 * (value > 99), "1")
    picture.save(buffer, "TIFF", compression=compression,
                 tiffinfo={262: 0} if zero_is_white else {})
    np.testing.assert_array_equal(read(buffer.getvalue())[..., 0],
                                  np.where(GRAY > 99, 255, 0))


@pytest.mark.parametrize("scale", [1, 257])
def test_palette_of_8_bit_and_of_16_bit_values(scale):
    colors = np.stack([np.arange(256), np.arange(256)[::-1],
                       np.arange(256) // 2])
    content = tiff(GRAY, "palette",
                   colormap=(colors * scale).astype(np.uint16))
    np.testing.assert_array_equal(read(content), colors.T[GRAY])


@pytest.mark.parametrize("array, options", [
    (CMYK, {}), (planes(wide(CMYK)), {"planarconfig": "separate"}),
    (np.dstack([CMYK, ALPHA]), {"extrasamples": ["unassalpha"]})])
def test_cmyk(array, options):
    content = tiff(array, "separated", **options)
    np.testing.assert_array_equal(
        read(content), np.asarray(Image.fromarray(CMYK, "CMYK").convert("RGB")))
    assert load_image(io.BytesIO(content)).mode == "CMYK"


# Of some sRGB colors, under D50.
LAB = np.array([[[56.48, 22.43, 21.09], [50.01, 0.26, -24.18], [100, 0, 0]]])


@pytest.mark.parametrize("photometric, offset, scale, top", [
    ("cielab", 0, 1, 255), ("icclab", 128, 1, 255),
    ("cielab", 0, 256, 65535), ("icclab", 128, 256, 65280)])
def test_lab(photometric, offset, scale, top):
    kind = np.uint8 if scale == 1 else np.uint16
    stored = np.concatenate([
        LAB[..., :1] * top / 100, (LAB[..., 1:] + offset) * scale], axis=-1)
    content = tiff(stored.round().astype(np.int32).astype(kind), photometric)
    np.testing.assert_allclose(
        read(content), [[[180, 120, 100], [100, 120, 160], [255] * 3]], atol=3)


@pytest.mark.parametrize("orientation, expected", [
    (1, "ABCD"), (2, "BADC"), (3, "DCBA"), (4, "CDAB"),
    (5, "ACBD"), (6, "CADB"), (7, "DBCA"), (8, "BDAC")])
def test_subsampled_ycbcr_and_its_orientation(orientation, expected):
    # Four pixels of Y, and the Cb and Cr of all; two such squares in a row.
    data = bytes([20, 20, 20, 20, 128, 128, 90, 90, 90, 90, 128, 128,
                  160, 160, 160, 160, 128, 128, 230, 230, 230, 230, 128, 128])
    content = by_hand([
        (256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 3, 240), (259, 3, 1, 1),
        (262, 3, 1, 6), (273, 4, 1, 256), (274, 3, 1, orientation),
        (277, 3, 1, 3), (278, 3, 1, 4), (279, 4, 1, len(data)),
        (530, 3, 2, 2 | 2 << 16)],
        struct.pack("<8H", *[8] * 8) + data, offset=240)
    gray = dict(zip("ABCD", (20, 90, 160, 230)))
    np.testing.assert_allclose(
        read(content)[::2, ::2, 0].ravel(),
        [gray[letter] for letter in expected], atol=2)


def test_jpeg_of_the_old_style():
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 90, 40)).save(buffer, "JPEG", quality=98)
    jpeg = buffer.getvalue()
    content = by_hand([
        (256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 3, 240), (259, 3, 1, 6),
        (262, 3, 1, 6), (273, 4, 1, 256), (277, 3, 1, 3), (278, 3, 1, 16),
        (279, 4, 1, len(jpeg)), (513, 4, 1, 256), (514, 4, 1, len(jpeg)),
        (530, 3, 2, 2 | 2 << 16)], struct.pack("<8H", *[8] * 8) + jpeg,
        offset=240)
    np.testing.assert_allclose(
        read(content), np.broadcast_to((200, 90, 40), (16, 16, 3)), atol=4)


SMALL = {"photometric": "rgb", "subfiletype": 1}
THUMBNAIL = RGB[::4, ::4]


@pytest.mark.parametrize("content", [
    pages((THUMBNAIL, SMALL), (wide(RGB), {"photometric": "rgb"})),
    pages((GRAY > 9, {"photometric": "mask", "subfiletype": 4}),
          (RGB, {"photometric": "rgb"})),
    pages((THUMBNAIL, {**SMALL, "subifds": 1}), (RGB, {"photometric": "rgb"})),
    pages((RGB, {"photometric": "rgb", "subifds": 2}),
          (RGB[::2, ::2], {"photometric": "rgb"}), (THUMBNAIL, SMALL)),
    pages((THUMBNAIL, SMALL), (RGB, {"photometric": "rgb", "subfiletype": 1})),
    pages((RGB, {"photometric": "rgb"}), (RGB[::2, ::2], SMALL),
          bigtiff=True),
], ids=["thumbnail", "mask", "thumbnail_above", "pyramid_below",
        "all_reduced", "pyramid_behind"])
def test_the_full_size_picture_is_read(content):
    np.testing.assert_array_equal(read(content), RGB)
    assert load_image(io.BytesIO(content)).info["num_pages"] == 1


def test_pages_are_counted_and_can_be_chosen():
    content = pages((RGB, {"photometric": "rgb"}), (THUMBNAIL, SMALL),
                    (wide(GRAY), {"photometric": "minisblack"}))
    with tiff_file.open_page(io.BytesIO(content), 1) as page:
        assert (page.num_pages, page.size) == (2, (WIDTH, HEIGHT))
        np.testing.assert_array_equal(np.asarray(page.decode()), GRAY)
    with pytest.raises(UnsupportedTiffError, match="2 pages, without page 3"):
        with tiff_file.open_page(io.BytesIO(content), 2):
            pass


def test_a_damaged_second_page_does_no_harm():
    content = pages((RGB, {"photometric": "rgb"}),
                    (THUMBNAIL, {"photometric": "rgb"}))
    with tifffile.TiffFile(io.BytesIO(content)) as written:
        second = written.pages[1].offset
    np.testing.assert_array_equal(read(content[:second + 9]), RGB)


CFA = {"photometric": "cfa"}


def make(name):
    return [(271, "s", 0, name, True)]


@pytest.mark.parametrize("content, name", [
    (pages((THUMBNAIL, {**SMALL, "subifds": 2, "extratags": [
        (50706, "B", 4, bytes([1, 4, 0, 0]), True)]}),
        (wide(GRAY), CFA), (RGB, SMALL)), "DNG"),
    (pages((THUMBNAIL, {**SMALL, "subifds": 1, "extratags": make(
        "NIKON CORPORATION")}), (wide(GRAY), CFA), byteorder=">"), "NEF"),
    (pages((THUMBNAIL, {**SMALL, "extratags": make("SONY")}),
           (wide(GRAY), CFA)), "ARW"),
    (pages((wide(RGB), {"photometric": 34892, "extratags": make("Acme")})),
     "Acme"),
    (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "CR2"),
    (b"IIRO" + bytes(50), "ORF"), (b"IIU\0" + bytes(50), "RW2"),
    (b"\0\0\0\x18ftypcrx " + bytes(50), "CR3"),
    (b"FUJIFILMCCD-RAW " + bytes(50), "RAF"),
])
def test_raw_files_are_refused_by_name(content, name):
    found = refusal(content)
    assert found.reason == "unreadable"
    assert found.detail == (f"a camera's raw file ({name}); develop it first, "
                            f"and save it as TIFF or JPEG")


UNKNOWN_RANGE = "samples of unknown range"


@pytest.mark.parametrize("array, photometric, options, words", [
    (np.float32(GRAY / 255), "minisblack", {}, UNKNOWN_RANGE),
    (np.float16(RGB / 255), "rgb", {}, UNKNOWN_RANGE),
    (np.float32(GRAY), "minisblack",
     {"extratags": sample_range(0., float("inf"))}, UNKNOWN_RANGE),
    (wide(GRAY).astype(np.uint32), "minisblack", {}, "32-bit unsigned"),
    (wide(GRAY).astype(np.int32), "minisblack", {}, "32-bit signed"),
    (GRAY.astype(np.complex64), "minisblack", {}, "COMPLEX"),
    (CMYK, "separated", {"extratags": short_tag(332, 2)}, "other than CMYK"),
    (np.dstack([RGB, GRAY]), "minisblack", {"planarconfig": "contig"},
     "4 samples a pixel"),
    (np.stack([GRAY] * 17, axis=-1), "rgb", {}, "17 samples a pixel"),
    (np.stack([GRAY[:16, :16]] * 16), "minisblack",
     {"volumetric": True, "tile": (16, 16, 16)}, "in depth"),
    (RGB, 32845, {}, "LOGLUV"), (RGB, 32844, {}, "LOGL"),
    (GRAY > 9, "mask", {}, "MASK"),
    (RGB, "rgb", {"compression": "jpegxl"}, "compression JPEGXL"),
    (GRAY, "minisblack", {"compression": "lerc"}, "compression LERC"),
    (np.float32(RGB), "cielab", {}, "CIELAB of 32-bit"),
])
def test_other_kinds_are_refused_by_name(array, photometric, options, words):
    found = refusal(tiff(array, photometric, **options))
    assert found.reason == "unreadable"
    assert words in found.detail and "convert it" in found.detail
    assert "\n" not in found.detail


def replace_tag(content, code, kind, value):
    """Overwrites a tag that has one value."""
    with tifffile.TiffFile(io.BytesIO(content)) as written:
        offset = written.pages[0].tags[code].offset
    changed = bytearray(content)
    struct.pack_into("<HHII", changed, offset, code, kind, 1, value)
    return bytes(changed)


def test_size_is_judged_by_the_tags_alone(monkeypatch):
    content = replace_tag(replace_tag(tiff(GRAY), 256, 4, 60000),
                          257, 4, 60000)
    monkeypatch.setattr(tifffile.TiffPage, "asarray",
                        lambda *_, **__: pytest.fail("decoded"))
    assert refusal(content).reason == "too_large"
    assert refusal(tiff(GRAY), max_pixels=GRAY.size - 1).reason == "too_large"
    assert refusal(tiff(GRAY), min_size=HEIGHT + 1).reason == "too_small"


def test_a_picture_inside_that_is_larger_than_its_place_is_refused():
    content = bytearray(tiff(GRAY, compression="jpeg"))
    frame = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, frame + 5, 9000, 9000)
    found = refusal(bytes(content))
    assert found.detail == ("a damaged TIFF: a piece of 64 x 48 pixels holds "
                            "9000 x 9000")


@pytest.mark.parametrize("content", [
    tiff(GRAY, rowsperstrip=8)[:-100], tiff(GRAY, compression="lzw")[:-500],
    tiff(wide(RGB), "rgb", tile=(32, 32))[:-1000], tiff(GRAY)[:-1],
    pages((THUMBNAIL, SMALL), (RGB, {"photometric": "rgb"}))[:-100]])
def test_a_file_that_breaks_off_is_refused(content):
    found = refusal(content)
    assert found.reason == "unreadable"
    assert "TIFF that is cut off" in found.detail


@pytest.mark.parametrize("content", [
    b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    b"II+\0" + bytes(30), b"II*\0" + b"\xff" * 60,
    replace_tag(tiff(GRAY, compression="zlib"), 259, 3, 5),
    tiff(GRAY, compression="zlib")[:-100] + bytes(100)])
def test_damaged_files_give_one_line(content):
    found = refusal(content)
    assert found.reason in ("unreadable", "too_small")
    assert "\n" not in found.detail


def test_a_strip_of_0_bytes_is_as_long_as_it_must_be():
    np.testing.assert_array_equal(
        read(replace_tag(tiff(GRAY), 279, 4, 0))[..., 0], GRAY)


@pytest.mark.parametrize("photometric, array", [
    ("rgb", RGB), ("rgb", planes(wide(RGB))), ("minisblack", wide(GRAY))])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_profile_and_description_come_with_the_picture(
        photometric, array, bigtiff):
    profile = ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()
    options = {"planarconfig": "separate"} if array.shape[0] == 3 else {}
    image = load_image(io.BytesIO(tiff(
        array, photometric, iccprofile=profile, description="A dog",
        bigtiff=bigtiff, extratags=[
            *short_tag(274, 6), (700, "B", 4, b"<x/>", True),
            (33723, "B", 10, b"\x1c\2\5\0\5title", True)], **options)))
    assert image.info["xmp"] == b"<x/>"
    assert image.info["iptc"] == b"\x1c\2\5\0\5title"
    assert image.info["icc_profile"] == profile
    exif = image.getexif()
    assert exif[ExifTags.Base.ImageDescription] == "A dog"
    assert exif[ExifTags.Base.Orientation] == 6
    assert set(exif) <= tiff_file.DESCRIPTIVE_TAGS


def test_a_subifd_has_the_orientation_of_the_directory_above():
    content = pages(
        (THUMBNAIL, {**SMALL, "subifds": 1, "extratags": short_tag(274, 3)}),
        (RGB, {"photometric": "rgb"}))
    np.testing.assert_array_equal(read(content), RGB[::-1, ::-1])
