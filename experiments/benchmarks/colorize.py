"""How fast and in how much memory a SavedModel colors photographs.

    python -m experiments.benchmarks.colorize --model=runs/sample_photos

One photograph of 12 megapixels, JPEG in and PNG out, after loading; 1,000
photographs of 640 x 480, one after the other; 8 threads with 200 requests
each, of mixed sizes, a tenth of them malformed. Each in a process to itself
that loads the SavedModel with TensorFlow alone. Prints a table and writes JSON.
"""

import concurrent.futures
import json
import multiprocessing
import os
from typing import Any, Callable, Sequence

from absl import flags

from data_pipelines import command
from experiments.benchmarks import answering
from pix2pix_color.serving import saved_model

_MODEL = flags.DEFINE_string("model", "runs/sample_photos",
                             "A SavedModel or the folder of a run.")
_OUTPUT = flags.DEFINE_string("output", "", "JSON file to write, if any.")
_PHOTOS = flags.DEFINE_integer("photos", 1000, "Photographs of 640 x 480.",
                               lower_bound=10)
_REQUESTS = flags.DEFINE_integer("requests", 200, "Requests of each thread.",
                                 lower_bound=10)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    directory = saved_model.find(_MODEL.value)
    report: dict[str, Any] = {
        "hardware": f"{os.cpu_count()} cores",
        "large": _in_a_process(answering.measure_large, directory),
        "many": _in_a_process(answering.measure_many, directory, _PHOTOS.value),
        "load": _in_a_process(answering.measure_load, directory,
                              _REQUESTS.value),
    }
    large, many, load = report["large"], report["many"], report["load"]
    print(f"12 megapixels: {large['seconds']:.2f} s, first "
          f"{large['first_seconds']:.2f} s, peak {large['peak_mib']:.0f} MiB")
    print(f"{_PHOTOS.value} of 640 x 480: {many['photos_per_second']:.1f} "
          f"photographs/s, peak {many['peak_mib_after_a_tenth']:.0f} MiB after "
          f"a tenth, {many['peak_mib']:.0f} MiB at the end; mean |L* in - L* "
          f"out| {many['lightness_error']:.3f}")
    print(f"{answering.THREADS} threads: "
          f"{load['requests_per_second']:.1f} requests/s, "
          f"p50 {load['p50_ms']:.0f} ms, p99 {load['p99_ms']:.0f} ms, "
          f"{load['wrong']} wrong of {load['requests']}, "
          f"{load['refused']} malformed refused, memory "
          f"{load['mib_after_half']:.0f} MiB halfway, {load['mib']:.0f} MiB at "
          f"the end")
    if _OUTPUT.value:
        with open(_OUTPUT.value, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)


def _in_a_process(measure: Callable[..., dict[str, Any]],
                  *arguments: Any) -> dict[str, Any]:
    spawning = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=spawning) as pool:
        return pool.submit(measure, *arguments).result()


if __name__ == "__main__":
    command.run(main)
