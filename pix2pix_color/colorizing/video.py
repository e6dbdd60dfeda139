"""Colors a video frame by frame, with colors that do not flicker.

Each frame's chroma, as a function of lightness, is averaged with that of the
frames before it, since the last cut. Frames come out upright. Sound is copied;
if few programs play its kind in MP4, it is encoded as AAC. PyAV, the extra
`video`, reads and writes videos.
"""

import os
from typing import Any, Optional

import numpy as np

from data_pipelines.errors import UserError
from pix2pix_color.colorizing.jobs import Options
from pix2pix_color.colorizing.photograph import NoPhotographError
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.saved_model.recolor import ChromaField

# Weight of a frame's own chroma in the average: half of a change has arrived
# after two frames.
_NEW = 0.3
# Mean difference of two frames' values, 0..255, that counts as a cut.
_CUT = 30.0
_THUMBNAIL = 32


def colorize_video(model: LoadedModel, path: str, output: str,
                   options: Options) -> None:
    """Colors one video; the result is written whole or not at all.

    Args:
      model: the colorizer.
      path: the video.
      output: the MP4 file to write.
      options: only saturation, chroma_size and max_pixels apply.

    Raises:
      UserError: PyAV is not installed.
      NoPhotographError: the file cannot be read as a video.
      OSError: it cannot be read, or output cannot be written.
    """
    try:
        import av
    except ImportError:
        raise UserError(f"{path}: videos need PyAV: pip install "
                        f"'pix2pix_color[video]'") from None
    with open(path, "rb"):
        pass  # if this fails, the message is the operating system's
    partial = f"{output}.{os.getpid()}.tmp"
    smoothed = Smoothing()
    try:
        with av.open(path) as source, av.open(
                partial, "w", format="mp4") as target:
            if not source.streams.video:
                raise NoPhotographError("holds no pictures")
            video = source.streams.video[0]
            size = video.codec_context
            if size.width * size.height > options.max_pixels:
                raise NoPhotographError(
                    f"{size.width} x {size.height} pixels, at most "
                    f"{options.max_pixels} are read")
            # All streams must be added before anything is written.
            encoder = _encoder(target, video, _turns(path))
            streams, add_sound = [video], None
            if source.streams.audio:
                streams.append(source.streams.audio[0])
                add_sound = _sound(source.streams.audio[0], target)
            for packet in source.demux(streams):
                if packet.stream is not video and add_sound:
                    target.mux(add_sound(packet))
                    continue
                for frame in packet.decode():
                    rgb = np.rot90(frame.to_ndarray(format="rgb24"),
                                   _quarter_turns(frame))
                    field = smoothed.add(rgb, model.predict_field(
                        rgb, chroma_size=options.chroma_size))
                    colored = av.VideoFrame.from_ndarray(
                        model.recolor(rgb, field.scaled(options.saturation)),
                        format="rgb24")
                    colored.pts, colored.time_base = frame.pts, frame.time_base
                    target.mux(encoder.encode(colored))
            target.mux(encoder.encode(None))
            if add_sound:
                target.mux(add_sound(None))
        os.replace(partial, output)
    except av.error.FFmpegError as error:
        raise NoPhotographError(f"not a video that can be read "
                                f"({error.strerror or error})") from error
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def _quarter_turns(frame: Any) -> int:
    """Returns the counterclockwise quarter turns that make it upright."""
    return round(frame.rotation / 90) % 4


def _turns(path: str) -> int:
    """Returns the quarter turns of a video's first frame."""
    import av
    with av.open(path) as source:
        for frame in source.decode(video=0):
            return _quarter_turns(frame)
    raise NoPhotographError("holds no pictures")


def _encoder(target: Any, video: Any, turns: int) -> Any:
    """Adds a stream for a video's frames after they were turned."""
    encoder = target.add_stream("libx264", rate=video.average_rate or 25)
    width, height = video.codec_context.width, video.codec_context.height
    encoder.width, encoder.height = (height, width) if turns % 2 else (
        width, height)
    # yuv420p needs even sides.
    even = width % 2 == height % 2 == 0
    encoder.pix_fmt = "yuv420p" if even else "yuv444p"
    encoder.options = {"crf": "18", "preset": "veryfast"}
    encoder.time_base = video.time_base
    ratio = video.sample_aspect_ratio
    if ratio:  # pixels need not be square
        encoder.codec_context.sample_aspect_ratio = (
            1 / ratio if turns % 2 else ratio)
    return encoder


def _sound(audio: Any, target: Any) -> Any:
    """Adds a stream for sound.

    Returns:
      A function from a packet (None at the end) to the packets to write.
    """
    kind = audio.codec_context.codec.canonical_name
    # Few programs play uncompressed sound in MP4.
    if kind in target.supported_codecs and not kind.startswith("pcm"):
        copied = target.add_stream_from_template(audio)

        def copy(packet):
            if packet is None or packet.dts is None:
                return []
            packet.stream = copied
            return [packet]
        return copy
    encoder = target.add_stream("aac", rate=audio.rate)
    encoder.layout = "mono" if audio.channels == 1 else "stereo"

    def encode(packet):
        frames = [None] if packet is None else packet.decode()
        return [made for frame in frames for made in encoder.encode(frame)]
    return encode


class Smoothing:
    """Chroma averaged over the frames since the last cut."""

    def __init__(self) -> None:
        self._field: Optional[ChromaField] = None
        self._seen: Optional[np.ndarray] = None

    def add(self, rgb: np.ndarray, field: ChromaField) -> ChromaField:
        """Takes a frame and its own chroma; returns the chroma to show.

        Args:
          rgb: uint8 [H, W, 3].
          field: the frame's prediction, of the same size for all frames.
        """
        height, width = rgb.shape[:2]
        thumbnail = rgb[::max(1, height // _THUMBNAIL),
                        ::max(1, width // _THUMBNAIL)].astype(np.float32)
        if (self._field is not None and self._seen is not None
                and self._seen.shape == thumbnail.shape
                and np.abs(thumbnail - self._seen).mean() < _CUT):
            field = self._field.blended(field, _NEW)
        self._field, self._seen = field, thumbnail
        return field
