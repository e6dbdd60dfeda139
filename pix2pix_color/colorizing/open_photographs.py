"""The photographs that visitors of the web page have open, in memory only."""

import collections
import dataclasses
import secrets
import time
from typing import Callable, Optional

from pix2pix_color.colorizing.photograph import Photograph


@dataclasses.dataclass(frozen=True)
class OpenPhotograph:
    """A photograph that somebody has open.

    Attributes:
      content: its file; the pixels are decoded again for the download.
      height: of the upright photograph, pixels.
      width: of the upright photograph, pixels.
      shown: the photograph as the page shows it, reduced.
    """

    content: bytes
    height: int
    width: int
    shown: Photograph

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return len(self.content) + self.shown.rgb.nbytes


class OpenPhotographs:
    """Keeps photographs under names that cannot be guessed, for a while.

    Not for several threads.

    Args:
      forgotten_after: seconds without use after which one is forgotten.
      max_number: how many are kept; the one unused for longest goes first.
      max_bytes: memory for all. The newest one is kept whatever it takes.
      clock: returns seconds.
    """

    def __init__(self, *, forgotten_after: float, max_number: int,
                 max_bytes: int,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._forgotten_after, self._clock = forgotten_after, clock
        self._max_number, self._max_bytes = max_number, max_bytes
        # Name -> time of the last use and the photograph; oldest use first.
        self._kept: collections.OrderedDict[
            str, tuple[float, OpenPhotograph]] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, photograph: OpenPhotograph) -> str:
        """Keeps a photograph and returns its name."""
        name = secrets.token_urlsafe(24)
        self._kept[name] = self._clock(), photograph
        while len(self._kept) > 1 and (
                len(self._kept) > self._max_number
                or sum(kept.num_bytes for _, kept in self._kept.values())
                > self._max_bytes):
            self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Optional[OpenPhotograph]:
        """Returns a photograph, which counts as a use; None if forgotten."""
        self.forget_unused()
        if name not in self._kept:
            return None
        _, photograph = self._kept[name]
        self._kept[name] = self._clock(), photograph
        self._kept.move_to_end(name)
        return photograph

    def remove(self, name: str) -> None:
        """Forgets a photograph, if it is there."""
        self._kept.pop(name, None)

    def forget_unused(self) -> None:
        """Forgets what has not been used for too long."""
        oldest = self._clock() - self._forgotten_after
        while self._kept and next(iter(self._kept.values()))[0] < oldest:
            self._kept.popitem(last=False)
