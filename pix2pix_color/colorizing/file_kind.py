"""Tells by its content whether a file is a photograph or a video.

A camera's raw file and sound in a video's container are told apart from both.
The name counts only where the content says nothing: a text called photo.jpg
counts as a photograph, so that its user learns that it cannot be read.

Sources: the formats' own specifications; https://www.garykessler.net/library
/file_sigs.html lists the signatures. A library that guesses types was not
taken: those at hand do not tell sound from video in one container.
"""

import enum
import os
import re
from typing import BinaryIO, NamedTuple, Optional

from data_pipelines import tiff_file

_PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".pjpeg", ".mpo", ".png",
    ".apng", ".webp", ".avif", ".bmp", ".dib", ".gif", ".jp2", ".j2k", ".jpx",
    ".jxl", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".heic", ".heif",
    ".hif")
# Not .ts and .mts, which programs in TypeScript have as well.
_VIDEO_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".mpg",
    ".mpeg", ".vob", ".m2ts", ".wmv", ".asf", ".flv", ".ogv", ".mxf", ".rmvb")


class Kind(enum.Enum):
    PHOTOGRAPH = enum.auto()
    VIDEO = enum.auto()
    RAW = enum.auto()  # of a camera
    SOUND = enum.auto()  # in a container that can hold videos as well
    OTHER = enum.auto()

    @property
    def is_video(self) -> bool:
        """True for sound, too: opening it as a video says what is missing."""
        return self in (Kind.VIDEO, Kind.SOUND)


class Content(NamedTuple):
    """The content of a file.

    Attributes:
      kind: its kind.
      num_pages: how many photographs a TIFF has; 1 for all other files.
    """

    kind: Kind
    num_pages: int = 1


_HEAD_BYTES = 4096
# Where tracks are listed, in files that do not begin with it.
_MAX_LIST_BYTES = 1 << 20

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"  # of PPM, with comments
_PHOTOGRAPH = re.compile(rb"|".join((
    rb"\xff\xd8\xff",  # JPEG
    rb"\x89PNG\r\n\x1a\n",
    rb"GIF8[79]a",
    rb"RIFF.{4}WEBP",
    rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51\0",  # JPEG 2000
    rb"P[1-6]" + _SPACE + rb"\d+" + _SPACE + rb"\d+\s",  # PPM, PGM, PBM
    rb".{4}ftyp(?:avi[fs]|hei[cxms]|hev[cxms]|mif1|msf1)",  # AVIF, HEIC
)), re.DOTALL)
_VIDEO = re.compile(rb"|".join((
    rb"\0\0\x01\xb3",  # MPEG-1 and 2
    rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02",  # MXF
    rb"\x1f\x07\0[\x3f\xbf]",  # DV
    rb"\xb7\xd8\0\x20\x37\x49\xda\x11\xa6\x4e\0\x07\xe9\x5e\xad\x8d",  # WTV
    rb"YUV4MPEG2 ",
)), re.DOTALL)

# The number of a stream of pictures (ISO/IEC 13818-1, table 2-22; SMPTE RP 227
# for VC-1).
_MPEG_VIDEO = re.compile(
    rb"\0\0\x01(?:[\xe0-\xef]|\xfd.{5,20}\x81[\x55-\x5f])", re.DOTALL)
