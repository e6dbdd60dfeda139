"""Measures candidates in turns, each in a process of its own.

The speed of shared machines drifts. Candidates that take turns in one run can
still be compared as ratios.
"""

import concurrent.futures
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import time
from typing import Any, Callable, Mapping, Optional, Sequence
from unittest import mock

import numpy as np
import tqdm

# A function and its arguments: prepare(*arguments) returns a function that
# makes one measurement.
Candidate = tuple[Callable[..., Callable[[], Any]], Sequence[Any]]


def measure_in_turns(
        candidates: dict[str, Candidate], *, rounds: int,
        environments: Optional[Mapping[str, Mapping[str, str]]] = None
        ) -> dict[str, list[Any]]:
    """Measures every candidate once a round. One more round warms up.

    Args:
      candidates: name -> candidate. Its process is idle while others measure.
      rounds: number of measurements of each.
      environments: name -> environment variables to change in its process.

    Returns:
      Name -> measurements. A candidate whose preparation fails has none.
    """
    spawning = multiprocessing.get_context("spawn")
    connections, processes = {}, []
    for name, (prepare, arguments) in candidates.items():
        connections[name], theirs = spawning.Pipe()
        processes.append(spawning.Process(
            target=_measure_on_request, daemon=True,
            args=(theirs, prepare, arguments)))
        with mock.patch.dict(os.environ, (environments or {}).get(name, {})):
            processes[-1].start()
        theirs.close()
        # One after the other: preparation must not slow down another one.
        if not connections[name].recv():
            del connections[name]
    results: dict[str, list[Any]] = {name: [] for name in candidates}
    with tqdm.tqdm(total=(rounds + 1) * len(connections), unit="measurement",
                   disable=None) as bar:
        for round_number in range(rounds + 1):
            for name, connection in connections.items():
                connection.send(None)
                measured = connection.recv()
                if round_number:
                    results[name].append(measured)
                bar.update()
    for process in processes:
        process.kill()
    return results


def _measure_on_request(
        connection: multiprocessing.connection.Connection,
        prepare: Callable[..., Callable[[], Any]],
        arguments: Sequence[Any]) -> None:
    try:
        measure = prepare(*arguments)
    except Exception as error:
        print(f"left out: {type(error).__name__}: {error}", flush=True)
        connection.send(False)
        return
    connection.send(True)
    while True:
        connection.recv()
        connection.send(measure())


def spread(values: Any) -> dict[str, float]:
    """Returns median, minimum and maximum of measurements."""
    return {"median": float(np.median(values)), "min": float(np.min(values)),
            "max": float(np.max(values))}


def repeat_update(update: Callable[[], Any], *, batch_size: int,
                  seconds: float) -> Callable[[], dict[str, float]]:
    """Returns a function that repeats an update and measures its rate.

    Args:
      update: makes one update and waits for it.
      batch_size: pictures an update.
      seconds: about the time of a measurement, which has at least one update.
    """
    def seconds_of(num_updates):
        started = time.monotonic()
        for _ in range(num_updates):
            update()
        return (time.monotonic() - started) / num_updates

    first_step_seconds = seconds_of(1)  # tracing
    num_updates = max(1, round(seconds / seconds_of(1)))

    def measure() -> dict[str, float]:
        update()  # warms up again after the other candidates
        return {"images_per_second": batch_size / seconds_of(num_updates),
                "first_step_seconds": first_step_seconds,
                "peak_memory_mib": peak_memory_mib()}

    return measure


def call_in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a new process; returns its result."""
    with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak_memory_mib() -> float:
    """Returns the largest memory that this process has had.

    getrusage's number is never below the parent's.
    """
    with open("/proc/self/status", encoding="utf-8") as lines:
        found = re.search(r"^VmHWM:\s*(\d+) kB", lines.read(), re.M)
    return int(found.group(1)) / 1024 if found else float("nan")


def write_json(path: str, report: dict[str, Any]) -> None:
    """Writes a benchmark's report."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2)
