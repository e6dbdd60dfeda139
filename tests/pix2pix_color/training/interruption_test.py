"""The first signal saves and stops, the second one stops at once."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from data_pipelines.errors import Interrupted
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
def test_a_signal_raises_where_nothing_must_be_done_as_a_whole(number):
    interruption = Interruption()
    with pytest.raises(Interrupted):
        with interruption.handled():
            signal.raise_signal(number)
            pytest.fail("it went on")
    assert interruption.requested


@EVERY_SIGNAL
def test_a_signal_waits_for_what_must_be_done_as_a_whole(number):
    interruption, done = Interruption(), []
    with interruption.handled():
        with pytest.raises(Interrupted):
            with interruption.deferred():
                assert not interruption.requested
                with interruption.deferred():
                    signal.raise_signal(number)
                    done.append("inside")
                done.append("still deferred outside the inner one")
            pytest.fail("it went on")
        assert interruption.requested
        with interruption.deferred():  # what is saved because of it
            done.append("and not raised again")
    assert len(done) == 3


def test_what_fails_while_deferred_does_not_stay_deferred():
    interruption = Interruption()
    with interruption.handled():
        with pytest.raises(KeyError):
            with interruption.deferred():
                raise KeyError
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("error", [None, KeyError, Interrupted])
def test_the_handlers_from_before_come_back(error):
    before = handlers()
    try:
        with Interruption().handled():
            assert all(handler not in before for handler in handlers())
            if error:
                raise error
    except (KeyError, Interrupted):
        pass
    assert handlers() == before


@pytest.mark.parametrize("first", SIGNALS)
@EVERY_SIGNAL
def test_the_second_signal_ends_the_process_at_once(first, number):
    program = f"""
import signal, sys
from pix2pix_color.training.interruption import Interruption
interruption = Interruption()
try:
    with interruption.handled(), interruption.deferred():
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
    assert (done.stdout, done.stderr) == ("saving\n", "")


def test_another_thread_than_the_main_one_leaves_the_handlers_alone():
    before, seen = handlers(), []

    def work():
        with Interruption().handled():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
