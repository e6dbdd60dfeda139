"""What `prepare` is told to make of a collection."""

import dataclasses

ENCODINGS = ("jpeg", "raw")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What becomes of a photograph, and which are dropped.

    Attributes:
      shorter_side: what a picture is shrunk to, pixels; 0 to leave it.
      min_size: the least shorter side of a file, pixels.
      min_chroma: the least mean chroma, in units of a* and b*.
      near_duplicate_distance: in how many of 64 bits the hashes of near
        duplicates differ at most; -1 to keep near duplicates.
      encoding: `jpeg`, or `raw` for the pixels as they are; one of ENCODINGS.
      jpeg_quality: 1..100.
    """

    shorter_side: int
    min_size: int
    min_chroma: float
    near_duplicate_distance: int
    encoding: str
    jpeg_quality: int
