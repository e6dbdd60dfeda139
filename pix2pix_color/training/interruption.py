"""SIGINT and SIGTERM: finish the step, save, exit; at once the second time."""

import contextlib
import os
import signal
import threading
from typing import Any, Iterator

from data_pipelines.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turns the first signal into Interrupted, once, between two steps.

    Attributes:
      requested: whether a signal has come.
    """

    def __init__(self) -> None:
        self.requested = False
        self._depth, self._was_raised = 0, False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handles the signals as long as it is entered."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread is told of signals
            return
        earlier = {number: signal.signal(number, self._note)
                   for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Lets no signal break into what must be done as a whole.

        Raises:
          Interrupted: behind it, where one has come meanwhile.
        """
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        self._raise_once()

    def _note(self, number: int, frame: Any) -> None:
        del frame
        if self.requested:
            os._exit(128 + number)
        self.requested = True
        self._raise_once()

    def _raise_once(self) -> None:
        if self.requested and not self._depth and not self._was_raised:
            self._was_raised = True
            raise Interrupted("interrupted; the same command goes on")
