"""`folder:DIR`: every image file below a folder."""

from data_pipelines import data_spec
from data_pipelines.sources import source
from data_pipelines.sources.name_list import NameList


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
    names = NameList(data_spec.list_images(directory, origin=origin))
    return source.from_files(directory, names, origin=origin)
