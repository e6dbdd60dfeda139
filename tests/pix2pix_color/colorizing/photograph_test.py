"""Reading and writing photographs with their metadata."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from data_pipelines import color_profile
from pix2pix_color.colorizing.photograph import (NoPhotographError, Photograph,
                                                 read_photograph,
                                                 write_photograph)
from tests.data_pipelines.image_files import ADOBE_RGB, SRGB, in_space, profile
from tests.pix2pix_color.vivid_model import smooth_photo


def read_back(image, file_format, **saving):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **saving)
    return read_photograph(buffer.getvalue(), max_pixels=10**6)


def gray_profile(gamma):
    """An ICC profile of one channel (ICC.1:2022, 7.2 and 8.3.4)."""
    def tag(signature, data):
        return signature + bytes(4) + data

    curve = tag(b"curv", (1).to_bytes(4, "big")
                + round(gamma * 256).to_bytes(2, "big") + bytes(2))
    white = tag(b"XYZ ", b"".join(
        round(value * 65536).to_bytes(4, "big")
        for value in (0.9642, 1.0, 0.8249)))
    tags = {b"kTRC": curve, b"wtpt": white}
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + offset.to_bytes(4, "big") + len(content).to_bytes(
            4, "big")
        data += content
        offset += len(content)
    header = (offset.to_bytes(4, "big") + bytes(4) + b"\2\x10\0\0" + b"mntr"
              + b"GRAY" + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
              + white[8:]).ljust(128, b"\0")
    return header + len(tags).to_bytes(4, "big") + table + data


def test_a_gray_profile_is_applied_and_srgb_told():
    """A gray value of gamma 1.0 is lighter than the same value in sRGB."""
    gray = smooth_photo().convert("L")
    read = read_back(gray, "PNG", icc_profile=gray_profile(gamma=1.0))
    assert read.icc_profile == color_profile.srgb_profile()
    linear = np.asarray(gray) / 255.0
    curve = np.where(linear <= 0.0031308, 12.92 * linear,
                     1.055 * linear**(1 / 2.4) - 0.055)
    assert np.abs(read.rgb - 255 * curve[..., np.newaxis]).mean() < 2


def test_no_other_profile_than_that_of_the_values_is_applied():
    """A gray one on a picture of three channels, or one that is none."""
    gray = smooth_photo().convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    expected = read_back(gray, "PNG", icc_profile=gray_profile(1.0)).rgb
    assert np.abs(expected.astype(int) - read_back(gray, "PNG").rgb).max() > 40
    for kind in (deep, gray.convert("LA")):
        read = read_back(kind, "PNG", icc_profile=gray_profile(1.0))
        np.testing.assert_array_equal(read.rgb, expected)
    for image, odd in ((gray.quantize(8), gray_profile(1.0)),
                       (smooth_photo(), b"garbage" * 30),
                       (gray, b"garbage" * 30)):
        read = read_back(image, "PNG", icc_profile=odd)
        assert read.icc_profile is None
        np.testing.assert_array_equal(
            read.rgb, np.asarray(image.convert("RGB")))


def test_the_profile_of_a_turned_cmyk_photograph_is_applied(monkeypatch):
    """There are no free CMYK profiles at hand: it is applied by a stand-in."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    of_inks = bytes(16) + b"CMYK" + bytes(16) + b"acsp" + bytes(100)
    srgb_profile = color_profile.srgb_profile()
    monkeypatch.setattr(ImageCms, "ImageCmsProfile", lambda _: None)
    monkeypatch.setattr(ImageCms, "buildTransform", lambda *_: "stand-in")
    monkeypatch.setattr(
        ImageCms, "applyTransform", lambda image, transform: (
            image.convert("RGB").point(lambda value: 255 - value)))
    cmyk = smooth_photo().convert("CMYK")
    read = read_back(cmyk, "JPEG", icc_profile=of_inks, exif=exif)
    plain = read_back(cmyk, "JPEG", exif=exif)
    assert read.icc_profile == srgb_profile and read.rgb.shape == (90, 60, 3)
    np.testing.assert_array_equal(read.rgb, 255 - plain.rgb)


