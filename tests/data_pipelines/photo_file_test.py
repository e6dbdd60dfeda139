"""Files of every kind, read as upright 8-bit RGB."""

import io
import struct
import subprocess
import sys
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from data_pipelines import extras, photo_file
from data_pipelines.photo_file import Rejected, read_rgb

WIDTH, HEIGHT = 12, 8


def gradient(channels):
    """Returns uint8 [HEIGHT, WIDTH, channels] whose values all differ."""
    values = np.arange(HEIGHT * WIDTH * channels) * 255 // (
        HEIGHT * WIDTH * channels)
    return values.reshape(HEIGHT, WIDTH, channels).astype(np.uint8)


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    buffer.seek(0)
    return buffer


def pixels(file, **options):
    rgb = read_rgb(file, **options)
    assert rgb.mode == "RGB"
    return np.asarray(rgb)


def rejection(file, **options):
    with pytest.raises(Rejected) as caught:
        read_rgb(file, **options)
    return caught.value


@pytest.mark.parametrize("file_format, options", [
    ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "lzw"}),
    ("WEBP", {"lossless": True}), ("PPM", {}), ("JPEG2000", {})])
def test_rgb_comes_through_unchanged(file_format, options):
    rgb = gradient(3)
    np.testing.assert_array_equal(
        pixels(encoded(Image.fromarray(rgb), file_format, **options)), rgb)


@pytest.mark.parametrize("bits", [12, 16])
def test_white_in_a_deep_jpeg_2000_is_white(bits):
    rgb = gradient(3)
    rgb[0] = 255
    deep = ((rgb.astype(int) * 257) >> (16 - bits)).astype(np.uint16)
    np.testing.assert_array_equal(pixels(io.BytesIO(
        imagecodecs.jpeg2k_encode(deep, level=0, codecformat="jp2",
                                  bitspersample=bits))), rgb)


@pytest.mark.parametrize("file_format", ["JPEG", "AVIF"])
def test_lossy_rgb_comes_close(file_format):
    rgb = gradient(3)
    read = pixels(encoded(Image.fromarray(rgb), file_format, quality=100))
    assert read.shape == rgb.shape
    assert np.abs(read.astype(int) - rgb).mean() < 3


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "JPEG"])
def test_gray_is_repeated_three_times(file_format):
    gray = np.full((HEIGHT, WIDTH), 77, np.uint8)
    read = pixels(encoded(Image.fromarray(gray), file_format))
    np.testing.assert_array_equal(read, np.full((HEIGHT, WIDTH, 3), 77))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_dropped_not_blended(file_format):
    rgba = np.dstack([gradient(3), gradient(1)])
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    read = pixels(encoded(Image.fromarray(rgba), file_format, **options))
    np.testing.assert_array_equal(read, rgba[..., :3])


def test_alpha_of_gray_is_dropped():
    gray_alpha = np.dstack([gradient(1), 255 - gradient(1)])
    read = pixels(encoded(Image.fromarray(gray_alpha, "LA")))
    np.testing.assert_array_equal(read, np.repeat(gradient(1), 3, axis=2))


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette_is_applied(file_format):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([1, 0])
    np.testing.assert_array_equal(
        pixels(encoded(image, file_format)), [[[200, 100, 50], [10, 20, 30]]])


def test_transparent_color_of_a_palette_keeps_its_color():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([1, 0])
    np.testing.assert_array_equal(
        pixels(encoded(image, transparency=bytes([0, 128]))),
        [[[200, 100, 50], [10, 20, 30]]])


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_bilevel_is_black_and_white(file_format):
    image = Image.new("1", (2, 1))
    image.putdata([0, 255])
    np.testing.assert_array_equal(
        pixels(encoded(image, file_format)), [[[0] * 3, [255] * 3]])


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_cmyk_is_converted(file_format):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    read = pixels(encoded(cmyk, file_format))
    np.testing.assert_allclose(
        read.reshape(-1, 3).mean(axis=0), [255, 0, 0], atol=3)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_gray_keeps_its_upper_8_bits(file_format):
    gray = np.array([[0x0000, 0x12FF, 0xFF00, 0x8080]], np.uint16)
    read = pixels(encoded(Image.fromarray(gray), file_format))
    np.testing.assert_array_equal(read[0, :, 0], [0x00, 0x12, 0xFF, 0x80])
    np.testing.assert_array_equal(read[..., 0], read[..., 2])


