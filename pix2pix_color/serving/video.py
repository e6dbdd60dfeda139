"""Colors a video, frame by frame, with colors that do not flicker.

The chroma of each frame is averaged with that of the frames before it, as a
function of lightness around each place; a cut begins anew. The sound is
copied as it is. Videos are read and written by PyAV, the extra `video`.
"""

import os
from typing import Optional

import numpy as np

from pix2pix_color.config import ConfigError
from pix2pix_color.serving.client import Field, Model
from pix2pix_color.serving.photo_file import NoPhotographError

# Weight of what was before in each new frame's chroma: half of what a frame
# brings is there after two frames.
_KEPT = 0.7
# Mean difference of two frames' values, 0..255, that is taken for a cut.
_CUT = 30.0
_THUMBNAIL = 32


def colorize(model: Model, path: str, output: str, *, saturation: float,
             chroma_size: int, max_pixels: int) -> None:
    """Colors one video; the result is there whole or not at all.

    Args:
      model: what colors.
      path: the video.
      output: the MP4 file to write.
      saturation: factor of a* and b*.
      chroma_size: side of the square to color in; 0 for the model's.
      max_pixels: height times width of the largest frame that is decoded.

    Raises:
      ConfigError: PyAV is not installed.
      NoPhotographError: it is no video that can be read.
      OSError: it cannot be read, or output not be written.
    """
    try:
        import av
    except ImportError:
        raise ConfigError(f"{path}: videos need PyAV: pip install "
                          f"'pix2pix_color[video]'") from None
    with open(path, "rb"):
        pass  # the operating system's own words where it cannot be read
    partial = f"{output}.{os.getpid()}.tmp"
    smoothed = Smoothing()
    try:
        with av.open(path) as source, av.open(
                partial, "w", format="mp4") as target:
            if not source.streams.video:
                raise NoPhotographError("holds no pictures")
            video = source.streams.video[0]
            size = video.codec_context
            if size.width * size.height > max_pixels:
                raise NoPhotographError(
                    f"{size.width} x {size.height} pixels, at most "
                    f"{max_pixels} are read")
            encoder = target.add_stream(
                "libx264", rate=video.average_rate or 25)
            encoder.width, encoder.height = size.width, size.height
            # Half as many color samples need even sides.
            even = size.width % 2 == size.height % 2 == 0
            encoder.pix_fmt = "yuv420p" if even else "yuv444p"
            encoder.options = {"crf": "18", "preset": "veryfast"}
            encoder.time_base = video.time_base
            streams, sound = [video], None
            if source.streams.audio:
                streams.append(source.streams.audio[0])
                sound = target.add_stream_from_template(
                    source.streams.audio[0])
            for packet in source.demux(streams):
                if packet.stream is not video:
                    if packet.dts is not None:
                        packet.stream = sound
                        target.mux(packet)
                    continue
                for frame in packet.decode():
                    rgb = frame.to_ndarray(format="rgb24")
                    field = smoothed.add(rgb, model.predict_field(
                        rgb, chroma_size=chroma_size))
                    colored = av.VideoFrame.from_ndarray(
                        model.recolor(rgb, field * saturation), format="rgb24")
                    colored.pts, colored.time_base = frame.pts, frame.time_base
                    target.mux(encoder.encode(colored))
            target.mux(encoder.encode(None))
        os.replace(partial, output)
    except av.error.FFmpegError as error:
        raise NoPhotographError(f"no video that can be read "
                                f"({error.strerror or error})") from error
    finally:
        if os.path.exists(partial):
            os.remove(partial)


class Smoothing:
    """Chroma averaged over the frames since the last cut."""

    def __init__(self) -> None:
        self._field: Optional[Field] = None
        self._seen: Optional[np.ndarray] = None

    def add(self, rgb: np.ndarray, field: Field) -> Field:
        """Takes a frame and its own chroma; returns the chroma to show.

        Args:
          rgb: uint8 [H, W, 3].
          field: what the model made of it; of the same size in all frames.
        """
        height, width = rgb.shape[:2]
        thumbnail = rgb[::max(1, height // _THUMBNAIL),
                        ::max(1, width // _THUMBNAIL)].astype(np.float32)
        if (self._field is not None and self._seen is not None
                and self._seen.shape == thumbnail.shape
                and np.abs(thumbnail - self._seen).mean() < _CUT):
            field = self._field * _KEPT + field * (1 - _KEPT)
        self._field, self._seen = field, thumbnail
        return field
