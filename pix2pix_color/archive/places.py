"""Files on this machine and in every file system that Beam knows.

Those of this machine are written as `colorize` writes them, and reach the disk
before they appear. The others are written under another name and renamed.
"""

import contextlib
import os
import secrets
import stat
from typing import Any, BinaryIO, Iterable, Iterator, NamedTuple

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data_pipelines import files
from data_pipelines.errors import UserError
from pix2pix_color.archive.settings import has_scheme

# A name such as scan.png.gz says nothing here.
_AS_IT_IS = {"compression_type": CompressionTypes.UNCOMPRESSED}


class Listed(NamedTuple):
    """A file and its size in bytes; -1 where it is not known."""

    path: str
    num_bytes: int


def require_file_system(path: str, *, flag: str) -> None:
    """Checks that Beam, as it is installed, knows a path's file system.

    Raises:
      UserError: it does not.
    """
    try:
        FileSystems.get_filesystem(path)
    except (ValueError, ImportError) as error:
        scheme = path.partition("://")[0]
        raise UserError(
            f"{flag}={path}: no file system for {scheme}:// is installed; "
            f"apache-beam has them as extras: gcp for gs://, aws for s3://, "
            f"azure for azfs://, hadoop for hdfs://") from error


@contextlib.contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """Opens a file for reading.

    Raises:
      OSError: it cannot be opened, or is a pipe or a device.
    """
    if has_scheme(path):
        with FileSystems.open(path, **_AS_IT_IS) as file:
            yield file
        return
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("not a regular file")
        yield file


def read(path: str) -> bytes:
    """Reads a file.

    Raises:
      OSError: it cannot be read.
    """
    with reading(path) as file:
        return file.read()


def write_whole(path: str, content: bytes) -> None:
    """Writes a file whole or, on any failure, not at all.

    Missing folders are made. An earlier file is replaced.

    Raises:
      OSError: it cannot be written.
    """
    if not has_scheme(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        files.write_atomically(path, content)
        return
    unfinished = f"{path}.{secrets.token_hex(4)}{files.UNFINISHED}"
    try:
        with FileSystems.create(unfinished, **_AS_IT_IS) as file:
            file.write(content)
        if FileSystems.exists(path):  # HDFS renames to new names only
            FileSystems.delete([path])
        FileSystems.rename([unfinished], [path])
    except BaseException:
        with contextlib.suppress(Exception):
            FileSystems.delete([unfinished])
        raise


def exists(path: str) -> bool:
    """Tells whether there is such a file."""
    if has_scheme(path):
        return FileSystems.exists(path)
    return os.path.lexists(path)


def remove(paths: Iterable[str]) -> None:
    """Removes files that are there or are not."""
    for path in paths:
        with contextlib.suppress(OSError):
            if has_scheme(path):
                FileSystems.delete([path])
            else:
                os.remove(path)


def list_files(root: str, pattern: str = "") -> Iterator[Listed]:
    """Yields the files below a folder, and holds no list of them.

    FileSystems.match would return one, of half a kilobyte a name.

    Args:
      root: the folder, with a `/` at its end.
      pattern: of the wanted paths, which begin with root; * stops at a `/` and
        ** does not. Empty for all files.

    Raises:
      UserError: it cannot be listed.
    """
    system = FileSystems.get_filesystem(root)
    # Every file system must have this method; its public use makes a list.
    found = system._list(root)
    if pattern:
        found = system.match_files(found, pattern)
    try:
        for file in found:
            yield Listed(file.path, file.size_in_bytes)
    except BeamIOError as error:
        raise UserError(f"--input={pattern or root} cannot be listed: {error}"
                        ) from error


def set_options(options: Any) -> None:
    """Gives file systems Beam's options, which hold projects and keys.

    Args:
      options: Beam's PipelineOptions.
    """
    FileSystems.set_options(options)