def test_16_bit_rgb_keeps_its_upper_8_bits():
    row = struct.pack(">6H", 0x12FF, 0x8000, 0xFF01, 0x0001, 0x7F7F, 0x00FF)
    np.testing.assert_array_equal(
        pixels(io.BytesIO(png(2, 1, b"\0" + row, depth=16))),
        [[[0x12, 0x80, 0xFF], [0x00, 0x7F, 0x00]]])


@pytest.mark.parametrize("top, samples, expected", [
    (65535, (0x0000, 0x12FF, 0xFF00), [0x00, 0x12, 0xFF]),
    (4095, (0x000, 0x123, 0xFFF), [0x00, 0x12, 0xFF]),
    (255, (0x00, 0x12, 0xFF), [0x00, 0x12, 0xFF])])
def test_gray_pnm_of_any_depth(top, samples, expected):
    values = struct.pack(">3H" if top > 255 else ">3B", *samples)
    read = pixels(io.BytesIO(b"P5 3 1 %d\n" % top + values))
    np.testing.assert_array_equal(read[0, :, 0], expected)


def test_floating_point_pnm_is_rejected_by_name():
    found = rejection(io.BytesIO(b"Pf\n1 1\n-1.0\n" + bytes(4)))
    assert (found.reason, found.detail) == (
        "unreadable", "PPM with 32-bit samples, whose range is unknown")


def test_heic_is_read(tmp_path):
    pytest.importorskip("pillow_heif")
    rgb = np.full((64, 96, 3), (200, 90, 40), np.uint8)
    file = encoded(Image.fromarray(rgb), "HEIF", quality=100)
    np.testing.assert_allclose(pixels(file), rgb, atol=3)


def test_heic_names_what_it_needs(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys\nsys.modules['pillow_heif'] = None\n"
         "from data_pipelines import photo_file\n"
         "photo_file.read_rgb(open(sys.argv[1], 'rb'))", str(path)],
        capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(
        "HEIC needs pillow-heif: " + extras.how_to_install("heic"))


@pytest.mark.parametrize("file_format, options", [
    ("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_first_frame_is_read(file_format, options):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), fill)
              for fill in ("#ff0000", "#00ff00", "#0000ff")]
    file = encoded(frames[0], file_format, save_all=True,
                   append_images=frames[1:], **options)
    written = Image.open(io.BytesIO(file.getvalue()))
    assert getattr(written, "n_frames") == 3
    np.testing.assert_array_equal(
        pixels(file), np.broadcast_to([255, 0, 0], (HEIGHT, WIDTH, 3)))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "WEBP", "PNG"])
@pytest.mark.parametrize("orientation, upright", [
    (1, "AB/CD"), (2, "BA/DC"), (3, "DC/BA"), (4, "CD/AB"),
    (5, "AC/BD"), (6, "CA/DB"), (7, "DB/CA"), (8, "BD/AC")])
