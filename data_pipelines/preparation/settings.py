"""Settings of `prepare`."""

import dataclasses

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
