"""Colors a video frame by frame, with colors that do not flicker.

Each frame's chroma, as a function of lightness, is averaged with that of the
frames before it, since the last cut. Frames come out upright. Sound is copied;
if few programs play its kind in MP4, it is encoded as AAC. PyAV, the extra
`video`, reads and writes videos.
"""

from typing import Callable, Optional

import numpy as np

from data_pipelines.errors import UserError
from data_pipelines.files import replace_atomically
from pix2pix_color.colorizing.jobs import Options
from pix2pix_color.colorizing.photograph import NoPhotographError
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.saved_model.recolor import ChromaField

Progress = Callable[[int, int], None]

# Weight of a frame's own chroma in the average: half of a change has arrived
# after two frames.
_NEW = 0.3
# Mean difference of two frames' values, 0..255, that counts as a cut.
_CUT = 30.0
_THUMBNAIL = 32


def colorize_video(model: LoadedModel, path: str, output: str,
                   options: Options, *,
                   progress: Optional[Progress] = None) -> list[str]:
    """Colors one video; the result is written whole or not at all.

    Args:
      model: the colorizer.
      path: the video.
      output: the MP4 file to write.
      options: only saturation, chroma_size and max_pixels apply.
      progress: is told after each frame how many are done, and of how many;
        of 0 if that is not known.

    Returns:
      What the result lacks of the file, a sentence each.

    Raises:
      UserError: PyAV is not installed.
      NoPhotographError: the file cannot be read as a video, or breaks off; in
        the second case, what came before was colored and written.
      OSError: the file cannot be read, or output cannot be written.
    """
    try:
        from pix2pix_color.colorizing import video_file
    except ImportError:
        raise UserError(f"{path}: videos need PyAV: pip install "
                        f"'pix2pix_color[video]'") from None
    with open(path, "rb"):
        pass  # if this fails, the message is the operating system's
    smoothed, done = Smoothing(), 0
    with video_file.VideoReader(
            path, max_pixels=options.max_pixels) as reader:
        with (replace_atomically(output) as unfinished,
              open(unfinished, "wb") as file,
              video_file.VideoWriter(file, reader) as writer):
            for item in reader:
                if not isinstance(item, video_file.Picture):
                    writer.write_sound(item)
                    continue
                field = smoothed.add(item.rgb, model.predict_field(
                    item.rgb, chroma_size=options.chroma_size))
                writer.write(item._replace(rgb=model.recolor(
                    item.rgb, field.scaled(options.saturation))))
                done += 1
                if progress:
                    progress(done, reader.total)
        if reader.broke_off():
            raise NoPhotographError("; ".join([
                f"{reader.broke_off()}; these were colored: {output}",
                *reader.remarks()]))
        return reader.remarks()


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
