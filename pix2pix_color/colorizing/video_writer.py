"""Writes colored videos as MP4: pictures, their times, sound, descriptions.

    pictures   H.264, with the source's matrix (BT.601 or BT.709), in limited
               range
    times      exactly those that are given
    sound      copied, or encoded as AAC if few programs play its kind in MP4
    others     title, date and the like, chapters
"""

import errno
from typing import Any, BinaryIO, Optional

import av
import numpy as np

from pix2pix_color.colorizing.video_reader import (BT709, UNSPECIFIED, Picture,
                                                   VideoReader)

# ITU-T H.273: black is 16, white is 235.
_LIMITED = 1


class VideoWriter:
    """An MP4 file that is being written.

    Use it in a `with` block, whose end completes the file.

    Args:
      file: a binary file that can be written and searched.
      reader: the video that it is made of.

    Raises:
      OSError: the file cannot be written.
    """

    def __init__(self, file: BinaryIO, reader: VideoReader) -> None:
        # The movie's own ticks place the first sound and picture. Of many
        # timecodes FFmpeg makes no track, and then no file.
        self._container: Any = av.open(file, "w", format="mp4", options={
            "movie_timescale": "90000", "write_tmcd": "0"})
        self._container.metadata.update(reader.container.metadata)
        chapters: list[Any] = reader.container.chapters()
        for chapter in chapters:
            shift = round(reader.start / chapter["time_base"])
            chapter["start"] -= shift
            chapter["end"] -= shift
        self._container.set_chapters(chapters)
        self._matrix = reader.matrix
        self._video = self._add_video(reader)
        self._reader = reader
        self._sound_dts: Optional[int] = None
        self._sound: Any = None
        self._graph: Any = None
        if reader.audio:
            self._add_sound(reader.audio)

    def _add_video(self, reader):
        stream = self._container.add_stream(
            "libx264", rate=reader.video.average_rate or 25)
        coder = stream.codec_context
        coder.height, coder.width = reader.shape
        # yuv420p needs even sides.
        coder.pix_fmt = "yuv444p" if coder.height % 2 or coder.width % 2 else (
            "yuv420p")
        coder.options = {"crf": "18", "preset": "veryfast"}
        coder.time_base = reader.time_base
        if reader.pixel_ratio:  # pixels need not be square
            coder.sample_aspect_ratio = reader.pixel_ratio
        source = reader.video.codec_context
        coder.colorspace, coder.color_range = reader.matrix, _LIMITED
        coder.color_primaries = source.color_primaries or UNSPECIFIED
        coder.color_trc = source.color_trc or UNSPECIFIED
        return stream

    def _add_sound(self, audio):
        kind = audio.codec_context.codec.canonical_name
        # Few programs play uncompressed sound in MP4.
        self._is_copied = (kind in self._container.supported_codecs
                           and not kind.startswith("pcm"))
        if self._is_copied:
            self._sound = self._container.add_stream_from_template(audio)
        else:
            self._sound = self._container.add_stream("aac", rate=audio.rate)
            self._sound.layout = "mono" if audio.channels == 1 else "stereo"
        if audio.language:
            self._sound.metadata["language"] = audio.language

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                self._mux(self._video, None)
                if self._reader.audio and not self._is_copied:
                    self._encode_sound(None)
                    self._mux(self._sound, None)
        finally:
            try:
                self._container.close()
            except av.error.FFmpegError as error:
                raise _writing_error(error) from error

    def write(self, picture: Picture) -> None:
        """Appends a picture."""
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture.rgb), format="rgb24").reformat(
                format=self._video.codec_context.pix_fmt,
                dst_colorspace=1 if self._matrix == BT709 else 5,
                dst_color_range=_LIMITED)
        frame.pts, frame.duration = picture.pts, picture.duration
        frame.time_base = self._reader.time_base
        self._mux(self._video, frame)

    def write_sound(self, packet: Any) -> None:
        """Appends a packet of the source's sound."""
        if not packet.size:
            return
        if not self._is_copied:
            for frame in self._reader.decoded(packet):
                self._encode_sound(frame)
            return
        self._container.start_encoding()  # now the time base is known
        base = packet.time_base / self._sound.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        dts = 0 if dts is None else round(dts * base)
        if self._sound_dts is not None:
            dts = max(dts, self._sound_dts + 1)
        pts = dts if packet.pts is None else max(dts, round(packet.pts * base))
        packet.pts, packet.dts, self._sound_dts = pts, dts, dts
        packet.duration = round((packet.duration or 0) * base)
        packet.time_base = self._sound.time_base
        packet.stream = self._sound
        self._mux_packets([packet])

    def _encode_sound(self, frame):
        """Encodes a frame; None ends the sound. Gaps become silence."""
        if self._graph is None:
            if frame is None:
                return
            self._graph = av.filter.Graph()
            self._graph.link_nodes(
                self._graph.add_abuffer(
                    sample_rate=frame.sample_rate, format=frame.format.name,
                    layout=frame.layout.name, time_base=frame.time_base),
                self._graph.add("aresample", "async=1"),
                self._graph.add("abuffersink")).configure()
        self._graph.push(frame)
        while True:
            try:
                filled = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            self._mux(self._sound, filled)

    def _mux(self, stream, frame):
        try:
            packets = stream.encode(frame)
        except av.error.FFmpegError as error:
            raise _writing_error(error) from error
        self._mux_packets(packets)

    def _mux_packets(self, packets):
        try:
            self._container.mux(packets)
        except av.error.FFmpegError as error:
            raise _writing_error(error) from error


def _writing_error(error):
    """Tells an error of writing from one of reading."""
    return OSError(error.errno or errno.EIO,
                   f"cannot be written ({error.strerror or error})")
