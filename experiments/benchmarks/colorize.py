"""Measures speed and memory of models that color photographs.

    python -m experiments.benchmarks.colorize --models=colorizer,unet64

| what | measured |
|---|---|
| command | 1 and 12 megapixels, JPEG to PNG, after TensorFlow's import |
| large | the SavedModel on 12 megapixels, after loading |
| many | --photos photographs of 640 x 480, one after the other |
| load | 8 threads of --requests requests, mixed sizes, a tenth malformed |

Each measurement has a process of its own. SavedModels are loaded with
TensorFlow alone. Prints a table and writes JSON.
"""

import os
import tempfile
from typing import Any, Sequence

from absl import flags

from data_pipelines import command, files
from experiments.benchmarks import answering, turns

_MODELS = command.define_paths(
    "models", ["colorizer"], "Models to measure: colorizer is the trained one; "
    "unet64 is pix2pix's U-Net of 256 px and 64 filters with random weights; "
    "or a SavedModel; or the folder of a run.")
_OUTPUT = command.define_path(
    "output", "", "JSON file to write; empty for none.")
_PHOTOS = flags.DEFINE_integer(
    "photos", 1000, "Number of photographs of 640 x 480.", lower_bound=10)
_REQUESTS = flags.DEFINE_integer("requests", 200, "Requests of each thread.",
                                 lower_bound=10)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if _OUTPUT.value:
        files.require_writable(_OUTPUT.value, flag="--output")
    report: dict[str, Any] = {"hardware": f"{os.cpu_count()} cores"}
    with tempfile.TemporaryDirectory() as folder:
        for number, model in enumerate(_MODELS.value):
            print(model)
            report[model] = _measure(model, os.path.join(folder, str(number)))
    if _OUTPUT.value:
        turns.write_json(_OUTPUT.value, report)


def _measure(model: str, folder: str) -> dict[str, Any]:
    directory = turns.call_in_process(answering.export_model, model, folder)
    named = model if model == "colorizer" else directory
    measured: dict[str, Any] = {}
    for title, size in (("1 megapixel", answering.MEGAPIXEL),
                        ("12 megapixels", answering.LARGE)):
        once = measured[f"command, {title}"] = turns.call_in_process(
            answering.measure_command, named, size)
        print(f"  the command, {title}: {once['seconds']:.2f} s after "
              f"TensorFlow is imported, peak {once['peak_mib']:.0f} MiB",
              flush=True)
    large = measured["large"] = turns.call_in_process(
        answering.measure_large, directory)
    print(f"  12 megapixels: {large['seconds']:.2f} s, first "
          f"{large['first_seconds']:.2f} s, peak {large['peak_mib']:.0f} MiB",
          flush=True)
    many = measured["many"] = turns.call_in_process(
        answering.measure_many, directory, _PHOTOS.value)
    print(f"  {_PHOTOS.value} of 640 x 480: {many['photos_per_second']:.1f} "
          f"photographs/s, peak {many['peak_mib_after_a_tenth']:.0f} MiB after "
          f"a tenth, {many['peak_mib']:.0f} MiB at the end; mean |L* in - L* "
          f"out| {many['lightness_error']:.3f}", flush=True)
    load = measured["load"] = turns.call_in_process(
        answering.measure_load, directory, _REQUESTS.value)
    print(f"  {answering.THREADS} threads: "
          f"{load['requests_per_second']:.1f} requests/s, "
          f"p50 {load['p50_ms']:.0f} ms, p99 {load['p99_ms']:.0f} ms, "
          f"{load['wrong']} wrong of {load['requests']}, "
          f"{load['refused']} malformed refused, memory "
          f"{load['mib_after_half']:.0f} MiB halfway, {load['mib']:.0f} MiB at "
          f"the end", flush=True)
    return measured


if __name__ == "__main__":
    command.run(main)
