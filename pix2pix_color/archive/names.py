"""Shards of an archive, and the names of results, without Beam.

A photograph's shard follows from its path alone. Files of one folder that
differ in their endings only share a shard, and so do a photograph and a result
that lies beside it: what a result is called can be decided there.
"""

import hashlib
import os
from typing import Iterable

from data_pipelines.results import RESULT, SUFFIX
from pix2pix_color.colorizing.jobs import ENDINGS


def shard_of(path: str, num_shards: int) -> int:
    """Returns a file's shard, 0..num_shards-1.

    Args:
      path: the file.
      num_shards: a power of two. The shard of half of it is the rest of the
        division by that.
    """
    folder, name = _split(path)
    source = RESULT.fullmatch(name)
    stem = os.path.splitext(source[1] if source else name)[0]
    key = os.fsencode(f"{folder}/{stem}")
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return int.from_bytes(digest, "big") % num_shards


def is_hidden(path: str, root: str) -> bool:
    """Tells whether a file, or a folder below the root, begins with a dot."""
    return any(part.startswith(".")
               for part in path.removeprefix(root).split("/"))


def name_results(paths: Iterable[str], *, root: str, output_dir: str,
                 file_format: str) -> dict[str, tuple[str, str]]:
    """Names the results of a shard's files, as `colorize` does.

    Args:
      paths: the files; several times the same count once.
      root: the folder that all are below, with a `/` at its end.
      output_dir: the results' folder.
      file_format: the value of --format.

    Returns:
      File -> its result's path up to the number of a page, and the ending. The
      results of earlier runs are left out.
    """
    paths = sorted(set(paths))
    present: dict[tuple[str, str], int] = {}
    for path in paths:
        folder, name = _split(path)
        for key in {name, os.path.splitext(name)[0]}:
            present[folder, key] = present.get((folder, key), 0) + 1
    names = {}
    for path in paths:
        folder, name = _split(path)
        source = RESULT.fullmatch(name)
        if source and (folder, source[1]) in present:
            continue
        stem = os.path.splitext(name)[0]
        if present[folder, stem] > 1:
            stem = name
        inner = folder.removeprefix(root.rstrip("/")).strip("/")
        place = "/".join(filter(None, (output_dir.rstrip("/"), inner)))
        names[path] = f"{place}/{stem}{SUFFIX}", ENDINGS[file_format]
    return names


def page_results(name: tuple[str, str], num_pages: int,
                 file_format: str) -> list[str]:
    """Returns the results' paths of one file.

    Args:
      name: of name_results.
      num_pages: how many photographs it has.
      file_format: the value of --format; a TIFF holds all pages.
    """
    start, ending = name
    if num_pages == 1 or file_format == "tiff":
        return [start + ending]
    return [f"{start}_page{page + 1}{ending}" for page in range(num_pages)]


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name
