"""Damaged and hostile image files, decoded in a process of their own.

As a program, this file decodes mutations and writes what became of them; as a
test, it starts that program, so that a crash in native code, a hang or a
gigabyte of memory turns the test red and does not end pytest.
"""

import collections
import io
import json
import os
import pathlib
import random
import re
import resource
import struct
import subprocess
import sys
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

REPOSITORY = pathlib.Path(__file__).parents[2]
NUM_MUTATIONS = 2_500
GIB = 2**30
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EXTENSIONS = ("jpg", "png", "webp", "tif", "gif", "bmp", "txt")


def encode(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def png_chunk(kind, payload):
    return (struct.pack(">I", len(payload)) + kind + payload
            + struct.pack(">I", zlib.crc32(kind + payload)))


def png(width, height, rows, *, depth=8, kind=2, interlaced=False,
        palette=b""):
    """A PNG of any color kind (PNG 1.2, 4.1.1), its filtered rows given."""
    header = struct.pack(
        ">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    return (PNG_SIGNATURE + png_chunk(b"IHDR", header)
            + (png_chunk(b"PLTE", palette) if palette else b"")
            + png_chunk(b"IDAT", zlib.compress(rows, 9))
            + png_chunk(b"IEND", b""))


def noise_png(kind, depth, *, interlaced):
    """A PNG of 13 x 11 random pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    # Adam7's passes: first column, first row, step right, step down.
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
              (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    source = random.Random(kind)
    rows = b"".join(
        b"\0" + source.randbytes(-(-len(range(x, 13, dx)) * channels * depth
                                   // 8))
        for x, y, dx, dy in (passes if interlaced else [(0, 0, 1, 1)])
        for _ in range(y, 11, dy) if x < 13)
    return png(13, 11, rows, depth=depth, kind=kind, interlaced=interlaced,
               palette=source.randbytes(3 * 2**depth) if kind == 3 else b"")


def seed_files():
    """Small intact files of every kind: name -> bytes."""
    y, x = np.mgrid[:24, :40]
    rgb = Image.fromarray(np.stack(
        [20 + 8 * y, 20 + 5 * x, 20 + 3 * (x + y)], -1).astype(np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(rgb.convert("L"))
    exif = Image.Exif()
    exif.update({0x010F: "maker", 0x0112: 6, 0x011A: 72.0})
    frames = {"save_all": True, "append_images": [
        Image.new("RGB", rgb.size, "red"), rgb.rotate(180)]}

    files = {
        "jpeg": encode(rgb, "JPEG"),
        "jpeg_444": encode(rgb, "JPEG", quality=95, subsampling=0),
        "jpeg_progressive": encode(rgb, "JPEG", progressive=True),
        "jpeg_restart": encode(rgb, "JPEG", restart_marker_blocks=2),
        "jpeg_gray": encode(rgb.convert("L"), "JPEG"),
        "jpeg_cmyk": encode(rgb.convert("CMYK"), "JPEG"),
        "jpeg_exif": encode(rgb, "JPEG", exif=exif),
        "webp_lossy": encode(rgb, "WEBP"),
        "webp_lossless": encode(rgb, "WEBP", lossless=True),
        "webp_alpha": encode(rgba, "WEBP"),
        "webp_lossless_alpha": encode(rgba, "WEBP", lossless=True),
        "webp_animated": encode(rgba, "WEBP", **frames),
        "tiff": encode(rgb, "TIFF"),
        "tiff_lzw": encode(rgb, "TIFF", compression="tiff_lzw"),
        "gif": encode(rgb, "GIF"),
        "gif_not_interlaced": encode(rgb, "GIF", interlace=0),
        "gif_animated": encode(rgb, "GIF", **frames),
        "gif_on_a_larger_screen": gif(
            screen=(50, 40), offset=(3, 5), size=(9, 7)),
    }
    files.update({f"bmp_{mode}": encode(rgba.convert(mode), "BMP")
                  for mode in ("1", "L", "P", "RGB", "RGBA")})
    files.update({
        f"png_{kind}_{depth}_{interlaced:d}": noise_png(
            kind, depth, interlaced=interlaced)
        for kind, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8),
                             4: (8, 16), 6: (8, 16)}.items()
        for depth in depths for interlaced in (False, True)})
    return files


def gif(*, screen, offset, size, pixels=None):
    """A GIF of one picture of one color.

    Args:
      screen: width and height of the canvas.
      offset: left and top of the picture.
      size: width and height that the picture says it has.
      pixels: how many it really has; as many as it says by default.
    """
    codes = [256] + [0] * (size[0] * size[1] if pixels is None else pixels)
    # A clear code now and then keeps all codes 9 bits wide (GIF89a, F).
    codes = [code for at in range(0, len(codes), 200)
             for code in [256, *codes[at:at + 200]]] + [257]
    data = sum(code << 9 * at for at, code in enumerate(codes)).to_bytes(
        -(-9 * len(codes) // 8), "little")
    blocks = b"".join(bytes([len(data[at:at + 255])]) + data[at:at + 255]
                      for at in range(0, len(data), 255))
    picture = (b"," + struct.pack("<4HB", *offset, *size, 0) + b"\x08"
               + blocks + b"\0")
    return (b"GIF89a" + struct.pack("<HHBBB", *screen, 0xF7, 0, 0)
            + bytes(range(256)) * 3 + picture + b";")


def jpeg_saying(width, height, **options):
    """A JPEG of 16 x 16 pixels whose frame header tells another size."""
    jpeg = bytearray(encode(Image.new("RGB", (16, 16)), "JPEG", **options))
    frame = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    jpeg[frame + 5:frame + 9] = struct.pack(">HH", height, width)
    return bytes(jpeg)


def with_bytes(image_bytes, offset, replacement):
    return (image_bytes[:offset] + replacement
            + image_bytes[offset + len(replacement):])


def repeat_last_scan(jpeg, times):
    start = jpeg.rfind(b"\xff\xda")
    return jpeg[:start] + jpeg[start:-2] * times + b"\xff\xd9"


def bombs():
    """Files of some kilobytes that say they are huge: name -> bytes."""
    side = 40_000
    hidden_png = png(20_000, 20_000, b"")
    bmp = encode(Image.new("RGB", (4, 4)), "BMP")
    lossless = encode(Image.new("RGB", (4, 4)), "WEBP", lossless=True)
    extended = encode(Image.new("RGBA", (4, 4)), "WEBP")
    largest = struct.pack("<I", side - 1)[:3] * 2
    return {
        "png": png(side, side, b""),
        "png_of_bits": png(side, side, b"", depth=1, kind=0),
        # libpng skips a private chunk that stands where IHDR should be.
        "png_behind_a_chunk": (
            PNG_SIGNATURE + png_chunk(b"prVt", struct.pack(">II", 4, 4) * 2)
            + hidden_png[8:]),
        "jpeg": jpeg_saying(side, side),
        "jpeg_progressive": jpeg_saying(side, side, progressive=True),
        "gif": gif(screen=(side, side), offset=(0, 0), size=(side, side),
                   pixels=100),
        "gif_screen": gif(screen=(side, side), offset=(0, 0), size=(4, 4)),
        "gif_picture": gif(screen=(4, 4), offset=(0, 0), size=(side, side),
                           pixels=100),
        "gif_offset": gif(screen=(4, 4), offset=(side, side), size=(4, 4)),
        "bmp": with_bytes(bmp, 18, struct.pack("<ii", side, side)),
        "bmp_top_down": with_bytes(bmp, 18, struct.pack("<ii", side, -side)),
        "bmp_lowest": with_bytes(bmp, 18, struct.pack("<ii", side, -2**31)),
        # 16,383 is the most that VP8 and VP8L have bits for.
        "webp_lossless": with_bytes(
            lossless, 21, struct.pack("<I", 16_382 + (16_382 << 14))),
        "webp_lossy": with_bytes(
            encode(Image.new("RGB", (4, 4)), "WEBP"), 26,
            struct.pack("<HH", 16_383, 16_383)),
        "webp_extended": with_bytes(extended, 24, largest),
        "jpeg_scans": repeat_last_scan(
            jpeg_saying(9_000, 9_000, progressive=True), 1_000),
    }


def fix_png_checksums(image_bytes):
    """Lets libpng past the checksums, as far as the lengths are right."""
    fixed, at = bytearray(image_bytes), 8
    while at + 12 <= len(fixed):
        length, = struct.unpack_from(">I", fixed, at)
        end = at + 8 + length
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[at + 4:end]))
        at = end + 4
    return bytes(fixed)


def mutate(image_bytes, others, dice):
    """One mutation: (its kind, the mutated bytes)."""
    size = len(image_bytes)
    at = dice.randrange(size)
    length = min(dice.choice([1, 2, 4, 16, 64, 256]), size - at)
    numbers = [0, 1, 2, 255, 256, 16_384, 40_000, 2**15, 2**16 - 1, 2**24,
               2**31 - 1, 2**31, 2**32 - 1]

    def flip():
        changed = bytearray(image_bytes)
        for _ in range(dice.choice([1, 1, 2, 8, 32])):
            changed[dice.randrange(size)] ^= 1 << dice.randrange(8)
        return bytes(changed)

    def lie():
        start = dice.randrange(min(size, 100))
        code = dice.choice(["<H", ">H", "<I", ">I"])
        number = dice.choice(numbers) % 256**struct.calcsize(code)
        return with_bytes(image_bytes, start, struct.pack(code, number))

    def lie_about_frame():
        """At the JPEG's frame header, or else where sizes are wont to be."""
        start = max(image_bytes.find(b"\xff\xc0"),
                    image_bytes.find(b"\xff\xc2"))
        start = start + dice.randrange(2, 12) if start > 0 else dice.choice(
            [6, 8, 16, 18, 20, 22, 24, 26, 27, 28])
        return with_bytes(image_bytes, start, struct.pack(
            dice.choice(["<H", ">H"]), dice.choice(numbers) % 2**16))

    kind, change = dice.choice([
        ("truncated", lambda: image_bytes[:at]),
        ("flipped", flip),
        ("flipped", flip),
        ("overwritten", lambda: with_bytes(
            image_bytes, at, dice.randbytes(length))),
        ("zeroed", lambda: with_bytes(image_bytes, at, bytes(length))),
        ("inserted", lambda: image_bytes[:at] + dice.randbytes(length)
         + image_bytes[at:]),
        ("deleted", lambda: image_bytes[:at] + image_bytes[at + length:]),
        ("repeated", lambda: image_bytes[:at + length] + image_bytes[at:]),
        ("concatenated", lambda: image_bytes + dice.choice(others)),
        ("spliced", lambda: image_bytes[:at] + dice.choice(others)[at:]),
        ("header_lies", lie),
        ("size_lies", lie_about_frame),
    ])
    changed = change()
    if changed.startswith(PNG_SIGNATURE) and dice.random() < 0.7:
        changed = fix_png_checksums(changed)
    return kind, changed


def mutations(count, seed):
    """Yields (name, bytes): the intact files, the bombs, then mutations."""
    files = seed_files()
    yield from files.items()
    for name, image_bytes in bombs().items():
        yield f"bomb_{name}", image_bytes
    dice = random.Random(seed)
    for number in range(count):
        name, image_bytes = dice.choice(list(files.items()))
        kind, changed = mutate(image_bytes, list(files.values()), dice)
        if dice.random() < 0.2:
            again, changed = mutate(changed or b"\0" * 8, list(files.values()),
                                    dice)
            kind = f"{kind}+{again}"
        yield f"{number}_{name}_{kind}", changed


def pillow_size(image_bytes):
    """(height, width) of the upright picture; None where Pillow has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(image_bytes)) as image:
                image.load()
                return ImageOps.exif_transpose(image).size[::-1]
    except Exception:  # whatever it is, Pillow has no opinion on this file
        return None


def main(count, seed, report_path):
    """Decodes the mutations and writes a report of what became of them."""
    import tensorflow as tf

    from data_pipelines import decode

    files = seed_files()
    for image_bytes in files.values():  # loads and compiles what there is
        try:
            decode.decode_rgb(tf.constant(image_bytes))
        except tf.errors.InvalidArgumentError:
            pass
    limit = _address_space() + 4 * GIB  # spares the machine, at the worst
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    at_start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    # As large as is allowed, and of the kind that takes the most memory.
    decode.decode_rgb(tf.constant(jpeg_saying(
        10_000, 10_000, progressive=True, subsampling=0)))

    outcomes: dict[str, dict[str, int]] = collections.defaultdict(
        collections.Counter)
    wrong: list[str] = []
    bomb_reasons = {}
    slowest = 0.0
    for number, (name, image_bytes) in enumerate(mutations(count, seed)):
        print(name, flush=True)  # the last one named is the one that crashed
        path = f"{report_path}.{EXTENSIONS[number % len(EXTENSIONS)]}"
        pathlib.Path(path).write_bytes(image_bytes)
        start = time.monotonic()
        try:
            rgb = decode.decode_rgb(tf.io.read_file(path))
        except tf.errors.InvalidArgumentError as error:
            outcome = "refused"
            if name.startswith("bomb_"):
                bomb_reasons[name] = error.message
        except Exception as error:  # nothing else may ever come out of it
            outcome = type(error).__name__
            wrong.append(f"{name}: {error!r:.200}")
        else:
            expected = pillow_size(image_bytes)
            outcome = "decoded as by Pillow" if expected else "decoded"
            height, width, channels = rgb.shape
            if (rgb.dtype, channels) != (tf.uint8, 3) or height * width < 1:
                wrong.append(f"{name}: {rgb.dtype} {rgb.shape}")
            elif expected and (height, width) != expected and not (
                    # Whether a damaged EXIF block still turns is a question
                    # of taste.
                    b"Exif" in image_bytes and name not in files
                    and (width, height) == expected):
                wrong.append(f"{name}: {rgb.shape}, Pillow {expected}")
        slowest = max(slowest, time.monotonic() - start)
        seed_name = name.split("_")[name[0].isdigit()]
        outcomes[seed_name][outcome] += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at_start
    pathlib.Path(report_path).write_text(json.dumps({
        "outcomes": outcomes, "wrong": wrong, "bombs": bomb_reasons,
        "slowest_seconds": slowest, "peak_growth": grown * 1024}, indent=1))


def _address_space():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def decode_in_a_process(count, seed, report_path, *, time_limit):
    """Runs main in a process of its own and returns what it reports."""
    process = subprocess.run(
        [sys.executable, __file__, str(count), str(seed), str(report_path)],
        cwd=REPOSITORY, capture_output=True, text=True, errors="replace",
        timeout=time_limit, env={
            **os.environ, "PYTHONPATH": str(REPOSITORY),
            "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert process.returncode == 0, (
        f"at {process.stdout.splitlines()[-1:]}: {process.stderr[-2000:]}")
    return json.loads(report_path.read_text())


def assert_all_read_right_or_refused(report, count):
    outcomes: collections.Counter[str] = collections.Counter()
    for of_one_kind in report["outcomes"].values():
        outcomes.update(of_one_kind)
    assert report["wrong"] == []
    assert sum(outcomes.values()) == count + len(seed_files()) + len(bombs())
    assert outcomes["refused"] > count / 4
    assert outcomes["decoded as by Pillow"] > count / 8
    assert report["slowest_seconds"] < 20
    assert report["peak_growth"] < GIB


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return decode_in_a_process(
        NUM_MUTATIONS, 0, tmp_path_factory.mktemp("fuzz") / "report.json",
        time_limit=120)


def test_each_mutation_is_read_right_or_refused(report):
    assert_all_read_right_or_refused(report, NUM_MUTATIONS)


@pytest.mark.parametrize("name", sorted(bombs()))
def test_bomb_is_refused_for_what_it_is(report, name):
    assert len(bombs()[name]) < 12_000
    reason = {
        "png_behind_a_chunk": "PNG without a size in its header",
        "jpeg_scans": "JPEG of more than 500 scans",
    }.get(name, r"\d{5} x \d{5,} pixels, more than MAX_PIXELS=100000000")
    assert re.search(reason, report["bombs"][f"bomb_{name}"])


@pytest.mark.slow
def test_each_of_many_mutations_is_read_right_or_refused(tmp_path):
    count = 20_000
    assert_all_read_right_or_refused(decode_in_a_process(
        count, 1, tmp_path / "report.json", time_limit=900), count)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
