"""`sample_photos`: the 64 freely licensed photographs in the package.

56 are for training and 8 for evaluation, always the same. CREDITS.csv beside
them gives the title, author, licence and source of each.
"""

import dataclasses
import os

from data_pipelines.errors import UserError
from data_pipelines.sources import folder, source

DIRECTORY = os.path.join(
    os.path.dirname(os.path.dirname(__file__)), "sample_photos")

HELD_OUT = frozenset({
    "budgie_tea-gardens.jpg",
    "gcompris_camels.jpg",
    "gcompris_cow.jpg",
    "gcompris_red_panda.jpg",
    "gcompris_windmill13.jpg",
    "lomiri_picosdeeuropa.jpg",
    "skimage_coffee.jpg",
    "sklearn_china.jpg",
})


def open_sample_photos(argument: str, *, origin: str) -> source.Source:
    """Opens the embedded photographs.

    Args:
      argument: must be empty.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: it is not.
    """
    if argument:
        raise UserError(f"{origin}: sample_photos takes no argument, "
                        f"got {argument!r}")
    return dataclasses.replace(
        folder.open_folder(DIRECTORY, origin=origin), held_out=HELD_OUT)
