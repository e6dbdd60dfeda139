"""Files that are written whole or not at all."""

import errno
import os

_DISK_ERRORS = tuple(map(os.strerror, (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
    errno.EIO)))


def write_atomically(path: str, content: bytes) -> None:
    """Writes a file so that it is there whole or, on any failure, not at all.

    Raises:
      OSError: as open and write do; an earlier file of that name is unharmed.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError):
            error.filename = path  # the one that a person knows
        raise


def sync(path: str) -> None:
    """Brings a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(error: Exception) -> str:
    """The operating system's word for why a file could not be written.

    Args:
      error: an OSError, or what TensorFlow made of one.
    """
    for known in _DISK_ERRORS:
        if known in str(error):
            return known
    return " ".join(str(error).split())
