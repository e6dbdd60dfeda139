"""Shows how many frames of a video are done."""

import os
import sys
import time
from typing import Any, Optional, TextIO

import tqdm

# Seconds between two lines where there is no terminal.
_EVERY = 10.0


class FrameProgress:
    """A bar on a terminal, which others may surround; lines elsewhere.

    Args:
      path: the video.
      stream: where to write; standard error by default.
    """

    def __init__(self, path: str, stream: Optional[TextIO] = None) -> None:
        self._name = os.path.basename(path)
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Shows the state after a frame.

        Args:
          done: frames that are done.
          total: of how many; 0 if that is not known.
        """
        if self._stream.isatty():
            if self._bar is None:
                self._bar = tqdm.tqdm(
                    desc=self._name, unit="frame", leave=False,
                    file=self._stream, dynamic_ncols=True)
            self._bar.total = max(total, done) if total else None
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            of = f" of {max(total, done)}" if total else ""
            print(f"{self._name}: {done}{of} frames", file=self._stream,
                  flush=True)

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