def test_the_result_of_a_wide_space_says_srgb():
    """Whoever opens it sees the colors that the network chose."""
    photo = np.asarray(smooth_photo())
    read = read_back(Image.fromarray(in_space(photo, ADOBE_RGB)), "PNG",
                     icc_profile=profile(ADOBE_RGB))
    with Image.open(io.BytesIO(write_photograph(
            read, file_format="jpeg"))) as result:
        told = ImageCms.ImageCmsProfile(io.BytesIO(result.info["icc_profile"]))
    assert ImageCms.getProfileDescription(told).strip() == "sRGB built-in"


def test_a_profile_of_srgb_is_kept():
    for given in (profile(SRGB), ImageCms.ImageCmsProfile(
            ImageCms.createProfile("sRGB")).tobytes()):
        read = read_back(smooth_photo(), "PNG", icc_profile=given)
        assert read.icc_profile == given
        np.testing.assert_array_equal(read.rgb, np.asarray(smooth_photo()))


@pytest.mark.parametrize("mode, saving", [
    ("L", {}), ("P", {}), ("1", {"compression": "group4"}), ("CMYK", {}),
    ("RGBA", {}), ("I;16", {}), ("RGB", {"compression": "jpeg"})])
@pytest.mark.parametrize("file_format", ["tiff", "png", "jpeg"])
def test_how_a_tiff_stores_its_pixels_is_not_carried_over(
        mode, saving, file_format):
    """Or a gray scan becomes a file that says it has one channel."""
    photo = smooth_photo()
    image = (Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16)
                             * 257) if mode == "I;16" else photo.convert(mode))
    given = image.getexif()
    given[ExifTags.Base.Orientation] = 6
    given[ExifTags.Base.Artist] = "Grandfather"
    read = read_back(image, "TIFF", exif=given, **saving)
    assert read.rgb.shape == (90, 60, 3)
    with Image.open(io.BytesIO(write_photograph(
            read, file_format=file_format))) as result:
        told = result.getexif()
        assert told[ExifTags.Base.Artist] == "Grandfather"
        assert told.get(ExifTags.Base.Orientation, 1) == 1
        if file_format != "tiff":
            assert set(told) <= {ExifTags.Base.Artist,
                                 ExifTags.Base.Orientation}
        pixels = np.asarray(result.convert("RGB")).astype(int)
    assert pixels.shape == read.rgb.shape
    assert np.abs(pixels - read.rgb).mean() < (
        4 if file_format == "jpeg" else 1e-9)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("entry", [
    (0x8769, 4, 1, b"\xff\xff\0\0"), (0x8825, 4, 1, b"\x08\0\0\0"),
    (0x011A, 5, 1, b"\xff\0\0\0"), (0x8769, 2, 4, b"abc\0"), None],
    ids=["nowhere", "itself", "no_fraction", "text", "too_long"])
def test_odd_metadata_stops_no_photograph(file_format, entry):
    if entry is None:
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = "x" * 70_000
        block = exif.tobytes()
    else:
        block = (b"Exif\0\0II*\0" + struct.pack("<IHHHI", 8, 1, *entry[:3])
                 + entry[3] + bytes(20))
    read = read_back(smooth_photo(), "PNG", exif=block)
    with Image.open(io.BytesIO(write_photograph(
            read, file_format=file_format))) as result:
        assert np.asarray(result).shape == (60, 90, 3)


def test_a_format_that_is_too_small_says_so():
    wide = Photograph(np.zeros((1, 20000, 3), np.uint8))
    with pytest.raises(NoPhotographError, match="--format=webp"):
        write_photograph(wide, file_format="webp")


def test_bytes_are_read_from_memory_too():
    buffer = io.BytesIO()
    smooth_photo().save(buffer, "PNG")
    read = read_photograph(buffer.getvalue(), max_pixels=10**6)
    np.testing.assert_array_equal(read.rgb, np.asarray(smooth_photo()))
    assert read.metadata.exif == b"" and read.icc_profile is None
