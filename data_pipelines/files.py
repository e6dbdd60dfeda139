"""Files that are written whole or not at all, and paths to read them by."""

import contextlib
import errno
import os
import secrets
import tempfile
from typing import Iterator

from data_pipelines.errors import UserError

# Ends the name of every file and folder that is not complete yet.
UNFINISHED = ".unfinished"
# Of most file systems, in bytes.
_NAME_MAX = 255

_DISK_ERRORS = tuple(map(os.strerror, (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
    errno.EIO)))


def write_atomically(path: str, content: bytes) -> None:
    """Writes a file whole or, on any failure, not at all.

    Raises:
      OSError: as open and write do; an earlier file of that name is unharmed.
    """
    with replace_atomically(path) as unfinished:
        with open(unfinished, "wb") as file:
            file.write(content)


@contextlib.contextmanager
def replace_atomically(path: str) -> Iterator[str]:
    """Moves a file to `path` when the block that writes it ends.

    If the block raises, the unfinished file is removed and an earlier file at
    `path` is unharmed.

    Yields:
      The path to write to, in the same folder.

    Raises:
      OSError: naming `path`, if the file cannot be written.
    """
    unfinished = _unfinished_name(path)
    try:
        yield unfinished
        sync(unfinished)
        os.replace(unfinished, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        if (isinstance(error, OSError)
                and error.filename in (None, unfinished)):
            error.filename = path  # the one that the user knows
        raise


def _unfinished_name(path: str) -> str:
    """Adds to a path's name, which is cut where both would be too long."""
    folder, name = os.path.split(path)
    added = f".{secrets.token_hex(4)}{UNFINISHED}"
    try:
        longest = os.pathconf(folder or ".", "PC_NAME_MAX")
    except OSError:  # the folder is missing: writing will say so
        longest = _NAME_MAX
    kept = os.fsencode(name)[:longest - len(added)]
    if len(kept) < len(os.fsencode(name)):
        name = kept.decode(errors="ignore")  # no half characters
    return os.path.join(folder, name + added)


def require_writable(path: str, *, flag: str, is_folder: bool = False) -> None:
    """Checks that a file can be written, before the work that it is for.

    Makes nothing that stays. Folders that are missing can be made later.

    Args:
      path: the file, or the folder in which files will be written.
      flag: the flag that names it, for messages.
      is_folder: whether it is a folder.

    Raises:
      UserError: it cannot be written.
    """
    if os.path.isdir(path) and not is_folder:
        raise UserError(f"{flag}={path} is a folder; name a file")
    reason = why_not_writable(
        path if is_folder else os.path.dirname(os.path.abspath(path)))
    if reason:
        raise UserError(f"{flag}={path} cannot be written: {reason}")


def why_not_writable(folder: str) -> str:
    """Returns the reason why a folder cannot be made or written to.

    Makes nothing that stays.

    Args:
      folder: the folder; it need not exist.

    Returns:
      The reason and the folder that exists; empty if there is none.
    """
    folder = os.path.abspath(folder)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{error.strerror}: {folder}"


def require_file(path: str, *, flag: str) -> None:
    """Checks that a file is there and can be read.

    Raises:
      UserError: it is not, or cannot be.
    """
    if not os.path.isfile(path):
        raise UserError(f"{flag}={path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise UserError(f"{flag}={path} cannot be read: "
                        f"{os.strerror(errno.EACCES)}")


def sync(path: str) -> None:
    """Brings a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def plain_path(folder: str) -> Iterator[str]:
    """Gives a folder a path that TensorFlow does not take for a pattern.

    tf.train.Checkpoint.read and tf.saved_model.load find no file below a
    folder with * ? [ or a backslash in its path. Writing needs no plain path.

    Yields:
      The path itself if it is plain; or else one in Linux's /proc, which leads
      to the folder until the block ends.

    Raises:
      OSError: the folder cannot be opened.
    """
    if not set(folder) & set("*?[]\\"):
        yield folder
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def disk_error(error: Exception) -> str:
    """Returns the operating system's reason why a file cannot be written.

    Args:
      error: an OSError, or what TensorFlow made of one.
    """
    for known in _DISK_ERRORS:
        if known in str(error):
            return known
    return " ".join(str(error).split())