_AVI_VIDEO = re.compile(rb"strh.{4}(?:vids|iavs)", re.DOTALL)
_MP4_SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"aax ")
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_MP4_VIDEO_TRACK = re.compile(rb"hdlr.{8}vide|cmov", re.DOTALL)
_MAX_MOOV_BYTES = 64 << 20
_TS_PACKET_BYTES = (188, 192, 204)
_MIN_TS_PACKETS = 5
_ASF = bytes.fromhex("3026b2758e66cf11")
_ASF_VIDEO_STREAM = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_OGG_VIDEO = re.compile(rb"\x80theora|\x01video\0|BBCD\0|OVP80")
_EBML, _EBML_TRACKS, _EBML_CLUSTER = (
    b"\x1a\x45\xdf\xa3", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75")


def examine(path: str) -> Content:
    """Tells what a file holds; reads its first bytes or list of tracks.

    Raises:
      OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return examine_file(file, path)


def examine_file(file: BinaryIO, path: str) -> Content:
    """Tells what an open file holds, as examine does.

    Args:
      file: the file at its beginning, which can be moved in.
      path: its name.

    Raises:
      OSError: it cannot be read.
    """
    head = file.read(_HEAD_BYTES)
    if tiff_file.find_raw_format(head):
        return Content(Kind.RAW)
    if tiff_file.is_tiff(head):
        return _examine_tiff(file)
    if _PHOTOGRAPH.match(head):
        return Content(Kind.PHOTOGRAPH)
    return Content(_video_or_sound(file, head) or kind_of_name(path))


def kind_of_name(path: str) -> Kind:
    """Tells by its ending what a file that cannot be read is meant to be."""
    ending = os.path.splitext(path)[1].lower()
    return (Kind.PHOTOGRAPH if ending in _PHOTO_ENDINGS
            else Kind.VIDEO if ending in _VIDEO_ENDINGS else Kind.OTHER)


def _examine_tiff(file: BinaryIO) -> Content:
    file.seek(0)
    try:
        with tiff_file.open_page(file) as page:
            return Content(Kind.PHOTOGRAPH, page.num_pages)
    except tiff_file.RawFileError:
        return Content(Kind.RAW)
    except tiff_file.UnsupportedTiffError:  # who reads it will say why
        return Content(Kind.PHOTOGRAPH)


def _video_or_sound(file: BinaryIO, head: bytes) -> Optional[Kind]:
    """Returns None for what is neither."""
    def video_if(condition):
        return Kind.VIDEO if condition else Kind.SOUND

    if _VIDEO.match(head):
        return Kind.VIDEO
    if head.startswith(b"\0\0\1\xba"):
        return video_if(_MPEG_VIDEO.search(_read_again(file)))
    payloads = _transport_payloads(file, head)
    if payloads is not None:
        return video_if(any(map(_MPEG_VIDEO.match, payloads)))
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return video_if(_AVI_VIDEO.search(_read_again(file)))
    if head[4:8] == b"ftyp":
        # One that breaks off before its list of tracks counts as a video.
        return video_if(head[8:12] not in _MP4_SOUND_BRANDS
                        and _has_mp4_video(file) is not False)
    if head[4:8] in _QUICKTIME_BOXES:
        found = _has_mp4_video(file)
        return None if found is None else video_if(found)
    if head.startswith(_EBML) and re.search(rb"matroska|webm", head[:256]):
        return video_if(_has_matroska_video(_read_again(file)))
    if head.startswith(_ASF):
        num_bytes = int.from_bytes(head[16:24], "little")
        return video_if(_ASF_VIDEO_STREAM in _read_again(file)[:num_bytes])
    if head.startswith(b"FLV\1"):
        return video_if(head[4:5] != b"\4")
    if head.startswith(b"OggS"):
        return video_if(_OGG_VIDEO.search(head))
    if head.startswith(b".RMF"):
        return video_if(b"video/" in head)
    return None


def _read_again(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_MAX_LIST_BYTES)


def _transport_payloads(file: BinaryIO, head: bytes) -> Optional[list[bytes]]:
    """Lists what begins in MPEG-TS packets; None for another kind of file.

    The file may begin in the middle of a packet (ISO/IEC 13818-1, 2.4.3.2).
    """
    for size in _TS_PACKET_BYTES:
        for start in range(size):
            if (set(head[start::size]) == {ord("G")}
                    and len(head[start::size]) >= _MIN_TS_PACKETS):
                content = _read_again(file)
                packets = (content[place:place + 188] for place in
                           range(start, len(content) - 188, size))
                return [packet[5 + packet[4] if packet[3] & 0x20 else 4:]
                        for packet in packets if packet[1] & 0x40]
    return None


def _has_mp4_video(file: BinaryIO) -> Optional[bool]:
    """Looks for a video track (ISO/IEC 14496-12); None without any list."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start < end:
        file.seek(start)
        header = file.read(16)
        num_bytes = int.from_bytes(header[:4], "big")
        if num_bytes == 1:
            num_bytes = int.from_bytes(header[8:], "big")
        if num_bytes == 0:
            num_bytes = end - start
        if num_bytes < 8 or start + num_bytes > end:
            return None
        if header[4:8] == b"moov":
            file.seek(start)
            moov = file.read(min(num_bytes, _MAX_MOOV_BYTES))
            return bool(_MP4_VIDEO_TRACK.search(moov))
        start += num_bytes
    return None


def _has_matroska_video(content: bytes) -> bool:
    """Looks for TrackType 1 (RFC 9559, 5.1.4.1.3)."""
    tracks = content.partition(_EBML_CLUSTER)[0].partition(_EBML_TRACKS)[2]
    return b"\x83\x81\1" in tracks or b"\x83\x81\2" not in tracks
