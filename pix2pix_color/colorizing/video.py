"""Colors a video frame by frame, with colors that do not flicker.

`video_reader` and `video_writer` know files, `smoothing` keeps the colors of a
scene.
"""

from typing import Callable, Optional

import numpy as np

from data_pipelines import extras
from data_pipelines.errors import UserError
from data_pipelines.files import replace_atomically
from pix2pix_color.colorizing.jobs import Options
from pix2pix_color.colorizing.photograph import NoPhotographError
from pix2pix_color.colorizing.smoothing import steady
from pix2pix_color.saved_model.load import LoadedModel

Progress = Callable[[int, int], None]
FindHints = Callable[[np.ndarray], Optional[np.ndarray]]


def colorize_video(model: LoadedModel, path: str, output: str,
                   options: Options, *,
                   find_hints: FindHints = lambda frame: None,
                   progress: Optional[Progress] = None) -> list[str]:
    """Colors one video; the result is written whole or not at all.

    Args:
      model: the colorizer.
      path: the video.
      output: the MP4 file to write.
      options: only saturation, chroma_size and max_pixels apply.
      find_hints: returns a frame's hints; None for none.
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
        from pix2pix_color.colorizing.video_reader import Picture, VideoReader
        from pix2pix_color.colorizing.video_writer import VideoWriter
    except ImportError:
        raise UserError(f"{path}: videos need PyAV: "
                        + extras.how_to_install("video")) from None
    with open(path, "rb"):
        pass  # if this fails, the message is the operating system's
    with VideoReader(path, max_pixels=options.max_pixels) as reader:
        with (replace_atomically(output) as unfinished,
              open(unfinished, "wb") as file,
              VideoWriter(file, reader) as writer):

            def predicted():
                for item in reader:
                    if isinstance(item, Picture):
                        yield item, item.rgb, model.predict_field(
                            item.rgb, chroma_size=options.chroma_size,
                            hints=find_hints(item.rgb))
                    else:
                        writer.write_sound(item)

            for done, (picture, field) in enumerate(steady(predicted()), 1):
                writer.write(picture._replace(rgb=model.recolor(
                    picture.rgb, field.scaled(options.saturation))))
                if progress:
                    progress(done, reader.total)
        if reader.broke_off():
            raise NoPhotographError("; ".join([
                f"{reader.broke_off()}; these were colored: {output}",
                *reader.remarks()]))
        return reader.remarks()
