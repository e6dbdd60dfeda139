"""Reads videos: pictures, their times, packets of sound.

    pictures   the first stream that is not an attached picture, and of JPEGs
               or PNGs only if there is no other, upright, in 8 bits
    times      the file's own; one that is not later than the one before it is
               moved behind it by less than a tenth of a millisecond
    sound      the first track

PyAV, the extra `video`, does the work.
"""

import heapq
import itertools
import struct
from fractions import Fraction
from typing import Any, Iterator, NamedTuple, Optional

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData

from pix2pix_color.colorizing.photograph import NoPhotographError

# Ticks a second of the times that are written. So many at least, so that a time
# that has to be moved stays where it was; not more, because in MP4 the ticks
# between two pictures must fit into 31 bits, which are six hours.
_TICKS, _MAX_TICKS = 10_000, 100_000
# A file that begins within this many seconds after 0 keeps its times. Others,
# such as recordings of broadcasts, are moved to 0.
_MAX_START = 1.0
# Seconds by which a stream may go back, and forward in a broadcast; more is a
# joint of recordings.
_MAX_STEP_BACK, _MAX_BROADCAST_STEP = 1.0, 10.0
# AVFMT_TS_DISCONT: containers of broadcasts, whose times may jump.
_BROADCAST = 0x0200
# Containers whose header says how long they are.
_WITH_DURATION = {"mov", "matroska", "avi", "flv", "asf"}
# The end may be missed by this many seconds, or by this share.
_MAX_MISSED, _MAX_SHARE_MISSED = 0.5, 0.02

# File Properties Object: play duration, preroll, flags (ASF specification 3.2).
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_TIMES = struct.Struct("<48xQ8xQI")
_MAX_ASF_HEADER = 1 << 16

# Values of ITU-T H.273 for matrix and transfer.
BT709, UNSPECIFIED, BT601 = 1, 2, 6
_MATRICES, _HDR_TRANSFERS = {0, 1, 4, 5, 6, 7, 9}, {16, 18}


class Picture(NamedTuple):
    """A frame of a video.

    Attributes:
      rgb: uint8 [H, W, 3], sRGB, upright; of the same size for all frames.
      pts: when it is shown, in ticks of VideoReader.time_base.
      duration: how long, in ticks.
    """

    rgb: np.ndarray
    pts: int
    duration: int


