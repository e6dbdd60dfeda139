"""SIGINT and SIGTERM: the first asks to stop, the second stops at once."""

import contextlib
import os
import signal
import threading
from typing import Any, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTICE = (b"\nstopping after this update, which is saved; a second signal "
           b"stops at once, without saving\n")


class Interruption:
    """Remembers that a signal asked to stop; the loop looks once a step.

    Attributes:
      requested: whether a signal has come.
    """

    def __init__(self) -> None:
        self.requested = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handles both signals inside the block; in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python allows handlers in the main thread only
            return
        earlier = {number: signal.signal(number, self._note)
                   for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        del frame
        if self.requested:
            os._exit(128 + number)
        self.requested = True
        # print would raise if the signal came in the middle of another print.
        os.write(2, _NOTICE)
