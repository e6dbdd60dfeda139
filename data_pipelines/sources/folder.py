"""`folder:DIR`: every image file below a folder."""

import os

from data_pipelines.errors import InputError
from data_pipelines.sources import source

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def open_folder(directory: str, *, origin: str) -> source.Source:
    """Lists the image files below a folder, in a fixed order.

    An example's identity is its path relative to the folder, so moving the
    folder changes no split. Hidden files and folders are passed over; links
    to folders are followed, each folder once.

    Args:
      directory: the folder.
      origin: the flag and data spec, for messages.

    Raises:
      InputError: the folder is missing, unreadable, or holds no image file.
    """
    if not os.path.isdir(directory):
        raise InputError(f"{origin}: there is no folder {directory!r}")
    identities = sorted(
        os.path.relpath(path, directory) for path
        in _image_files(directory, origin))
    if not identities:
        raise InputError(
            f"{origin}: no image file below {directory!r}; looked for "
            f"{', '.join(EXTENSIONS)} in it and its subfolders")
    return source.from_files(
        origin=origin,
        identities=identities,
        paths=[os.path.join(directory, name) for name in identities])


def _image_files(directory, origin):
    def refuse(error):
        raise InputError(
            f"{origin}: cannot list {error.filename!r}: {error.strerror}")

    seen = set()
    for parent, folders, files in os.walk(
            directory, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link back up, or a second way to the same folder
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in files:
            if name[0] != "." and name.lower().endswith(EXTENSIONS):
                yield os.path.join(parent, name)
