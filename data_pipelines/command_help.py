"""The text of --help: a command's docstring and its flags, in groups."""

import sys
from typing import Iterator, Mapping, Sequence

from absl import flags

ARGUMENTS = frozenset(("--help", "-help", "--helpshort", "-helpshort", "-?"))


def help_text(groups: Mapping[str, Sequence[str]]) -> str:
    """Writes the help of the command that runs.

    absl would sort all flags by their names.

    Args:
      groups: heading -> names of flags, in the order in which they are listed.
        The command's other flags follow in the order of their definition.
    """
    others = {flag.name: flag for flag in
              flags.FLAGS.get_key_flags_for_module(sys.argv[0])}
    lines = [(sys.modules["__main__"].__doc__ or "").strip()]
    for heading, names in groups.items():
        lines += ["", f"{heading}:"]
        for name in names:
            lines += _describe(others.pop(name))
    lines += ["", "Other flags:" if groups else "Flags:"]
    for flag in others.values():
        lines += _describe(flag)
    lines += ["", "Each is shown with its default. --flagfile=FILE reads flags "
                  "from a file;", "--helpfull lists the flags of libraries "
                  "too."]
    return "\n".join(lines)


def _describe(flag: flags.Flag) -> Iterator[str]:
    if flag.boolean:
        default = "yes" if flag.default else "no"
        yield f"  --[no]{flag.name} (default: {default})"
    else:
        default = (flag.default_as_str or "").strip("'")
        yield f"  --{flag.name}={default}"
    allowed = flag.parser.syntactic_help
    if flag.boolean or allowed in ("an integer", "a number"):
        allowed = ""
    yield flags.text_wrap(flag.help + (allowed and f" ({allowed})"),
                          indent="      ")
