"""Where photographs come from, one module a kind."""

from data_pipelines.errors import InputError
from data_pipelines.sources import folder, sample_photos
from data_pipelines.sources.source import Source

SOURCES = {
    "sample_photos": sample_photos.open_sample_photos,
    "folder": folder.open_folder,
}


def open_source(spec: str, *, flag: str) -> Source:
    """Opens the source that a data spec names.

    Args:
      spec: `sample_photos` or `folder:DIR`.
      flag: the flag that the spec was given by, for messages: `--data`.

    Raises:
      InputError: the kind is unknown or the source cannot be opened.
    """
    kind, _, argument = spec.partition(":")
    if kind not in SOURCES:
        raise InputError(
            f"{flag}={spec}: {kind!r} is no kind of source; use sample_photos "
            f"or folder:DIR")
    return SOURCES[kind](argument, origin=f"{flag}={spec}")
