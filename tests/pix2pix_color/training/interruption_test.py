"""The first signal asks to stop, the second one stops at once."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from pix2pix_color.training.interruption import SIGNALS, Interruption

ROOT = pathlib.Path(__file__).parents[3]
EVERY_SIGNAL = pytest.mark.parametrize("number", SIGNALS)


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.fixture(autouse=True)
def same_handlers_after():
    """No test may leave this process deaf to the signals."""
    before = handlers()
    yield
    assert handlers() == before


@EVERY_SIGNAL
def test_a_signal_is_remembered_and_announced(number, capfd):
    interruption = Interruption()
    with interruption.handled():
        assert not interruption.requested
        signal.raise_signal(number)
        assert interruption.requested
    assert "a second signal stops at once" in capfd.readouterr().err


def test_the_earlier_handlers_come_back_after_an_error():
    before = handlers()
    with pytest.raises(KeyError), Interruption().handled():
        assert all(handler not in before for handler in handlers())
        raise KeyError
    assert handlers() == before


@pytest.mark.parametrize("first", SIGNALS)
@EVERY_SIGNAL
def test_the_second_signal_ends_the_process_at_once(first, number):
    program = f"""
import signal, sys
from pix2pix_color.training.interruption import Interruption
interruption = Interruption()
try:
    with interruption.handled():
        signal.raise_signal({int(first)})
        print("saving", flush=True)
        signal.raise_signal({int(number)})
        print("saved", flush=True)
finally:
    print("cleaned up", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, check=False)
    assert done.returncode == 128 + number
    assert done.stdout == "saving\n"
    assert done.stderr.count("stopping after this update") == 1


def test_another_thread_than_the_main_one_leaves_the_handlers_alone():
    before, seen = handlers(), []

    def work():
        with Interruption().handled():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
