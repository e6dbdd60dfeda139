"""TIFF files: which of their pictures is the photograph, and its pixels.

Thumbnails, the smaller steps of a pyramid and masks are passed over. A
camera's raw file, which is a TIFF too, is refused: it holds no colors yet, and
the finished picture in it is a preview. tiff_samples.py says what is read.

Sources: TIFF 6.0; TIFF Technical Note 1 (SubIFDs); DNG 1.7.1.0.
"""

import contextlib
import io
import logging
import math
from typing import Any, BinaryIO, Iterator, Optional

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image
from tifffile import PHOTOMETRIC

from data_pipelines import tiff_samples
from data_pipelines.tiff_samples import UnsupportedTiffError

# Tags that tell of a photograph, not of how a TIFF stores it (EXIF 2.32,
# 4.6.4; Windows has 0x4746, 0x4749 and 0x9C9B to 0x9C9F).
DESCRIPTIVE_TAGS = frozenset((
    ExifTags.Base.DocumentName, ExifTags.Base.ImageDescription,
    ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Orientation,
    ExifTags.Base.XResolution, ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit, ExifTags.Base.PageName,
    ExifTags.Base.Software, ExifTags.Base.DateTime, ExifTags.Base.Artist,
    ExifTags.Base.HostComputer, ExifTags.Base.Copyright,
    ExifTags.Base.ExifOffset, ExifTags.Base.GPSInfo, 0x4746, 0x4749,
    *range(0x9C9B, 0x9CA0)))
# Blocks that are handed on as they are, by Pillow's names.
_BLOCK_TAGS = {"icc_profile": ExifTags.Base.InterColorProfile,
               "xmp": ExifTags.Base.XMLPacket, "iptc": ExifTags.Base.IPTCNAA,
               "photoshop": ExifTags.Base.ImageResources}
_DIRECTORY_TAGS = (ExifTags.Base.ExifOffset, ExifTags.Base.GPSInfo)

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Where a raw format has its signature, the signature, and its name.
_RAW_SIGNATURES = (
    (8, b"CR\2", "CR2"), (4, b"ftypcrx ", "CR3"), (6, b"HEAPCCDR", "CRW"),
    (0, b"IIRO", "ORF"), (0, b"IIRS", "ORF"), (0, b"MMOR", "ORF"),
    (0, b"IIU\0", "RW2"), (0, b"FUJIFILMCCD-RAW", "RAF"),
    (0, b"FOVb", "X3F"), (0, b"\0MRM", "MRW"))
# The other raw formats are plain TIFFs: the tags tell.
_RAW_PHOTOMETRICS = (PHOTOMETRIC.CFA, PHOTOMETRIC.LINEAR_RAW)
_RAW_FORMATS = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF",
                "SAMSUNG": "SRW", "HASSELBLAD": "3FR", "EPSON": "ERF"}

# Bits of NewSubfileType: a reduced picture, a mask.
_NOT_A_PHOTOGRAPH = 0b101
_MAX_DIRECTORIES = 1000
# libtiff flips pictures by their orientation, but exchanges no rows and
# columns: the orientation that is left.
_LEFT_BY_LIBTIFF = {5: 5, 6: 7, 7: 5, 8: 7}
# By how many pixels a JPEG's last blocks may exceed the strip or tile.
_PICTURE_MARGIN = 64

# tifffile logs whatever it finds odd; what counts is raised as well.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class RawFileError(UnsupportedTiffError):
    """The file is a camera's raw file."""


def is_tiff(head: bytes) -> bool:
    """Tells from its first bytes whether a file is a TIFF."""
    return head.startswith(_TIFF_SIGNATURES)


def find_raw_format(head: bytes) -> Optional[str]:
    """Returns the name of a camera's raw format that has its own signature.

    Args:
      head: the file's first bytes, 16 at least.
    """
    return next((name for place, signature, name in _RAW_SIGNATURES
                 if head[place:].startswith(signature)), None)


def explain_raw(name: str) -> str:
    """Says why a camera's raw file of this format is not read."""
    return (f"a camera's raw file ({name}); develop it first, and save it as "
            f"TIFF or JPEG")


@contextlib.contextmanager
def open_page(file: BinaryIO, index: int = 0) -> Iterator["Page"]:
    """Finds a photograph in a TIFF; only tags are read.

    Args:
      file: the TIFF, at its beginning.
      index: which one, from 0.

    Raises:
      RawFileError: the file is a camera's raw file.
      UnsupportedTiffError: it is damaged, or has no such page.
    """
    with contextlib.ExitStack() as stack:
        with _explaining_damage():
            tiff = stack.enter_context(tifffile.TiffFile(file, name="TIFF"))
            pages = _find_photographs(tiff)
        if index >= len(pages):
            raise UnsupportedTiffError(
                f"a TIFF of {len(pages)} pages, without page {index + 1}")
        yield Page(file, *pages[index], num_pages=len(pages))


