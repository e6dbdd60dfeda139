"""Resolution, captions and EXIF on their way from one format to another."""

import dataclasses
import io
import re
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageOps, IptcImagePlugin

from pix2pix_color.colorizing.photograph import (read_photograph, write_pages,
                                                 write_photograph)
from tests.pix2pix_color.vivid_model import smooth_photo

XMP = ('<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
       '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
       '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
       'tiff:Orientation="6" tiff:Make="Größe"><tiff:Orientation>6'
       '</tiff:Orientation></rdf:Description></rdf:RDF></x:xmpmeta>'
       '<?xpacket end="w"?>').encode()
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"').replace(b">6<", b">1<")
CAPTION = "Großmutter, 1931".encode()
IPTC = b"".join(b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text))
                + text for number, text in ((120, CAPTION), (25, b"Berlin")))
APP13 = (b"Photoshop 3.0\0" b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC))
         + IPTC)
FORMATS = ["png", "jpeg", "webp", "tiff"]


def jpeg(**saving):
    """A JPEG with everything, turned by its EXIF."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "x" * len(CAPTION)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1931"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    block = exif.tobytes().replace(b"x" * len(CAPTION), CAPTION)
    buffer = io.BytesIO()
    segment = b"\xff\xed" + struct.pack(">H", 2 + len(APP13)) + APP13
    smooth_photo().save(buffer, "JPEG", exif=block, xmp=XMP, extra=segment,
                        **saving)
    return buffer.getvalue()


def converted(content, file_format):
    return write_photograph(read_photograph(content, max_pixels=10**5),
                            file_format=file_format)


def chunks_of(png):
    """The chunks of a PNG, by their names."""
    chunks, start = {}, 8
    while start < len(png):
        size, name = struct.unpack_from(">I4s", png, start)
        chunks[name] = png[start + 8:start + 8 + size]
        start += 12 + size
    return chunks


@pytest.mark.parametrize("file_format", FORMATS)
def test_everything_a_format_can_hold_arrives(file_format):
    """Read by Pillow and tifffile, which wrote none of it."""
    result = converted(jpeg(dpi=(300, 150)), file_format)
    image = Image.open(io.BytesIO(result))
    assert image.info["xmp"] == UPRIGHT_XMP
    exif = image.getexif()
    told = exif[ExifTags.Base.ImageDescription]
    assert told.encode("latin-1") == CAPTION
    assert exif[ExifTags.Base.Orientation] == 1
    assert exif.get_ifd(ExifTags.IFD.Exif)[
        ExifTags.Base.DateTimeOriginal] == "1931"
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[
        ExifTags.GPS.GPSLatitudeRef] == "N"
    if file_format == "webp":
        assert (exif[ExifTags.Base.XResolution],
                exif[ExifTags.Base.YResolution]) == (300, 150)
    else:
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)
    if file_format in ("jpeg", "tiff"):
        assert IptcImagePlugin.getiptcinfo(image) == {
            (2, 120): CAPTION, (2, 25): b"Berlin"}
    if file_format == "tiff":
        with tifffile.TiffFile(io.BytesIO(result)) as tiff:
            assert tiff.pages[0].tags[33723].value == IPTC
            assert tiff.pages[0].tags[700].value == UPRIGHT_XMP
    # Who turns by XMP, turns no further.
    assert image.size == ImageOps.exif_transpose(image).size == (60, 90)


def test_a_png_says_it_in_the_chunks_that_other_programs_read():
    chunks = chunks_of(converted(jpeg(dpi=(300, 300)), "png"))
    assert chunks[b"pHYs"] == struct.pack(">IIB", 11811, 11811, 1)
    assert chunks[b"iTXt"] == b"XML:com.adobe.xmp\0\0\0\0\0" + UPRIGHT_XMP
    keyword, compressed = chunks[b"zTXt"].split(b"\0\0", 1)
    assert keyword == b"Raw profile type iptc"
    text = zlib.decompress(compressed).decode()
    found = re.fullmatch(r"\n(\w+)\n +(\d+)\n([0-9a-f\n]+)\n", text)
    assert found and found[1] == "iptc" and int(found[2]) == len(IPTC)
    assert bytes.fromhex(found[3]) == IPTC


@pytest.mark.parametrize("middle", ["png", "tiff", "jpeg"])
def test_nothing_is_lost_on_a_way_through_two_formats(middle):
    first = read_photograph(jpeg(dpi=(300, 300)), max_pixels=10**5).metadata
    way = converted(converted(jpeg(dpi=(300, 300)), middle), "jpeg")
    last = read_photograph(way, max_pixels=10**5).metadata
    assert (last.xmp, last.iptc) == (first.xmp, first.iptc) != (b"", b"")
    assert last.dpi == (300, 300)


def resolution(image, file_format, **saving):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **saving)
    return read_photograph(buffer.getvalue(), max_pixels=10**5).metadata.dpi


def test_the_resolution_is_read_where_each_format_has_it():
    photo = smooth_photo()
    for file_format in ("JPEG", "PNG", "BMP", "TIFF"):
        assert resolution(photo, file_format, dpi=(600, 300)) == pytest.approx(
            (600, 300), abs=0.02)
    centimeters = Image.Exif()
    for tag, value in ((282, 100.0), (283, 200.0), (296, 3)):
        centimeters[tag] = value
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert resolution(photo, file_format,
                          exif=centimeters) == pytest.approx((254, 508))


def test_no_resolution_is_made_up():
    """Pillow takes 72 for a JPEG with EXIF, and 0 for some BMPs."""
    photo, exif = smooth_photo(), Image.Exif()
    exif[ExifTags.Base.Artist] = "Grandfather"
    none = Image.Exif()
    for tag, value in ((282, 300.0), (283, 300.0), (296, 1)):  # no unit
        none[tag] = value
    for saving in ({"exif": exif}, {"exif": none}, {"dpi": (0, 0)}):
        for file_format in ("JPEG", "PNG", "BMP"):
            if file_format != "BMP" or "dpi" in saving:
                assert resolution(photo, file_format, **saving) is None
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", exif=exif)
    result = Image.open(io.BytesIO(converted(buffer.getvalue(), "png")))
    assert "dpi" not in result.info


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("saving", [
    {"xmp": b"\xff\xfe<\0x\0"}, {"xmp": b"x" * 65000}, {"dpi": (65535, 1)},
    {"extra": b"\xff\xed\0\x20Photoshop 3.0\0" b"8BIM\x04\x04\0\0\xff\xff\xff\0"
              b"\x1c\2\1\0"}], ids=["no_utf8", "long", "odd", "damaged"])
def test_odd_metadata_leaves_the_rest_alone(file_format, saving):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Grandfather"
    buffer = io.BytesIO()
    smooth_photo().save(buffer, "JPEG", exif=exif, **saving)
    image = Image.open(io.BytesIO(converted(buffer.getvalue(), file_format)))
    assert image.size == (90, 60)
    assert image.getexif()[ExifTags.Base.Artist] == "Grandfather"


def test_what_jpeg_cannot_hold_is_dropped_alone():
    photograph = read_photograph(jpeg(dpi=(300, 300)), max_pixels=10**5)
    long = dataclasses.replace(photograph, metadata=dataclasses.replace(
        photograph.metadata, xmp=b"x" * 70000))
    image = Image.open(io.BytesIO(write_photograph(long, file_format="jpeg")))
    assert "xmp" not in image.info and image.info["dpi"] == (300, 300)
    assert IptcImagePlugin.getiptcinfo(image) == {
        (2, 120): CAPTION, (2, 25): b"Berlin"}
    # A packet that would go on in segments which are gone does not say so.
    told = b'<a xmpNote:HasExtendedXMP="0123" b="c"/>'
    buffer = io.BytesIO()
    smooth_photo().save(buffer, "JPEG", xmp=told)
    assert read_photograph(buffer.getvalue(), max_pixels=10**5
                           ).metadata.xmp == b'<a b="c"/>'


def test_pages_of_a_tiff_keep_their_own_tags_and_pixels():
    """Directories too, which Pillow loses; odd sizes; read by both."""
    photographs = []
    for page, size in enumerate([(60, 91), (1, 1), (701, 333)]):
        buffer = io.BytesIO()
        exif = Image.Exif()
        exif[ExifTags.Base.PageName] = f"page {page}"
        exif.get_ifd(ExifTags.IFD.Exif)[
            ExifTags.Base.DateTimeOriginal] = f"193{page}"
        smooth_photo(*size, seed=page).save(
            buffer, "PNG", exif=exif, dpi=(100 + page,) * 2)
        photographs.append(read_photograph(buffer.getvalue(),
                                           max_pixels=10**6))
    file = io.BytesIO()
    write_pages(photographs, file)
    image = Image.open(file)
    assert getattr(image, "n_frames") == 3
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        for page, photograph in enumerate(photographs):
            image.seek(page)
            np.testing.assert_array_equal(image, photograph.rgb)
            np.testing.assert_array_equal(tiff.pages[page].asarray(),
                                          photograph.rgb)
            exif = image.getexif()
            assert exif[ExifTags.Base.PageName] == f"page {page}"
            assert exif.get_ifd(ExifTags.IFD.Exif)[
                ExifTags.Base.DateTimeOriginal] == f"193{page}"
            assert image.info["dpi"] == pytest.approx((100 + page,) * 2,
                                                      abs=0.02)
