"""The names that `colorize` gives its results, beside their photographs."""

import os
import re
from typing import Iterable

SUFFIX = "_colorized"
# A result's name; group 1 is its photograph's, with or without the ending.
RESULT = re.compile(
    rf"(.+){SUFFIX}(?:_page\d+)?(?:_\d+)?\.(?:png|jpg|webp|tif|mp4)",
    re.DOTALL)


def find_results(names: Iterable[str]) -> set[str]:
    """Finds the results among the files of one folder.

    Args:
      names: all files of the folder.

    Returns:
      The names of results whose photograph is there, too.
    """
    names = set(names)
    known = names | {os.path.splitext(name)[0] for name in names}
    return {name for name in names
            if (result := RESULT.fullmatch(name)) and result[1] in known}
