"""absl flags made from config.py; flags -> Config -> config.flags -> Config.

No TensorFlow here: a wrong flag is answered before it is loaded.
"""

import dataclasses
import io
import sys
from typing import Callable, Sequence

from absl import app, flags, logging

from data_pipelines.errors import InputError
from pix2pix_color import config as config_lib
from pix2pix_color.config import Config, ConfigError

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
      ConfigError: a value is out of bounds or contradicts another.
    """
    def gathered(group):
        return dataclasses.replace(group, **{
            field.name: getattr(flag_values, field.name)
            for field in dataclasses.fields(group)})

    default = Config()
    return Config(**{name: gathered(getattr(default, name))
                     for name in config_lib.GROUPS})


def config_from_file(path: str) -> Config:
    """Reads a flag file, such as the config.flags of a run.

    Raises:
      ConfigError: it cannot be read, or holds a flag that is unknown or wrong.
    """
    flag_values = flags.FlagValues()
    flags.DEFINE_string("flagfile", "", "", flag_values)
    define_config_flags(flag_values)
    try:
        flag_values(["", f"--flagfile={path}"])
    except flags.Error as error:
        raise ConfigError(f"{path}: {_one_line(error)}") from error
    return config_from_flags(flag_values)


def config_to_text(config: Config) -> str:
    """Writes a flag file that gives the same Config again."""
    lines = ["# Repeat this run: python -m pix2pix_color.fit --flagfile=THIS"]
    for field, value in config.options():
        lines.append(f"--{field.name}={value}")
    return "\n".join(lines) + "\n"


def refuse_arguments(arguments: Sequence[str]) -> None:
    """Refuses what is no flag, for commands that take flags alone.

    Raises:
      ConfigError: something is left over; most often a flag without its `--`.
    """
    if len(arguments) > 1:
        raise ConfigError(f"{arguments[1]!r} is no flag; flags are written "
                          f"--name=value, see --help")


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Runs a command.

    Exits 0 when its work was done. What the user can mend (a wrong flag, a
    missing folder, a full disk) is one line on standard error and exit code 1;
    anything else is a bug and shows its stack trace.

    Args:
      main: is given the arguments that are no flags, the command first.
    """
    def guarded(arguments):
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)  # TensorFlow raises it
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A file's name may hold bytes that are no text.
            sys.stdout.reconfigure(errors="surrogateescape")
        try:
            main(arguments)
        except (ConfigError, InputError) as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            sys.exit(f"error: {error.strerror}{where}")
        except KeyboardInterrupt:
            sys.exit("interrupted")

    app.run(guarded, flags_parser=_parse)


def _parse(arguments: Sequence[str]) -> Sequence[str]:
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        sys.exit(f"error: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
