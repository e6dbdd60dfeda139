"""Finds the photographs and videos below folders, and says what is left out.

Hidden files and folders are passed over without a word. Links to folders are
followed, each real folder once. Pipes and devices are not opened.
"""

import dataclasses
import enum
import glob
import os
from typing import Iterator

from data_pipelines.errors import UserError
from data_pipelines.files import UNFINISHED
from data_pipelines.results import RESULT, SUFFIX
from pix2pix_color.colorizing.file_kind import (Content, Kind, examine,
                                                kind_of_name)


class Reason(enum.Enum):
    """A reason to pass over a file: as one is called, and as several are."""

    OTHER = "not a photograph or video", "not photographs or videos"
    RAW = ("camera raw file, which must be developed and saved as TIFF or "
           "JPEG first", "camera raw files, which must be developed and "
           "saved as TIFF or JPEG first")
    RESULT = "result of an earlier run", "results of earlier runs"
    UNFINISHED = "leftover of an interrupted run", "leftovers of earlier runs"
    IN_OUTPUT_DIR = "in the folder of the results", "in the folder of results"
    EXISTING = "whose result exists", "whose results exist"


@dataclasses.dataclass(frozen=True)
class Found:
    """A photograph or video.

    Attributes:
      path: the file.
      folder: the folder of its results.
      content: what it holds.
    """

    path: str
    folder: str
    content: Content


@dataclasses.dataclass(frozen=True)
class PassedOver:
    """A file that is not colored, and why."""

    path: str
    reason: Reason


def find_files(argument: str,
               output_dir: str) -> Iterator[Found | PassedOver]:
    """Finds what a folder or a pattern stands for.

    Folders keep their structure below output_dir; so do the folders that a
    pattern such as `photos/*/*.jpg` runs through.

    Args:
      argument: a folder, or a pattern as glob.glob takes it.
      output_dir: the results' folder; empty for beside each file.

    Yields:
      Photographs, videos and what is passed over, in a fixed order.

    Raises:
      UserError: a folder cannot be read, or nothing matches the pattern.
    """
    if os.path.isdir(argument):
        yield from _sort_out(_walk(argument), argument, output_dir)
        return
    matches = sorted(glob.glob(argument, recursive=True))
    if not matches:
        raise UserError(f"{argument} matches no file")
    fixed = argument.split(os.sep)
    while glob.has_magic(os.sep.join(fixed)):
        fixed.pop()
    yield from _sort_out(
        (path for match in matches for path in (
            _walk(match) if os.path.isdir(match) else [match])),
        os.sep.join(fixed) or (os.sep if os.path.isabs(argument) else "."),
        output_dir)


def _walk(top: str) -> Iterator[str]:
    """Yields the files below a folder, those behind links last."""
    seen, waiting = set(), [top]
    while waiting:
        for directory, folders, names in os.walk(
                waiting.pop(0), onerror=_refuse_folder):
            real = os.path.realpath(directory)
            if real in seen:  # a circle, or another way to a folder
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if name[0] != ".")
            waiting += [path for name in folders if os.path.islink(
                path := os.path.join(directory, name))]
            yield from (os.path.join(directory, name)
                        for name in sorted(names) if name[0] != ".")


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"{error.filename}: {error.strerror}")


def _sort_out(paths: Iterator[str], root: str,
              output_dir: str) -> Iterator[Found | PassedOver]:
    """Tells what is to be colored from what is passed over."""
    inner = _inner_folder(root, output_dir)
    results = _Results(root, inner)
    for path in dict.fromkeys(paths):
        directory = os.path.dirname(path)
        content = examine_if_file(path)
        reason = None
        if results.include(path):
            reason = Reason.RESULT
        elif SUFFIX in path and path.endswith(UNFINISHED):
            reason = Reason.UNFINISHED
        elif inner and _is_below(directory, inner):
            reason = Reason.IN_OUTPUT_DIR
        elif content.kind is Kind.RAW:
            reason = Reason.RAW
        elif content.kind not in (Kind.PHOTOGRAPH, Kind.VIDEO):
            reason = Reason.OTHER
        if reason:
            yield PassedOver(path, reason)
        else:
            yield Found(path, os.path.normpath(os.path.join(
                output_dir, os.path.relpath(directory or ".", root)))
                if output_dir else directory, content)


def _inner_folder(root: str, output_dir: str) -> str:
    """Returns the results' folder if it is below the root, or else ""."""
    return output_dir if (
        output_dir and _is_below(output_dir, root)
        and os.path.realpath(output_dir) != os.path.realpath(root)) else ""


def _is_below(folder: str, top: str) -> bool:
    """Tells whether a folder is the other one or below it, links followed."""
    top = os.path.realpath(top)
    return os.path.commonpath([os.path.realpath(folder), top]) == top


def examine_if_file(path: str) -> Content:
    """Tells what a file holds, or is meant to hold if it cannot be read."""
    if os.path.exists(path) and not os.path.isfile(path):
        return Content(Kind.OTHER)  # a pipe would be waited for, and emptied
    try:
        return examine(path)
    except PermissionError:  # who reads it will say so
        return Content(Kind.PHOTOGRAPH)
    except OSError:  # a link to nowhere
        return Content(kind_of_name(path))


class _Results:
    """The results of earlier runs: their photographs are still there.

    A result lies beside its photograph or at the same place below the results'
    folder.
    """

    def __init__(self, root: str, inner: str) -> None:
        self._root, self._inner = root, inner
        self._names: dict[str, dict[str, list[str]]] = {}

    def include(self, path: str) -> bool:
        directory, name = os.path.split(path)
        result = RESULT.fullmatch(name)
        if not result:
            return False
        kind = Kind.VIDEO if name.endswith(".mp4") else Kind.PHOTOGRAPH
        folders = [directory]
        if self._inner and _is_below(directory, self._inner):
            folders.append(os.path.join(self._root, os.path.relpath(
                os.path.realpath(directory), os.path.realpath(self._inner))))
        return any(examine_if_file(os.path.join(folder, source)).kind is kind
                   for folder in folders
                   for source in self._named(folder, result[1]))

    def _named(self, folder: str, name: str) -> list[str]:
        """Lists a folder's files of a name with or without an ending."""
        if folder not in self._names:
            names = self._names[folder] = {}
            try:
                listed = os.listdir(folder or ".")
            except OSError:
                listed = []
            for other in listed:
                for key in {other, os.path.splitext(other)[0]}:
                    names.setdefault(key, []).append(other)
        return self._names[folder].get(name, [])
