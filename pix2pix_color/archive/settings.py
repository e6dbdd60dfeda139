"""Settings of `colorize_archive`, without TensorFlow and Beam."""

import dataclasses
import json
import os
from typing import Any

from data_pipelines.errors import UserError

REPORT = "report"
# Largest picture by default: a worker takes about 1.5 GiB for a JPEG of this
# size, and 2 GiB for a TIFF of 16-bit color.
MAX_PIXELS = 50_000_000
# Photographs a shard, at most on average. A shard is what a worker is given,
# and its part of the report appears when all of it is done.
_SHARD_SIZE = 100
# So that few photographs still are shared out among several workers.
_MIN_SHARDS = 16

# A pattern's magic characters, in every file system of Beam's.
_MAGIC = "*?["
# Entries of settings.json that a later run must repeat, and their flags.
_REPEATED = {"root": "--input or --input_list", "model": "--model",
             "file_format": "--format", "saturation": "--saturation",
             "chroma_size": "--chroma_size"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a run; workers are given them.

    Attributes:
      root: folder whose structure the results repeat, with a `/` at its end.
      output_dir: the results' folder.
      model: the value of --model.
      digest: SHA-256 or the like of the model, for the report's settings.
      file_format: of the results, as in colorizing.jobs.Options.
      saturation: factor of a* and b*.
      chroma_size: side of the square to color in; 0 for the model's.
      max_pixels: height times width of the largest picture that is colored.
      threads: of TensorFlow in a worker process; 0 for one a core.
    """

    root: str
    output_dir: str
    model: str
    digest: str
    file_format: str
    saturation: float
    chroma_size: int
    max_pixels: int
    threads: int


def has_scheme(path: str) -> bool:
    """Tells whether a path names its file system, as gs://bucket does."""
    return "://" in path


def absolute(path: str) -> str:
    """Makes a path of this machine absolute; workers have other folders."""
    return path if has_scheme(path) else os.path.abspath(path)


def is_pattern(path: str) -> bool:
    """Tells whether a path has magic characters."""
    return any(sign in path for sign in _MAGIC)


def root_of(pattern: str) -> str:
    """Returns the folder up to the first magic character, with its `/`."""
    fixed = pattern
    for sign in _MAGIC:
        fixed = fixed.partition(sign)[0]
    return fixed[:fixed.rfind("/") + 1]


def number_of_shards(num_files: int, earlier: int) -> int:
    """Returns the number of shards, a power of two.

    Args:
      num_files: how many files there are.
      earlier: the number of an earlier run's shards, or 0. There are never
        fewer; where there are more, each is a part of an earlier one.
    """
    number = max(earlier, _MIN_SHARDS)
    while number * _SHARD_SIZE < num_files:
        number *= 2
    return number


def to_json(settings: Settings, num_shards: int) -> bytes:
    """Encodes what a later run must repeat."""
    return json.dumps({**_repeated(settings), "shards": num_shards},
                      indent=2).encode() + b"\n"


def require_same(settings: Settings, earlier: bytes) -> int:
    """Checks that an earlier run had the same settings.

    Args:
      settings: the present ones.
      earlier: its settings.json.

    Returns:
      The number of its shards.

    Raises:
      UserError: one differs, or the file is damaged.
    """
    where = f"--output_dir={settings.output_dir}"
    try:
        found = json.loads(earlier)
        shards = int(found["shards"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{where}: {REPORT}/settings.json is damaged; name "
                        f"another folder") from error
    for name, value in _repeated(settings).items():
        if found.get(name) != value:
            raise UserError(
                f"{where} holds results of {_REPEATED[name]} with {name} "
                f"{found.get(name)!r}, not {value!r}; name another folder or "
                f"repeat the flag")
    return shards


def _repeated(settings: Settings) -> dict[str, Any]:
    values = dataclasses.asdict(settings)
    values["model"] = settings.digest or settings.model
    return {name: values[name] for name in _REPEATED}
