"""Progress of a training: a bar on a terminal, lines in a log."""

import collections
import io
import sys
import time
from typing import Callable, Mapping, Optional, TextIO

import tqdm

from pix2pix_color.training.journal import Journal

# The time left follows from so many of the last lines.
_REMEMBERED = 10
_SHOWN = {"discriminator": "D", "generator": "G", "generator_l1": "L1"}


class Progress:
    """Shows the rate, time left and losses of a training.

    Args:
      first_step: number of updates completed before.
      total_steps: number of updates of the complete run.
      stream: where to write; standard error by default.
      clock: returns seconds.
    """

    def __init__(self, *, first_step: int, total_steps: int,
                 stream: Optional[TextIO] = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr or io.StringIO()
        self._step, self._total_steps = first_step, total_steps
        self._clock = clock
        # Steps and their times. The first update does not count: most of it is
        # compilation.
        self._times: collections.deque[tuple[int, float]] = collections.deque(
            maxlen=_REMEMBERED)
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm.tqdm(
                initial=first_step, total=total_steps, unit="step",
                file=self._stream, dynamic_ncols=True)

    def advance(self) -> None:
        """Counts one completed update."""
        self._step += 1
        if not self._times:
            self._times.append((self._step, self._clock()))
        if self._bar is not None:
            self._bar.update()

    def show_losses(self, losses: Mapping[str, float], *, step: int,
                    images_per_second: float) -> None:
        """Shows the losses; on a plain stream, also the step and time left.

        Args:
          losses: name -> mean since the last call.
          step: number of completed updates.
          images_per_second: rate since the last call.
        """
        shown = {label: f"{losses[name]:.3f}"
                 for name, label in _SHOWN.items() if name in losses}
        shown["images/s"] = f"{images_per_second:.1f}"
        if self._bar is not None:
            self._bar.set_postfix(shown)
            return
        first, since = self._times[0]
        self._times.append((step, self._clock()))
        left = "" if step == first else "  " + tqdm.tqdm.format_interval(
            (self._clock() - since) / (step - first)
            * (self._total_steps - step)) + " left"
        numbers = "  ".join(f"{label} {text}" for label, text in shown.items())
        self.say(f"step {step}/{self._total_steps}  {numbers}{left}")

    def say(self, line: str) -> None:
        """Prints a line without breaking the bar."""
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


class Rate:
    """Measures images per second between two points of the curves.

    Evaluations, sample grids and checkpoints do not count.

    Args:
      journal: counts the seconds.
      batch_size: photographs per update.
    """

    def __init__(self, journal: Journal, *, batch_size: int) -> None:
        self._seconds, self._batch_size = journal.seconds, batch_size
        self._num_steps, self._since, self._is_tracing = 0, 0.0, True

    def _now(self) -> float:
        return self._seconds["waiting for data"] + self._seconds["step"]

    def count_step(self) -> None:
        """Counts an update, except the first: it is mostly compilation."""
        if self._is_tracing:
            self._is_tracing, self._since = False, self._now()
        else:
            self._num_steps += 1

    def take(self) -> float:
        """Returns the rate, 0 if no update was counted, and starts again."""
        seconds = self._now() - self._since
        rate = self._num_steps * self._batch_size / seconds if seconds else 0.0
        self._num_steps, self._since = 0, self._now()
        return rate
