"""EXIF's orientation, found in TensorFlow ops and in Python alike."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from data_pipelines import image_header, orientation
from tests.data_pipelines.image_files import (chunk, encode, exif, jpeg,
                                              picture, png)

PREFIX = b"Exif\0\0"
APP1, APP2, COMMENT = 0xE1, 0xE2, 0xFE
PIXELS = picture(0)


# Outside a graph, test_a_picture_is_turned_as_by_pillow calls them.
@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def in_a_graph(image_bytes):
    exif_block = orientation.find_exif(image_bytes)
    return exif_block, orientation.read_orientation(exif_block)


def orientation_of(image_bytes):
    """Returns 1..8, on which both ways agree."""
    start, end = image_header.read_header(image_bytes).exif
    block = image_bytes[start:end]
    found, value = in_a_graph(tf.constant(image_bytes))
    assert found == block
    assert value == image_header.read_orientation(block)
    return int(value)


def with_exif(block):
    return jpeg(PIXELS, (APP1, PREFIX + block))


@pytest.mark.parametrize("kind", [3, 4], ids=["short", "long"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_is_read(value, order, kind):
    assert orientation_of(with_exif(
        exif(value, order=order, kind=kind))) == value


@pytest.mark.parametrize("order", "<>")
def test_it_is_found_among_the_tags_of_a_camera(order):
    tags = Image.Exif()
    tags.endian = order
    tags.update({0x010E: "a description " * 20, 0x010F: "maker",
                 0x0110: "model", 0x0112: 6, 0x011A: 72.0,
                 0x0132: "2020:01:02 03:04:05", 0x8298: "rights"})
    assert orientation_of(encode(PIXELS, "JPEG", exif=tags)) == 6


PLAIN, TURNING = exif(1), exif(6)
FOUND = {
    "comment": jpeg(PIXELS, (COMMENT, b"words"), (APP1, PREFIX + TURNING)),
    "profile_of_130_kb": jpeg(
        PIXELS, *((APP2, b"ICC_PROFILE\0\1\2" + bytes(65000)),) * 2,
        (APP1, PREFIX + TURNING)),
    "xmp_first": jpeg(PIXELS, (APP1, b"http://ns.adobe.com/xap/1.0/\0" + PREFIX
                               + PLAIN), (APP1, PREFIX + TURNING)),
    "picture_in_a_comment": jpeg(
        PIXELS, (COMMENT, with_exif(PLAIN)), (APP1, PREFIX + TURNING)),
    "the_first_of_two": jpeg(
        PIXELS, (APP1, PREFIX + TURNING), (APP1, PREFIX + PLAIN)),
    "directory_further_on": with_exif(
        TURNING[:4] + struct.pack("<I", 29) + bytes(21) + TURNING[8:]),
    "larger_than_it_is": with_exif(
        TURNING[:8] + struct.pack("<H", 0xFFFF) + TURNING[10:]),
    "fill_bytes_and_junk": (lambda content: content[:2] + b"\xff\xff\0\1\2"
                            + content[2:])(with_exif(TURNING)),
    "png": png(PIXELS, chunk(b"tEXt", b"Comment\0eXIf"),
               chunk(b"eXIf", TURNING)),
    "png_without_a_good_checksum": png(
        PIXELS, chunk(b"eXIf", TURNING, checksum=1)),
    "png_of_many_chunks": png(PIXELS, *[chunk(b"tEXt", b"a\0b")] * 50,
                              after=[chunk(b"eXIf", PREFIX + TURNING)]),
    "webp": encode(PIXELS, "WEBP", exif=TURNING, icc_profile=bytes(333)),
}


@pytest.mark.parametrize("image_bytes", FOUND.values(), ids=FOUND)
def test_it_is_found_wherever_it_is(image_bytes):
    assert orientation_of(image_bytes) == 6


ZEROS = bytes(40)
UPRIGHT = {
    "nothing": b"",
    "marker": b"\xff\xd8\xff",
    "no_exif": jpeg(PIXELS),
    "empty_block": with_exif(b""),
    "zeros": with_exif(ZEROS),
    "cut_in_the_entry": with_exif(TURNING[:30]),
    "cut_in_the_number": with_exif(TURNING[:9]),
    "no_entries": with_exif(TURNING[:8] + b"\0\0" + TURNING[10:]),
    "of_0": with_exif(exif(0)),
    "of_9": with_exif(exif(9)),
    "of_65541_as_long": with_exif(exif(65536 + 6, kind=4)),
    "directory_out_of_reach": with_exif(TURNING[:4] + b"\xff" * 4
                                        + TURNING[8:]),
    "no_prefix": jpeg(PIXELS, (APP1, TURNING)),
    "wrong_prefix": jpeg(PIXELS, (APP1, b"exif\0\0" + TURNING)),
    "no_byte_order": with_exif(b"ZZ" + TURNING[2:]),
    "as_bytes": with_exif(TURNING.replace(
        struct.pack("<HH", 0x0112, 3), struct.pack("<HH", 0x0112, 1))),
    "behind_the_scan": jpeg(PIXELS) + with_exif(TURNING),
    "segment_behind_the_end": with_exif(TURNING)[:40],
    "png_text": png(PIXELS, chunk(b"tEXt", b"eXIf" + PREFIX + TURNING)),
    "png_behind_its_end": png(PIXELS) + chunk(b"eXIf", TURNING),
    "png_cut_off": png(PIXELS, chunk(b"eXIf", TURNING))[:60],
    "webp_that_announces_none": (lambda content: (
        content[:20] + b"\0" + content[21:]))(
            encode(PIXELS, "WEBP", exif=TURNING)),
    "short_webp": b"RIFF\0\0\0\0WEBPVP8X",
}


@pytest.mark.parametrize("image_bytes", UPRIGHT.values(), ids=UPRIGHT)
def test_anything_else_is_upright(image_bytes):
    assert orientation_of(image_bytes) == 1


@pytest.mark.parametrize("value", range(1, 9))
def test_a_picture_is_turned_as_by_pillow(value):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    image_bytes = encode(pixels, "PNG", exif=PREFIX + exif(value))
    with Image.open(io.BytesIO(image_bytes)) as image:
        image.load()
        expected = np.asarray(ImageOps.exif_transpose(image))
    block = orientation.find_exif(tf.constant(image_bytes))
    np.testing.assert_array_equal(
        orientation.turn_upright(tf.constant(pixels), block), expected)