@contextlib.contextmanager
def _explaining_damage():
    """Makes one line of whatever reading a damaged file raises."""
    try:
        yield
    except (UnsupportedTiffError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnsupportedTiffError(f"a damaged TIFF ({said})") from error


def _find_photographs(tiff):
    """Lists the photographs, each with the directory it is a SubIFD of."""
    directories = [
        (directory, list(_whole_directories(directory.pages or ())))
        for directory in _whole_directories(tiff.pages)]
    if not directories:
        raise UnsupportedTiffError("a damaged TIFF, without a picture")
    if any(directory.photometric in _RAW_PHOTOMETRICS
           for parent, parts in directories
           for directory in (parent, *parts)):
        raise RawFileError(explain_raw(_raw_format(tiff)))
    # SubIFDs of a photograph are smaller ones, whatever they say.
    photographs = [
        (directory, None if directory is parent else parent)
        for parent, parts in directories
        for directory in ((parent,) if _is_photograph(parent) else parts)
        if _is_photograph(directory)]
    return photographs or [
        (max((parent for parent, _ in directories),
             key=lambda directory: directory.imagewidth), None)]


def _is_photograph(directory):
    return not directory.subfiletype & _NOT_A_PHOTOGRAPH


def _whole_directories(pages):
    """Yields directories up to the first damaged one."""
    offsets = set()
    for number in range(_MAX_DIRECTORIES):
        try:
            directory = pages[number]
        except Exception:  # no more, or damaged, which raises nearly anything
            return
        if directory.offset in offsets:  # a damaged file may go in a circle
            return
        offsets.add(directory.offset)
        yield directory


def _raw_format(tiff):
    tags = tiff.pages[0].tags
    if ExifTags.Base.DNGVersion in tags:
        return "DNG"
    make = str(tags.valueof(ExifTags.Base.Make, "")).strip()
    return _RAW_FORMATS.get(make.upper().partition(" ")[0],
                            make or "unknown maker")


class Page:
    """A photograph in a TIFF.

    Attributes:
      size: width and height as stored, in pixels.
      num_pages: how many photographs the file has, as far as its first 1000
        directories tell.
    """

    def __init__(self, file: BinaryIO, directory: tifffile.TiffPage,
                 parent: Optional[tifffile.TiffPage] = None, *,
                 num_pages: int = 1) -> None:
        self._file, self._directory, self._parent = file, directory, parent
        self.size = directory.imagewidth, directory.imagelength
        self.num_pages = num_pages

    def decode(self) -> Image.Image:
        """Decodes the photograph.

        Returns:
          A picture of mode L, RGB or CMYK, not yet turned. Its `info` has
          `exif` with the orientation, `num_pages`, and what the file has of
          `icc_profile`, `xmp`, `iptc` and `photoshop`: bytes as stored.

        Raises:
          UnsupportedTiffError: it is of a kind that is not read, or damaged.
        """
        with _explaining_damage():
            return self._decode()

    def _decode(self) -> Image.Image:
        tiff_samples.require_support(self._directory)
        orientation = self._tag(ExifTags.Base.Orientation)
        if _needs_libtiff(self._directory):
            image = self._decode_by_libtiff()
            orientation = _LEFT_BY_LIBTIFF.get(orientation, 1)
        else:
            _require_data(self._file, self._directory)
            image = tiff_samples.to_image(self._directory)
        for name, tag in _BLOCK_TAGS.items():
            block = self._tag(tag)
            if isinstance(block, tuple):  # some programs store bytes as LONG
                kind = "u1" if max(block) < 256 else "u4"
                block = np.array(
                    block, self._directory.parent.byteorder + kind).tobytes()
            if isinstance(block, bytes):
                image.info[name] = block
        image.info["exif"] = self._read_exif(orientation)
        image.info["num_pages"] = self.num_pages
        return image

    def _tag(self, code: int) -> Any:
        """Returns a tag's value, perhaps that of the directory above."""
        value = self._directory.tags.valueof(code)
        if value is None and self._parent is not None:
            value = self._parent.tags.valueof(code)
        return value

    def _decode_by_libtiff(self) -> Image.Image:
        if self._parent is not None:
            raise UnsupportedTiffError(
                "a TIFF with YCbCr or fax data in a SubIFD, which is not "
                "read; convert it to RGB")
        number = [page.offset for page in self._directory.parent.pages].index(
            self._directory.offset)
        self._file.seek(0)
        rgba = imagecodecs.tiff_decode(self._file.read(), number, asrgb=True)
        image = Image.fromarray(np.ascontiguousarray(rgba[..., :3]))
        return image if self._directory.samplesperpixel > 1 else (
            image.convert("L"))

    def _read_exif(self, orientation: Optional[int]) -> bytes:
        """Copies the descriptive tags to an EXIF block of their own."""
        directory = self._parent or self._directory
        exif = Image.Exif()
        try:
            exif.bigtiff = directory.parent.is_bigtiff
            exif.endian = directory.parent.byteorder
            exif.load_from_fp(self._file, directory.offset)
            return encode_descriptive(exif, orientation or 1)
        except Exception:  # damaged ones raise nearly anything
            return encode_descriptive(Image.Exif(), orientation or 1)


def encode_descriptive(exif: Image.Exif, orientation: Optional[int]) -> bytes:
    """Copies the tags that tell of a photograph to an EXIF block of their own.

    Args:
      exif: all tags, as Pillow reads them.
      orientation: takes the place of theirs, unless it is None.
    """
    told = {tag: value for tag, value in tags_of(exif).items()
            if tag in DESCRIPTIVE_TAGS}
    if orientation is not None:
        told[ExifTags.Base.Orientation] = orientation
    copy = Image.Exif()
    for tag, value in told.items():
        copy[tag] = value
    return copy.tobytes() if told else b""


def tags_of(exif: Image.Exif) -> dict[int, Any]:
    """Lists tags that can be written again, directories as dicts."""
    tags = {tag: dict(exif.get_ifd(tag)) if tag in _DIRECTORY_TAGS
            else exif[tag] for tag in exif}
    photograph = tags.get(ExifTags.IFD.Exif, {})
    if ExifTags.IFD.Interop in photograph:
        photograph[ExifTags.IFD.Interop] = exif.get_ifd(ExifTags.IFD.Interop)
    return _as_stored(tags)


class _StoredText(str):
    """A text that Pillow read as Latin-1 and writes as it was stored.

    Of other texts it writes ? for every letter that ASCII lacks.
    """

    def encode(self, encoding="", errors=""):
        return super().encode("latin-1", "replace")


def _as_stored(tags):
    return {tag: _StoredText(value) if isinstance(value, str)
            else _as_stored(value) if isinstance(value, dict) else value
            for tag, value in tags.items()}


def _needs_libtiff(directory):
    """Tells whether libtiff decodes it, which knows all old encodings.

    tifffile reads YCbCr in a JPEG only, as TIFF Technical Note 2 has it, and
    fax data in its later versions only.
    """
    return directory.compression in tiff_samples.OLD_COMPRESSIONS or (
        tiff_samples.photometric_of(directory) == PHOTOMETRIC.YCBCR
        and (directory.compression not in tiff_samples.PICTURE_FORMATS
             or directory.planarconfig != 1))


def _require_data(file, directory):
    """Refuses a file that is cut off or unfolds into more than it tells.

    Pieces are strips or tiles.
    """
    pieces = list(zip(directory.dataoffsets, directory.databytecounts))
    expected = math.prod(directory.chunked)
    if directory.is_contiguous:  # some programs leave the byte counts 0
        pieces, expected = [(directory.dataoffsets[0], directory.nbytes)], 1
    num_bytes = file.seek(0, io.SEEK_END)
    found = sum(0 < count <= num_bytes - offset for offset, count in pieces)
    if found < expected:
        raise UnsupportedTiffError(
            f"a TIFF that is cut off: {expected - found} of {expected} pieces "
            f"of the picture are missing")
    file_format = tiff_samples.PICTURE_FORMATS.get(directory.compression)
    if file_format is None:
        return
    width, height = ((directory.tilewidth, directory.tilelength)
                     if directory.is_tiled
                     else (directory.imagewidth, directory.rowsperstrip))
    for offset, count in pieces[:expected]:
        file.seek(offset)
        with Image.open(io.BytesIO(file.read(count)),
                        formats=[file_format]) as picture:
            if (picture.width > width + _PICTURE_MARGIN
                    or picture.height > height + _PICTURE_MARGIN):
                raise UnsupportedTiffError(
                    f"a damaged TIFF: a piece of {width} x {height} pixels "
                    f"holds {picture.width} x {picture.height}")