def test_orientation_is_applied(file_format, orientation, upright):
    # Four gray patches, two a row, of 16 x 8 pixels each.
    gray = {"A": 0, "B": 80, "C": 160, "D": 240}
    stored = np.kron([[gray["A"], gray["B"]], [gray["C"], gray["D"]]],
                     np.ones((8, 16))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = pixels(encoded(Image.fromarray(stored).convert("RGB"), file_format,
                          exif=exif))
    height, width = (16, 32) if orientation < 5 else (32, 16)
    assert read.shape == (height, width, 3)
    patches = read[height // 4::height // 2, width // 4::width // 2, 0]
    expected = [[gray[patch] for patch in row] for row in upright.split("/")]
    np.testing.assert_allclose(patches, expected, atol=6)


@pytest.mark.parametrize("size, shrunk", [
    ((100, 60), (50, 30)), ((60, 100), (30, 50)), ((101, 60), (50, 30)),
    ((60, 60), (30, 30)), ((100, 30), (100, 30)), ((20, 10), (20, 10))])
def test_shorter_side_is_shrunk_and_nothing_enlarged(size, shrunk):
    assert read_rgb(encoded(Image.new("RGB", size)), shorter_side=30
                    ).size == shrunk


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    read = pixels(encoded(Image.fromarray(stripes)), shorter_side=16)
    assert read.shape == (16, 16, 3)
    np.testing.assert_allclose(read[4:-4, 4:-4], 128, atol=6)


def test_orientation_and_shrinking_go_together():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (120, 60))
    assert read_rgb(encoded(image, "JPEG", exif=exif), shorter_side=20
                    ).size == (20, 40)


def test_small_file_is_rejected_by_its_own_size():
    found = rejection(encoded(Image.new("RGB", (100, 63))), min_size=64)
    assert (found.reason, found.detail) == (
        "too_small", "100 x 63 pixels, the shorter side must be at least 64")
    assert read_rgb(encoded(Image.new("RGB", (100, 64))), min_size=64
                    ).size == (100, 64)


def png(width, height, scanlines, depth=8):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2,
                                         0, 0, 0))
            + chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b""))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("width, height", [
    (40_000, 40_000), (10_001, 10_000), (100_000_001, 1)])
def test_bomb_is_refused_before_it_is_decoded(width, height, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("read"))
    found = rejection(io.BytesIO(png(width, height, bytes(1000))))
    assert found.reason == "too_large"


@pytest.mark.parametrize("data", [b"", b"x", b"path,reason\n" * 50,
                                  b"%!PS-Adobe-3.0 EPSF-3.0\n" * 9])
def test_other_files_are_no_images(data):
    assert rejection(io.BytesIO(data)).reason == "not_an_image"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_truncated_file_is_unreadable(file_format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), file_format).getvalue()
    found = rejection(io.BytesIO(data[:len(data) // 2]))
    assert found.reason in ("unreadable", "not_an_image")
    assert found.detail


def test_jpeg_is_written_with_full_color_resolution():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = (230, 40, 40)
    stripes[:, 1::2] = (40, 40, 230)
    data, worse = (
        photo_file.encode_rgb(Image.fromarray(stripes), encoding="jpeg",
                              jpeg_quality=quality) for quality in (95, 20))
    read = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(read.astype(int) - stripes).max() < 40
    assert len(worse) < len(data)


def test_raw_pixels_go_row_by_row():
    rgb = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    assert photo_file.encode_rgb(Image.fromarray(rgb), encoding="raw",
                                 jpeg_quality=95) == bytes(range(30))


def test_blank_and_colorless_pictures_are_rejected():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 256, 3))
    for array, reason in [
            (np.full((80, 80, 3), 90, np.uint8), "blank"),
            (np.full((80, 80, 3), (200, 60, 60), np.uint8), "blank"),
            (ramp, "colorless")]:
        with pytest.raises(Rejected) as caught:
            photo_file.require_color(Image.fromarray(array), min_chroma=4.0)
        assert caught.value.reason == reason


def test_chroma_is_measured_in_units_of_lab():
    # sRGB (255, 0, 0) has a* 80.1, b* 67.2, chroma 104.6 and black has none:
    # half and half have a mean of 52.3.
    array = np.zeros((64, 64, 3), np.uint8)
    array[:32, :, 0] = 255
    image = Image.fromarray(array)
    photo_file.require_color(image, min_chroma=52.0)
    with pytest.raises(Rejected, match="mean chroma 52.2.* < 52.50"):
        photo_file.require_color(image, min_chroma=52.5)
