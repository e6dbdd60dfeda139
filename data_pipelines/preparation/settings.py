"""Settings of `prepare`."""

import dataclasses
import os

from data_pipelines.errors import UserError
from data_pipelines.files import require_writable

ENCODINGS = ("jpeg", "raw")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Size and encoding of prepared photographs, and which are dropped.

    Attributes:
      shorter_side: length to which the shorter side is shrunk, pixels; 0 keeps
        the size.
      min_size: least length of a file's shorter side, pixels.
      min_chroma: least mean chroma, in units of a* and b*.
      near_duplicate_distance: largest number of bits, of 64, in which the
        hashes of near duplicates differ; -1 keeps near duplicates.
      encoding: `jpeg` or `raw` (undecoded pixels); one of ENCODINGS.
      jpeg_quality: 1..100.
    """

    shorter_side: int
    min_size: int
    min_chroma: float
    near_duplicate_distance: int
    encoding: str
    jpeg_quality: int


def require_new_folder(output_dir: str) -> str:
    """Checks that --output_dir can be made; returns its absolute path.

    Raises:
      UserError: it exists, or cannot be written.
    """
    output_dir = os.path.abspath(output_dir)
    if os.path.lexists(output_dir):
        raise UserError(f"--output_dir={output_dir} exists already; remove it "
                        f"or choose another name")
    require_writable(output_dir, flag="--output_dir", is_folder=True)
    return output_dir
