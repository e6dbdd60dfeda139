"""Recipes: the flag files in experiments/, which --flagfile knows by name.

    --flagfile=fine_tune                     the recipe, from any folder
    --flagfile=experiments/fine_tune.flags   the same file, in a clone
"""

import os
import pathlib
import re
from typing import Sequence

from data_pipelines.errors import UserError

# Beside this package, wherever both are installed.
_FOLDER = pathlib.Path(__file__).parents[1] / "experiments"


def find_flag_file(name: str) -> str:
    """Finds a flag file.

    Args:
      name: a path, or a recipe's name; a file of that name goes before it.

    Returns:
      The path.

    Raises:
      UserError: it has no slash, and is neither a file nor a recipe.
    """
    path = os.path.expanduser(name)
    if os.path.exists(path) or os.sep in path:
        return path
    recipes = {file.stem: str(file) for file in _FOLDER.glob("*.flags")}
    if name not in recipes:
        raise UserError(f"--flagfile={name} is no file, and no recipe; recipes "
                        f"are {', '.join(sorted(recipes))}")
    return recipes[name]


def with_paths(arguments: Sequence[str]) -> list[str]:
    """Writes the paths of recipes into a command's arguments.

    Args:
      arguments: of the command line, --flagfile=NAME or --flagfile NAME
        among them.

    Returns:
      The arguments, NAME replaced by find_flag_file(NAME).

    Raises:
      UserError: as find_flag_file.
    """
    found = list(arguments)
    for place, argument in enumerate(arguments):
        match = re.fullmatch("(--?flagfile)(=(.+))?", argument)
        if match and match[3]:
            found[place] = f"{match[1]}={find_flag_file(match[3].strip())}"
        elif match and not match[2] and place + 1 < len(found):
            found[place + 1] = find_flag_file(found[place + 1])
    return found
