"""Writes TIFFs of one page or more, with EXIF and GPS directories in each.

Pillow writes these directories in uncompressed TIFFs only, and tifffile writes
none. Source: TIFF 6.0.
"""

import os
import struct
from typing import Any, BinaryIO, Iterable, Mapping

import imagecodecs
import numpy as np
from PIL import ExifTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_BASE = ExifTags.Base
_LONG = 4
_STRIP_BYTES = 1 << 18
_LZW, _RGB, _HORIZONTAL_DIFFERENCES = 5, 2, 2


class TiffSizeError(ValueError):
    """The pages need more than the 4 GiB that a TIFF can have."""


def write_tiff(file: BinaryIO,
               pages: Iterable[tuple[np.ndarray, Mapping[int, Any]]]) -> None:
    """Writes a TIFF, LZW-compressed.

    Args:
      file: an empty file, open for reading and writing.
      pages: uint8 [H, W, 3] and its further tags, directories as dicts; one
        after the other is taken.

    Raises:
      TiffSizeError: the pages need too much.
    """
    link = None
    for rgb, tags in pages:
        start = file.seek(0, os.SEEK_END)
        try:
            _write_page(file, rgb, tags)
            start = start or 8  # the first page begins behind the header
            if link is not None:
                file.seek(link)
                file.write(struct.pack("<I", start))
        except struct.error as error:
            raise TiffSizeError(
                "the pages need more than 4 GiB") from error
        file.seek(start)
        num_tags, = struct.unpack("<H", file.read(2))
        link = start + 2 + 12 * num_tags


def _write_page(file, rgb, tags):
    height, width, channels = rgb.shape
    rows = max(1, _STRIP_BYTES // max(1, width * channels))
    differences = np.diff(rgb, axis=1, prepend=np.uint8(0))
    strips = [imagecodecs.lzw_encode(differences[row:row + rows].tobytes())
              for row in range(0, height, rows)]
    directory = ImageFileDirectory_v2(prefix=b"II")
    for tag, value in tags.items():
        directory[tag] = value
    directory.tagtype[_BASE.StripOffsets] = _LONG
    directory.tagtype[_BASE.StripByteCounts] = _LONG
    # Even offsets, from the end of the directory.
    padded = [strip + bytes(len(strip) % 2) for strip in strips]
    for tag, value in {
            _BASE.ImageWidth: width, _BASE.ImageLength: height,
            _BASE.BitsPerSample: (8,) * channels, _BASE.Compression: _LZW,
            _BASE.PhotometricInterpretation: _RGB,
            _BASE.SamplesPerPixel: channels, _BASE.RowsPerStrip: rows,
            _BASE.PlanarConfiguration: 1,
            _BASE.Predictor: _HORIZONTAL_DIFFERENCES,
            _BASE.StripOffsets: tuple(
                int(offset) for offset in np.cumsum(
                    [0, *map(len, padded[:-1])])),
            _BASE.StripByteCounts: tuple(map(len, strips))}.items():
        directory[tag] = value
    directory.save(file)
    file.writelines(padded)