class VideoReader:
    """A video that is read once, from its beginning to its end.

    Attributes:
      video: the stream of pictures.
      audio: the stream of sound; None if there is none.
      container: the open file.
      matrix: the YUV matrix of the pictures to write (ITU-T H.273).
      shape: height and width of the upright pictures, pixels.
      pixel_ratio: width of an upright pixel, divided by its height.
      time_base: seconds of a tick of Picture.pts.
      total: number of frames as far as the file says; 0 if it does not.

    Args:
      path: the file.
      max_pixels: height times width of the largest picture that is decoded.

    Raises:
      NoPhotographError: the file is no video that can be read.
    """

    def __init__(self, path: str, *, max_pixels: int) -> None:
        try:
            self.container: Any = av.open(path, metadata_errors="replace")
        except av.error.FFmpegError as error:
            raise NoPhotographError(f"not a video that can be read "
                                    f"({error.strerror or error})") from error
        streams = self.container.streams
        videos = [stream for stream in streams.video if not (
            stream.disposition & av.stream.Disposition.attached_pic)]
        # Some programs do not mark a cover as one.
        videos.sort(key=_is_perhaps_a_cover)
        if not videos:
            raise NoPhotographError(
                "holds no video, only a cover picture" if streams.video
                else "holds no video")
        self.video: Any = videos[0]
        size = self.video.codec_context
        if size is None:
            raise NoPhotographError("holds a video of an unknown kind")
        if size.width * size.height > max_pixels:
            raise NoPhotographError(
                f"{size.width} x {size.height} pixels, at most {max_pixels} "
                f"are read")
        self.audio: Any = next(
            (stream for stream in streams.audio
             if stream.codec_context and stream.rate), None)
        base: Any = self.video.time_base
        # A multiple of the source's ticks, so that times stay exact.
        self.time_base = Fraction(1, min(
            base.denominator * -(-_TICKS // base.denominator), _MAX_TICKS))
        self._frame_seconds = 1 / (self.video.average_rate or Fraction(25))
        start = Fraction(self.container.start_time or 0, av.time_base)
        # MP4 hides pictures before 0.
        is_kept = start <= _MAX_START and (self.video.start_time or 0) >= 0
        self.start = Fraction(0) if is_kept else start
        self._seconds = max(
            (self.container.duration or 0) / av.time_base,
            float(self.video.frames * self._frame_seconds),
            _seconds_of_asf(path))
        self.total = self.video.frames or round(
            self._seconds / float(self._frame_seconds))
        self._is_avi = self.container.format.name == "avi"
        self._is_broadcast = self.container.format.flags & _BROADCAST
        self._queue: list[int] = []
        self._joints: dict[int, tuple[Any, Any]] = {}
        self._pts: Optional[int] = None
        self._end = self._read_end = 0.0
        self._damaged, self._error = 0, ""
        self._items = self._read()
        # What comes before the first picture is sound.
        self._held: list[Any] = []
        for item in self._items:
            self._held.append(item)
            if isinstance(item, av.VideoFrame):
                break
        else:
            raise NoPhotographError(f"not a video that can be read "
                                    f"({self._error or 'no pictures'})")
        self._describe(self._held[-1])

    def _describe(self, first):
        """Takes from the first frame what all pictures have in common."""
        self._size = first.width, first.height
        self._matrix = first.colorspace
        if self._matrix == UNSPECIFIED or self._matrix not in _MATRICES:
            # What players assume.
            self._matrix = (BT709 if first.width >= 1280 or first.height > 576
                            else BT601)
        self.matrix = BT709 if self._matrix == BT709 or self._matrix in (
            0, 9) else BT601
        # x and y of the upright picture are a x + c y and b x + d y.
        display = first.side_data.get(SideData.DISPLAYMATRIX)
        a, b, _, c, d = (np.frombuffer(display, np.int32)[:5] if display
                         else (1, 0, 0, 0, 1))
        self._is_turned = abs(int(b)) > abs(int(a))
        across, down = (c, b) if self._is_turned else (a, d)
        self._flips = np.s_[::-1 if down < 0 else 1, ::-1 if across < 0 else 1]
        height, width = first.height, first.width
        self.shape = (width, height) if self._is_turned else (height, width)
        ratio = self.video.sample_aspect_ratio
        self.pixel_ratio = (1 / ratio if ratio and self._is_turned else ratio)
        self._is_hdr = first.color_trc in _HDR_TRANSFERS
        self._bits = max(part.bits for part in first.format.components)
        self._is_interlaced = first.interlaced_frame

    def __iter__(self) -> Iterator[Any]:
        """Yields pictures, and packets of sound, in the file's order."""
        for item in itertools.chain(self._held, self._items):
            yield (self._picture(item) if isinstance(item, av.VideoFrame)
                   else item)
        self._held = []

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.container.close()

    def _read(self):
        """Yields frames and packets of sound until the file's end."""
        try:
            for packet in self.container.demux():
                if packet.size and packet.dts is not None:
                    self._settle(packet)
                if packet.stream is self.audio:
                    yield packet
                elif packet.stream is self.video:
                    frames = self.decoded(packet)
                    self._damaged += sum(frame.is_corrupt for frame in frames)
                    if self._is_avi:
                        self._number(packet, frames)
                    yield from frames
        except av.error.FFmpegError as error:
            self._error = error.strerror or str(error)
            yield from self.decoded(None)

    def _number(self, packet, frames):
        """Gives frames of an AVI file the times of its packets, in order.

        AVI has no times, so that frames out of order have wrong ones.
        """
        if packet.size and packet.dts is not None:
            heapq.heappush(self._queue, packet.dts if packet.pts is None
                           else packet.pts)
        for frame in frames:
            frame.pts = heapq.heappop(self._queue) if self._queue else None

    def decoded(self, packet: Optional[Any]) -> list[Any]:
        """Decodes a packet; counts it if it is damaged.

        Args:
          packet: of pictures or sound; None for the last pictures.
        """
        try:
            frames = (packet.decode() if packet is not None
                      else self.video.codec_context.decode(None))
        except av.error.FFmpegError as error:
            self._damaged += 1
            self._error = self._error or error.strerror or str(error)
            return []
        if frames and packet is not None and packet.size:
            self._error = ""  # it goes on
        return frames

    def _settle(self, packet):
        """Lets the file begin at 0 and closes joints, in a packet's times."""
        base, index = packet.time_base, packet.stream.index
        shift, end = self._joints.get(index, (-self.start, None))
        dts = packet.dts * base + shift
        step = 0 if end is None else dts - end
        if step < -_MAX_STEP_BACK or (
                self._is_broadcast and step > _MAX_BROADCAST_STEP):
            # The streams of a recording are moved alike.
            own = shift + end - dts
            shift = min((other for other, _ in self._joints.values()),
                        key=lambda other: abs(other - own))
            if abs(shift - own) > _MAX_STEP_BACK:
                shift = own
            dts = packet.dts * base + shift
        ticks = round(shift / base)
        packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks
        duration = (packet.duration or 0) * base
        self._joints[index] = shift, dts + duration
        self._read_end = max(self._read_end, float(max(
            dts, (packet.pts or packet.dts) * base) + duration))

    def _picture(self, frame):
        """Converts a frame, which may have another size than the first."""
        rgb = frame.reformat(
            *self._size, format="rgb24",
            src_colorspace=5 if self._matrix == BT601 else self._matrix,
        ).to_ndarray()
        if self._is_turned:
            rgb = rgb.transpose(1, 0, 2)
        pts = frame.pts if frame.pts is not None else frame.dts
        ticks = self.video.time_base / self.time_base
        duration = round(frame.duration * ticks) or round(
            self._frame_seconds / self.time_base)
        if pts is not None:
            pts = round(pts * ticks)
        if self._pts is not None:
            pts = self._pts + duration if pts is None else max(
                pts, self._pts + 1)
        self._pts = pts or 0
        self._end = float((self._pts + duration) * self.time_base)
        return Picture(rgb[self._flips], self._pts, duration)

    def remarks(self) -> list[str]:
        """Returns what a result lacks of the file, to be called at its end."""
        streams = self.container.streams
        has_chapters = bool(self.container.chapters())
        lost = [
            (len(streams.video) - 1, "further picture"),
            (len(streams.audio) - bool(self.audio), "further sound track"),
            (len(streams.subtitles), "subtitle track"),
            # MP4 has chapters as a stream of text.
            (sum(1 for _ in streams.data) - has_chapters, "data stream"),
            (int("timecode" in map(str.lower, self.container.metadata)),
             "timecode"),
            (sum(1 for _ in streams.attachments), "attachment")]
        left_out = ", ".join(f"{number} {name}{'s' * (number > 1)}"
                             for number, name in lost if number > 0)
        found = [f"not carried over: {left_out}"] if left_out else []
        if self._is_hdr or self._bits > 8:
            found.append(f"{'HDR, ' * self._is_hdr}{self._bits} bits reduced "
                         f"to 8 bits")
        if self._is_interlaced:
            found.append("interlaced; its lines are kept as they are")
        if self._damaged:
            found.append(f"is damaged in {self._damaged} place"
                         f"{'s' * (self._damaged > 1)}")
        return found

    def broke_off(self) -> str:
        """Says where the file broke off; empty if it was read to its end."""
        missed = self._seconds - self._read_end
        known = (self.container.format.name.split(",")[0] in _WITH_DURATION)
        if not self._error and not (known and missed > max(
                _MAX_MISSED, _MAX_SHARE_MISSED * self._seconds)):
            return ""
        of = f" of {self._seconds:.1f} s" if missed > 0 else ""
        return f"breaks off after {self._end:.1f} s{of}"


def _is_perhaps_a_cover(stream):
    return bool(stream.codec_context
                and stream.codec_context.name in ("mjpeg", "png"))


def _seconds_of_asf(path):
    """Reads how long a WMV is, which FFmpeg does not if it is cut off."""
    with open(path, "rb") as file:
        found = file.read(_MAX_ASF_HEADER).partition(_ASF_PROPERTIES)[2]
    if len(found) < _ASF_TIMES.size:
        return 0.0
    ticks, milliseconds, flags = _ASF_TIMES.unpack_from(found)
    return 0.0 if flags & 1 else ticks / 1e7 - milliseconds / 1e3
