"""`sample_photos`: the 64 freely licensed photographs in the package.

56 are for training and 8 for evaluation, always the same. CREDITS.csv beside
them gives the title, author, licence and source of each.
"""

import dataclasses
import os

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
      argument: nothing.
      origin: the flag and data spec, for messages.
    """
    del argument
    return dataclasses.replace(
        folder.open_folder(DIRECTORY, origin=origin), held_out=HELD_OUT)
