"""Ways that are compared take turns, each in a process to itself.

Machines are shared and their speed drifts; what is measured round by round in
one run can be compared as ratios.
"""

import multiprocessing
import multiprocessing.connection
import os
from typing import Any, Callable, Mapping, Optional, Sequence
from unittest import mock

import numpy as np
import tqdm

# What a process is to prepare, and what that takes: prepare(*arguments)
# returns what makes one measurement.
Way = tuple[Callable[..., Callable[[], Any]], Sequence[Any]]


def take_turns(ways: dict[str, Way], *, rounds: int,
               environments: Optional[Mapping[str, Mapping[str, str]]] = None
               ) -> dict[str, list[Any]]:
    """Measures every way once a round; the first round only warms up.

    Args:
      ways: name -> what to measure. A process is idle while others measure.
      rounds: how many rounds count.
      environments: name of a way -> what its process has in its environment
        otherwise than this one.

    Returns:
      Name -> a measurement a round. A way whose preparation fails has none.
    """
    spawning = multiprocessing.get_context("spawn")
    connections, processes = {}, []
    for name, (prepare, arguments) in ways.items():
        connections[name], theirs = spawning.Pipe()
        processes.append(spawning.Process(
            target=_measure_on_request, daemon=True,
            args=(theirs, prepare, arguments)))
        with mock.patch.dict(os.environ, (environments or {}).get(name, {})):
            processes[-1].start()
        theirs.close()
        # One after the other: preparing is work as well.
        if not connections[name].recv():
            del connections[name]
    results: dict[str, list[Any]] = {name: [] for name in ways}
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
    """Median and extremes of a measurement's rounds."""
    return {"median": float(np.median(values)), "min": float(np.min(values)),
            "max": float(np.max(values))}
