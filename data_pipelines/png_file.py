"""PNG by libpng, as TensorFlow reads it, with the metadata that Pillow finds.

Pillow refuses files with a wrong checksum or much text in a chunk that has
nothing to do with the picture, and reads on where the picture is damaged.
"""

import io
import struct
import zlib

import numpy as np
import tensorflow as tf
from PIL import Image

from data_pipelines import image_header
from data_pipelines.image_header import DamagedImageError

# Resolution and texts; the rest is read here.
_RESOLUTION, _TEXTS = (b"pHYs",), (b"tEXt", b"zTXt", b"iTXt")
_KINDS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_size(image_bytes: bytes) -> tuple[int, int]:
    """Reads width and height, pixels.

    Raises:
      DamagedImageError: the file does not begin with its size.
    """
    if image_bytes[12:16] != b"IHDR" or len(image_bytes) < 24:
        raise DamagedImageError("a damaged PNG, without a header")
    width, height = struct.unpack_from(">II", image_bytes, 16)
    return width, height


def decode(image_bytes: bytes) -> Image.Image:
    """Decodes a PNG, the first picture of an animated one.

    Returns:
      A picture of mode L, LA, RGB or RGBA, palettes applied and 16 bits cut to
      8, not yet turned. Its `info` has what the file has of `exif`,
      `icc_profile`, `dpi`, `num_pages` of an animation and, as Pillow names
      them, texts.

    Raises:
      DamagedImageError: it is damaged or cut off.
    """
    try:
        pixels = tf.io.decode_png(image_bytes).numpy()
    except tf.errors.InvalidArgumentError:
        raise DamagedImageError(_explain_damage(image_bytes)) from None
    # An array of one channel is H x W to Pillow.
    image = Image.fromarray(
        np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels,
        _KINDS[pixels.shape[2]])
    image.format = "PNG"
    image.info = _read_info(image_bytes)
    return image


def _explain_damage(image_bytes):
    names = set()
    for name, start, end in image_header.png_chunks(image_bytes):
        names.add(name)
        checksum = zlib.crc32(image_bytes[start - 4:end])
        if name[:1].isupper() and checksum.to_bytes(
                4, "big") != image_bytes[end:end + 4]:
            return (f"a damaged PNG: the checksum of its chunk "
                    f"{name.decode('latin-1')} is wrong")
    return ("a damaged PNG" if b"IEND" in names
            else "a PNG that is cut off")


def _read_info(image_bytes):
    info = {}
    for names in (_RESOLUTION + _TEXTS, _RESOLUTION):
        try:
            with Image.open(io.BytesIO(_without_picture(image_bytes, names)),
                            formats=["PNG"]) as told:
                info = told.info
            break
        except Exception:  # odd ones raise nearly anything: go without texts
            continue
    header = image_header.read_header(image_bytes)
    for name, start, _ in image_header.png_chunks(image_bytes):
        if name == b"acTL":
            info["num_pages"], = struct.unpack_from(">I", image_bytes, start)
    start, end = header.exif
    if end:
        info["exif"] = b"Exif\0\0" + image_bytes[start:end]
    if header.icc_profile:
        info["icc_profile"] = header.icc_profile
    return info


def _without_picture(image_bytes, names):
    """Makes a PNG of the same size with these chunks and no pixels."""
    size = image_bytes[16:24]
    return b"".join([
        image_header.PNG, _chunk(b"IHDR", size + b"\x08\x02\0\0\0"),
        *(_chunk(name, image_bytes[start:end])
          for name, start, end in image_header.png_chunks(image_bytes)
          if name in names),
        _chunk(b"IDAT", b""), _chunk(b"IEND", b"")])


def _chunk(name, content):
    return (len(content).to_bytes(4, "big") + name + content
            + zlib.crc32(name + content).to_bytes(4, "big"))
