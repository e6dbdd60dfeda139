"""Files to color -> shards, whose names are in a few files.

    names -> a temporary file of this machine, while they are counted
    -> temporary files, one for each of 256 groups of shards
    -> OUTPUT_DIR/report/names-00000 ..., sorted by shard

A million names are never in memory, only those of a group.
"""

import collections
import contextlib
import dataclasses
import json
import os
import tempfile
from typing import BinaryIO, Iterable, Iterator, Optional

from data_pipelines.errors import UserError
from data_pipelines.files import UNFINISHED
from pix2pix_color.archive import names, places, settings
from pix2pix_color.archive.places import Listed

_GROUPS = 256
_NAMES = "names-{:05d}"


@dataclasses.dataclass(frozen=True)
class Shard:
    """Photographs that a worker is given at once.

    Attributes:
      number: 0..num_shards-1.
      num_shards: of the archive, a power of two.
      names_path: the file that holds its names.
      start: where they begin in it, bytes.
      length: how many bytes they take.
      count: how many names these are.
    """

    number: int
    num_shards: int
    names_path: str
    start: int
    length: int
    count: int

    def read_names(self) -> list[str]:
        """Reads the names."""
        with places.reading(self.names_path) as file:
            file.seek(self.start)
            content = file.read(self.length)
        return [json.loads(line) for line in content.splitlines()]


class Listing:
    """The names of an archive's files, in a temporary file.

    Attributes:
      root: the folder that all are below, with a `/` at its end.
      num_files: how many there are.
      num_bytes: what they take, as far as it is known.
      all_sizes: whether it is known of all.

    Args:
      input_pattern: the value of --input; empty for none.
      input_list: the value of --input_list; empty for none.
      output_dir: the results' folder; what is in it is left out.
    """

    def __init__(self, *, input_pattern: str, input_list: str,
                 output_dir: str) -> None:
        self._file = tempfile.TemporaryFile()
        self.num_files = self.num_bytes = 0
        self.all_sizes = True
        root: Optional[str] = None
        base, listed = (_expand(input_pattern) if input_pattern
                        else ("", read_list(input_list)))
        inner = output_dir.rstrip("/") + "/"
        for file in listed:
            if (file.path.startswith(inner) or file.path.endswith(UNFINISHED)
                    or base and names.is_hidden(file.path, base)):
                continue
            self._file.write(json.dumps(file).encode() + b"\n")
            self.num_files += 1
            self.num_bytes += max(file.num_bytes, 0)
            self.all_sizes &= file.num_bytes >= 0
            folder = file.path.rpartition("/")[0] + "/"
            root = folder if root is None else _common(root, folder)
        if root is None:
            raise UserError(
                f"--input={input_pattern} matches no file" if input_pattern
                else f"--input_list={input_list} names no file")
        self.root = base or root

    def close(self) -> None:
        """Removes the temporary file."""
        self._file.close()

    def files(self) -> Iterator[Listed]:
        """Yields the files in the order in which they were listed."""
        self._file.seek(0)
        for line in self._file:
            yield Listed(*json.loads(line))

    def write_shards(self, folder: str, num_shards: int) -> list[Shard]:
        """Writes the names to files that workers can read.

        Args:
          folder: the files' folder.
          num_shards: a power of two.

        Returns:
          The shards that hold a name.
        """
        num_groups = min(_GROUPS, num_shards)
        shards: list[Shard] = []
        with contextlib.ExitStack() as stack:
            groups = [stack.enter_context(tempfile.TemporaryFile())
                      for _ in range(num_groups)]
            for file in self.files():
                number = names.shard_of(file.path, num_shards)
                groups[number % num_groups].write(
                    json.dumps([number, file.path]).encode() + b"\n")
            for index, group in enumerate(groups):
                shards += _write_group(group, num_shards,
                                       folder + "/" + _NAMES.format(index))
        return shards


def names_paths(folder: str) -> list[str]:
    """Lists what the files of names may be called."""
    return [folder + "/" + _NAMES.format(index) for index in range(_GROUPS)]


def _expand(given: str) -> tuple[str, Iterator[Listed]]:
    """Lists what --input stands for: a folder, a file or a pattern.

    Returns:
      The folder whose structure the results repeat, and the files.
    """
    parent = given.rpartition("/")[0] + "/"
    if settings.has_scheme(given):
        if settings.is_pattern(given):
            root = settings.root_of(given)
            return root, places.list_files(root, given)
        if not given.endswith("/") and places.exists(given):
            return parent, iter([Listed(given, -1)])
        root = given.rstrip("/") + "/"
        return root, places.list_files(root)
    if os.path.isdir(given):  # whose name may look like a pattern
        root = given.rstrip("/") + "/"
        return root, places.list_files(root)
    if os.path.lexists(given) or not settings.is_pattern(given):
        size = os.path.getsize(given) if os.path.isfile(given) else -1
        return parent, iter([Listed(given, size)] * os.path.lexists(given))
    root = settings.root_of(given)
    return root, places.list_files(root, given)


def _write_group(group: BinaryIO, num_shards: int,
                 path: str) -> Iterable[Shard]:
    """Writes the names of a group of shards, shard by shard."""
    found = collections.defaultdict(set)
    group.seek(0)
    for line in group:
        number, name = json.loads(line)
        found[number].add(name)
    content, shards = b"", []
    for number in sorted(found):
        lines = "".join(json.dumps(name) + "\n"
                        for name in sorted(found[number])).encode()
        shards.append(Shard(number, num_shards, path, len(content),
                            len(lines), len(found[number])))
        content += lines
    if shards:
        places.write_whole(path, content)
    return shards


def read_list(path: str) -> Iterator[Listed]:
    """Yields the paths in a text file, one a line.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        with places.reading(path) as file:
            for line in file:
                name = os.fsdecode(line.rstrip(b"\r\n"))
                if name:
                    yield Listed(settings.absolute(
                        os.path.expanduser(name)), -1)
    except OSError as error:
        raise UserError(f"--input_list={path} cannot be read: "
                        f"{error.strerror or error}") from error


def _common(one: str, other: str) -> str:
    """Returns the folder that holds two folders, with a `/` at its end."""
    if other.startswith(one):
        return one
    parts = os.path.commonprefix([one.split("/")[:-1], other.split("/")[:-1]])
    return "/".join(parts) + "/"
