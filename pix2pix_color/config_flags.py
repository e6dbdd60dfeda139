"""absl flags made from config.py; flags -> Config -> config.flags -> Config.

No TensorFlow here: a wrong flag is answered before it is loaded.
"""

import dataclasses
from typing import Callable, Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color import config as config_lib
from pix2pix_color.config import Config

# The last line of what config_to_text writes: one cut off would mean defaults.
_END = "\n# end\n"

_DEFINE: dict[type, Callable] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define_config_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for every option of Config."""
    for field, default in Config().options():
        allowed = config_lib.allowed_values(field)
        help_text = field.metadata["help"] + (allowed and f" ({allowed})")
        # Config checks the bounds, whether its values come from flags or not.
        _DEFINE[type(default)](
            field.name, default, help_text, flag_values=flag_values)


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> Config:
    """Gathers the parsed flags.

    Raises:
      UserError: a value is out of bounds or contradicts another.
    """
    def gathered(group):
        return dataclasses.replace(group, **{
            field.name: getattr(flag_values, field.name)
            for field in dataclasses.fields(group)})

    default = Config()
    return Config(**{name: gathered(getattr(default, name))
                     for name in config_lib.GROUPS})


def config_from_file(path: str, *, whole: bool = False) -> Config:
    """Reads a flag file, such as the config.flags of a run.

    Args:
      path: the file.
      whole: whether it must be one that config_to_text wrote, to its end.

    Raises:
      UserError: it cannot be read, or holds a flag that is unknown or wrong.
    """
    if whole:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            if not file.read().endswith(_END):
                raise UserError(f"{path} does not end as it was written")
    return _parse([f"--flagfile={path}"], path)


def config_from_text(text: str, *, origin: str) -> Config:
    """Reads what config_to_text wrote.

    Args:
      text: a flag file's content.
      origin: where it is from, for messages.

    Raises:
      UserError: it holds a flag that is unknown or wrong.
    """
    return _parse([line for line in text.splitlines()
                   if line.startswith("--")], origin)


def _parse(arguments: Sequence[str], origin: str) -> Config:
    flag_values = flags.FlagValues()
    flags.DEFINE_string("flagfile", "", "", flag_values)
    define_config_flags(flag_values)
    for name, value in config_lib.DROPPED.items():
        flags.DEFINE_enum(name, value, [value], "", flag_values=flag_values)
    try:
        flag_values(["", *arguments])
    except flags.Error as error:
        raise UserError(f"{origin}: {command.one_line(error)}") from error
    return config_from_flags(flag_values)


def config_to_text(config: Config) -> str:
    """Writes a flag file that gives the same Config again."""
    lines = ["# Repeat this run: python -m pix2pix_color.fit --flagfile=THIS"]
    for field, value in config.options():
        lines.append(f"--{field.name}={value}")
    return "\n".join(lines) + _END
