"""`folder:DIR`: every image file below a folder."""

import os
from typing import Iterator

from data_pipelines.errors import UserError
from data_pipelines.sources import source
from data_pipelines.sources.name_list import NameList

# Of the formats that TensorFlow reads; decode_file.py decodes any.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def open_folder(directory: str, *, origin: str) -> source.Source:
    """Lists the image files below a folder, in a fixed order.

    An example's identity is its path relative to the folder, so moving the
    folder does not change the split. Hidden files and folders are skipped;
    links to folders are followed, each folder once.

    Args:
      directory: the folder.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: the folder is missing, unreadable, or has no image file.
    """
    if not os.path.isdir(directory):
        raise UserError(f"{origin}: there is no folder {directory!r}")
    names = NameList(list_images(directory, origin=origin))
    if not names:
        raise UserError(
            f"{origin}: there is no image file below {directory!r}; looked for "
            f"{', '.join(EXTENSIONS)} in it and its subfolders")
    return source.from_files(directory, names, origin=origin)


def list_images(directory: str, *, origin: str,
                extensions: tuple[str, ...] = EXTENSIONS) -> Iterator[str]:
    """Yields the image files below a folder, as paths relative to it.

    A folder's own files come first, by name, then its subfolders.

    Args:
      directory: the folder.
      origin: the flag and data spec, for messages.
      extensions: allowed endings, in lower case; ("",) allows every file.

    Raises:
      UserError: a folder cannot be listed.
    """
    def refuse(error):
        raise UserError(
            f"{origin}: cannot list {error.filename!r}: {error.strerror}")

    seen = set()
    for parent, folders, files in os.walk(
            directory, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link back up, or a second path to the folder
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        inside = os.path.relpath(parent, directory)
        for name in sorted(files):
            if name[0] != "." and name.lower().endswith(extensions):
                yield name if inside == "." else os.path.join(inside, name)
