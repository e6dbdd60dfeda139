"""Reads and writes a photograph's metadata, in any format.

    EXIF           kept, except what a TIFF says about the storage of its
                   pixels; the orientation becomes upright
    XMP            kept; its orientation becomes upright as well
    IPTC           captions and keywords (IIM): kept in JPEG, TIFF, and in PNG
                   as ImageMagick and ExifTool store them; WebP has no place
                   for them
    resolution     kept; WebP has it in EXIF only

Whatever a format cannot hold is dropped, for example EXIF of more than 64 KiB
in JPEG, and what continues an XMP packet there in further segments.

Sources: JFIF 1.02; PNG 3rd edition; XMP Specification Part 3 (2020); IPTC-IIM
4.2; Adobe Photoshop File Formats (image resource blocks).
"""

import binascii
import dataclasses
import math
import re
from typing import Any, Callable, Optional

from PIL import ExifTags, Image, PngImagePlugin

from data_pipelines import tiff_file

_BASE = ExifTags.Base
_INCHES = {2: 1.0, 3: 2.54}  # by ResolutionUnit
_IPTC_RESOURCE = 0x0404
_PNG_IPTC = "Raw profile type iptc"
_XMP_ORIENTATION = re.compile(
    rb"(:Orientation\s*=\s*[\"']|:Orientation[^<>]{0,99}>)\s*\d+")
# Says that more of the packet follows elsewhere.
_XMP_CONTINUED = re.compile(
    rb"\s\w+:HasExtendedXMP\s*=\s*[\"'][^\"'<>]{0,99}[\"']"
    rb"|<\w+:HasExtendedXMP>[^<]{0,99}</\w+:HasExtendedXMP>")


@dataclasses.dataclass(frozen=True)
class Metadata:
    """A photograph's metadata; each entry may be empty.

    Attributes:
      exif: the EXIF block.
      xmp: the XMP packet, UTF-8.
      iptc: IPTC-IIM records.
      dpi: pixels an inch, across and down.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    dpi: Optional[tuple[float, float]] = None


def read_metadata(image: Image.Image) -> Metadata:
    """Reads what photo_file.load_image left in an image; changes its EXIF."""
    return Metadata(
        dpi=_tolerantly(_read_dpi, image), xmp=_tolerantly(_read_xmp, image)
        or b"", iptc=_tolerantly(_read_iptc, image) or b"",
        exif=_tolerantly(_read_exif, image) or b"")


def _tolerantly(read, image):
    try:
        return read(image)
    except Exception:  # damaged metadata raise nearly anything
        return None


def _read_exif(image):
    exif = image.getexif()
    return tiff_file.encode_descriptive(
        exif, 1 if exif.get(_BASE.Orientation) else None)


def _read_dpi(image):
    exif = image.getexif()
    found = image.info.get("dpi")
    # Pillow takes 72 for a JPEG that says nothing.
    if image.format in ("JPEG", "MPO") and image.info.get(
            "jfif_unit") not in (1, 2):
        found = None
    inch = _INCHES.get(exif.get(_BASE.ResolutionUnit, 2))
    if not found and inch:
        found = tuple(inch * float(exif[tag]) for tag in (
            _BASE.XResolution, _BASE.YResolution))
    if found and all(math.isfinite(value) and value > 0 for value in found):
        return float(found[0]), float(found[1])
    return None


def _read_xmp(image):
    packet = image.info.get("xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode()
    packet = packet.rstrip(b"\0")
    packet.decode()  # other encodings are not used in practice
    return _XMP_CONTINUED.sub(b"", _XMP_ORIENTATION.sub(rb"\g<1>1", packet))


def _read_iptc(image):
    records = image.info.get("iptc")
    blocks = image.info.get("photoshop")
    if not records and _PNG_IPTC in image.info:
        *_, digits = image.info[_PNG_IPTC].split("\n", 3)
        records = binascii.unhexlify("".join(digits.split()))
        if records.startswith(b"8BIM"):
            records, blocks = None, records
    if not records and isinstance(blocks, dict):  # Pillow's of a JPEG
        records = blocks.get(_IPTC_RESOURCE)
    elif not records and blocks:
        records = _find_resource(blocks, _IPTC_RESOURCE)
    return records if records and records.startswith(b"\x1c") else b""


def _find_resource(blocks: bytes, wanted: int) -> bytes:
    """Returns the content of one of Photoshop's image resource blocks."""
    start = 0
    while blocks[start:start + 4] == b"8BIM":
        number = int.from_bytes(blocks[start + 4:start + 6], "big")
        name_bytes = 1 + blocks[start + 6]
        start += 6 + name_bytes + name_bytes % 2
        num_bytes = int.from_bytes(blocks[start:start + 4], "big")
        start += 4
        if number == wanted:
            return blocks[start:start + num_bytes]
        start += num_bytes + num_bytes % 2
    return b""


