"""Checks what --data names, and lists files, without TensorFlow.

Commands call it first: loading TensorFlow takes far longer than seeing that a
folder is not there. The sources call it again.
"""

import os
from typing import Iterator

from absl import logging

from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError
from data_pipelines.results import find_results

KINDS = ("sample_photos", "folder", "paired", "tfds", "kaggle_npy", "shards")
# Of the files of `folder:` and `paired:`; decode_file.py decodes more.
ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def require_data(spec: str, *, flag: str) -> tuple[str, str]:
    """Checks that a data spec is one, and that its folders are there.

    Args:
      spec: one of DATA_SPECS.
      flag: the flag that gave the spec, for messages: `--data`.

    Returns:
      The kind, and what follows its colon.

    Raises:
      UserError: the kind is unknown, a folder is missing, or one of `folder:`
        or `paired:` has no image file.
    """
    kind, _, argument = spec.partition(":")
    origin = f"{flag}={spec}"
    if kind not in KINDS:
        raise UserError(f"{origin}: unknown kind of source {kind!r}; use "
                        f"{DATA_SPECS}")
    if kind == "sample_photos" and argument:
        raise UserError(f"{origin}: sample_photos takes no argument, got "
                        f"{argument!r}")
    if kind == "paired" and "," not in argument:
        raise UserError(f"{origin}: paired takes two folders, "
                        f"paired:GRAY_DIR,COLOR_DIR")
    if kind in ("folder", "paired"):
        for directory in argument.split(",", 1 if kind == "paired" else 0):
            next(list_images(directory, origin=origin))
    elif kind in ("kaggle_npy", "shards"):
        require_folder(argument, origin=origin)
    return kind, argument


def require_preparable(spec: str) -> tuple[str, str]:
    """Checks that `prepare` takes a data spec, and that its folder has files.

    Args:
      spec: the value of --data.

    Returns:
      The kind, and what follows its colon.

    Raises:
      UserError: the kind is another one, or the folder is missing or empty.
    """
    kind, _, argument = spec.partition(":")
    origin = f"--data={spec}"
    if kind not in ("sample_photos", "folder", "tfds") or (
            kind == "sample_photos" and argument):
        raise UserError(f"{origin} cannot be prepared; use sample_photos, "
                        f"folder:DIR or tfds:NAME[/CONFIG][@SPLIT][#FEATURE]")
    if kind == "folder":
        require_folder(argument, origin=origin)
        if next(list_files(argument, origin=origin), None) is None:
            raise UserError(f"{origin} contains no file")
    return kind, argument


def require_folder(directory: str, *, origin: str) -> None:
    """Checks that a folder is there.

    Args:
      directory: the folder.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: it is not.
    """
    if not os.path.isdir(directory):
        raise UserError(f"{origin}: there is no folder {directory!r}")


def list_images(directory: str, *, origin: str) -> Iterator[str]:
    """Yields the image files below a folder, as list_files.

    Results of colorize are left out, which is reported at the end.

    Raises:
      UserError: the folder is missing, a folder cannot be listed, or there is
        no image file.
    """
    require_folder(directory, origin=origin)
    names = list_files(directory, origin=origin, endings=ENDINGS,
                       with_results=False)
    first = next(names, None)
    if first is None:
        raise UserError(
            f"{origin}: there is no image file below {directory!r}; looked for "
            f"{', '.join(ENDINGS)} in it and its subfolders")
    yield first
    yield from names


def list_files(directory: str, *, origin: str,
               endings: tuple[str, ...] = ("",),
               with_results: bool = True) -> Iterator[str]:
    """Yields the files below a folder, as paths relative to it.

    A folder's own files come first, by name, then its subfolders. Hidden files
    and folders are skipped; links to folders are followed, each folder once.

    Args:
      directory: the folder.
      origin: the flag and data spec, for messages.
      endings: allowed endings, in lower case.
      with_results: whether to yield results of colorize, too; otherwise their
        number is reported at the end.

    Raises:
      UserError: a folder cannot be listed.
    """
    def refuse(error):
        raise UserError(
            f"{origin}: cannot list {error.filename!r}: {error.strerror}")

    seen, num_results = set(), 0
    for parent, folders, files in os.walk(
            directory, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link back up, or a second path to the folder
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        inside = os.path.relpath(parent, directory)
        results = set() if with_results else find_results(files)
        num_results += len(results)
        for name in sorted(set(files) - results):
            if name[0] != "." and name.lower().endswith(endings):
                yield name if inside == "." else os.path.join(inside, name)
    if num_results:
        logging.warning("%s: %d results of colorize are left out", origin,
                        num_results)
