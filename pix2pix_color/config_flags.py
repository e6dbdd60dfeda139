"""Flags to Config, and Config to flag files and back.

Nothing here imports TensorFlow, so a wrong flag is reported at once.
"""

import dataclasses
from typing import Any, Callable, Mapping, Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color import recipes
from pix2pix_color.config import Config
from pix2pix_color.config.option import allowed_values

# The last line of a file from config_to_text. A truncated file lacks it, and
# its missing flags would silently become defaults.
_END = "\n# end\n"

# What --help lists first.
_FOREMOST = ("data", "workdir", "initial_weights", "generator", "image_size",
             "batch_size", "epochs", "learning_rate", "gan_weight", "degrade")
# Those of Config.training that --help lists by themselves.
_LOSSES = ("gan_loss", "label_smoothing", "l1_weight", "psnr_weight",
           "colorfulness_weight", "semantic_weight", "classifier_weights")

_DEFINE: dict[type, Callable] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}
# Those whose option `holds` something.
_DEFINE_HOLDER = {"path": command.define_path, "data": command.define_data}


def define_config_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for every option of Config."""
    for field, default in Config().options():
        allowed = allowed_values(field)
        help_text = field.metadata["help"] + (allowed and f" ({allowed})")
        # Config checks the values, wherever they come from.
        define = (_DEFINE_HOLDER.get(field.metadata["holds"])
                  or _DEFINE[type(default)])
        define(field.name, default, help_text, flag_values=flag_values)


def help_groups() -> dict[str, list[str]]:
    """Groups the flags for --help: heading -> names."""
    default = Config()

    def names_of(*groups):
        return [field.name for group in groups
                for field in dataclasses.fields(group)
                if field.name not in (*_FOREMOST, *_LOSSES)]

    return {"What most runs set": list(_FOREMOST),
            "Photographs": names_of(default.data),
            "Networks": names_of(default.networks),
            "Losses": list(_LOSSES),
            "Training": names_of(default.training),
            "Run folder and reports": names_of(default.reporting)}


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> Config:
    """Builds a Config from parsed flags.

    Raises:
      UserError: a value is not allowed, or contradicts another one.
    """
    def parsed(group):
        return dataclasses.replace(group, **{
            field.name: getattr(flag_values, field.name)
            for field in dataclasses.fields(group)})

    default = Config()
    return Config(**{group.name: parsed(getattr(default, group.name))
                     for group in dataclasses.fields(Config)})


def config_from_file(path: str, *, whole: bool = False) -> Config:
    """Reads a flag file, such as a run's config.flags.

    Args:
      path: the file.
      whole: whether to insist that config_to_text wrote it, and that it is not
        truncated.

    Raises:
      UserError: it cannot be read, or has an unknown or wrong flag.
    """
    if whole:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            if not file.read().endswith(_END):
                raise UserError(f"{path} does not end as it was written")
    return _parse([f"--flagfile={path}"], path)


def config_from_text(text: str, *, origin: str) -> Config:
    """Reads text from config_to_text.

    Args:
      text: content of a flag file.
      origin: its source, for messages.

    Raises:
      UserError: it has an unknown or wrong flag.
    """
    return _parse([line for line in text.splitlines()
                   if line.startswith("--")], origin)


def config_from_options(recipe: str, options: Mapping[str, Any]) -> Config:
    """Builds a Config of a recipe and of options that go before it.

    Args:
      recipe: a flag file or a recipe's name; empty for the defaults.
      options: name -> value.

    Raises:
      UserError: there is no such recipe or option, or a value is not allowed.
    """
    arguments = [f"--flagfile={recipes.find_flag_file(recipe)}"
                 ] if recipe else []
    arguments += [f"--{name}={value}" for name, value in options.items()]
    return _parse(arguments, "options")


def _parse(arguments: Sequence[str], origin: str) -> Config:
    flag_values = flags.FlagValues()
    flags.DEFINE_string("flagfile", "", "", flag_values)
    define_config_flags(flag_values)
    try:
        flag_values(["", *arguments])
    except flags.Error as error:
        raise UserError(f"{origin}: {command.one_line(error)}") from error
    return config_from_flags(flag_values)


def config_to_text(config: Config) -> str:
    """Writes a flag file that reproduces a Config."""
    lines = ["# Repeat this run: python -m pix2pix_color.fit --flagfile=THIS"]
    for field, value in config.options():
        lines.append(f"--{field.name}={value}")
    return "\n".join(lines) + _END