def writable(metadata: Metadata,
             write: Callable[[Metadata], None]) -> Metadata:
    """Leaves out what is too long or too odd for a format.

    Args:
      metadata: what is to be written.
      write: writes metadata in that format, with a picture of one pixel, and
        raises any exception if it cannot.
    """
    kept = Metadata()
    for field in dataclasses.fields(Metadata):
        more = dataclasses.replace(
            kept, **{field.name: getattr(metadata, field.name)})
        try:
            write(more)
        except Exception:  # the picture matters more
            continue
        kept = more
    return kept


def saving_options(metadata: Metadata, file_format: str) -> dict[str, Any]:
    """Returns the options of Pillow's save that write metadata.

    Args:
      metadata: what to write.
      file_format: PNG, JPEG or WEBP.
    """
    return _OPTIONS[file_format](metadata)


def _png_options(metadata):
    texts = PngImagePlugin.PngInfo()
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode())
    if metadata.iptc:
        digits = re.sub("(.{72})", "\\1\n", metadata.iptc.hex())
        texts.add_text(_PNG_IPTC, f"\niptc\n{len(metadata.iptc):8}\n{digits}\n",
                       zip=True)
    return {"exif": metadata.exif, "dpi": metadata.dpi, "pnginfo": texts}


def _jpeg_options(metadata):
    segments = b""
    if metadata.iptc:
        content = (b"Photoshop 3.0\0" b"8BIM"
                   + _IPTC_RESOURCE.to_bytes(2, "big") + b"\0\0"
                   + len(metadata.iptc).to_bytes(4, "big")
                   + metadata.iptc + bytes(len(metadata.iptc) % 2))
        segments = b"\xff\xed" + (2 + len(content)).to_bytes(2, "big") + content
    return {"exif": metadata.exif, "xmp": metadata.xmp, "extra": segments,
            **({"dpi": metadata.dpi} if metadata.dpi else {})}


def _webp_options(metadata):
    tags = _tags_of(metadata.exif)
    if metadata.dpi and _BASE.XResolution not in tags:
        tags |= _resolution_tags(metadata.dpi)
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    return {"exif": exif.tobytes() if tags else b"", "xmp": metadata.xmp}


_OPTIONS = {"PNG": _png_options, "JPEG": _jpeg_options, "WEBP": _webp_options}


def tiff_tags(metadata: Metadata) -> dict[int, Any]:
    """Returns the tags of a TIFF that hold metadata; directories are dicts."""
    tags = _tags_of(metadata.exif)
    if metadata.dpi:
        tags |= _resolution_tags(metadata.dpi)
    if metadata.xmp:
        tags[_BASE.XMLPacket] = metadata.xmp
    if metadata.iptc:
        tags[_BASE.IPTCNAA] = metadata.iptc
    return tags


def _resolution_tags(dpi):
    return {_BASE.XResolution: dpi[0], _BASE.YResolution: dpi[1],
            _BASE.ResolutionUnit: 2}


def _tags_of(block: bytes) -> dict[int, Any]:
    """Returns the tags of an EXIF block."""
    exif = Image.Exif()
    if block:
        exif.load(block)
    return tiff_file.tags_of(exif)
