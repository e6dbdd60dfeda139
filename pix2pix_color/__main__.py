"""The command `pix2pix-color`, which starts all others.

`pix2pix-color fit --epochs=1` does what `python -m pix2pix_color.fit
--epochs=1` does.
"""

import runpy
import sys

_COMMANDS = {
    "colorize": ("pix2pix_color", "colors photographs and videos"),
    "colorize_archive": ("pix2pix_color", "colors files by the million"),
    "demo": ("pix2pix_color", "colors photographs in a browser"),
    "fit": ("pix2pix_color", "trains a colorizer"),
    "evaluate": ("pix2pix_color", "measures a colorizer"),
    "export": ("pix2pix_color", "writes a run's model for serving"),
    "prepare": ("data_pipelines", "prepares a large collection for fit"),
    "inspect": ("data_pipelines", "shows what fit will see"),
}
_USAGE = "\n".join((
    "pix2pix-color COMMAND [--flag=...] [FILE...]", "",
    *(f"    {name:<18}{what}" for name, (_, what) in _COMMANDS.items()),
    "", "pix2pix-color COMMAND --help explains its flags."))


def main() -> None:
    """Starts the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h", "help"):
        print(_USAGE)
        return
    if name not in _COMMANDS:
        sys.exit(f"error: {name!r} is not a command; commands are "
                 f"{', '.join(_COMMANDS)}")
    del sys.argv[1]  # the command has its own
    runpy.run_module(f"{_COMMANDS[name][0]}.{name}", run_name="__main__",
                     alter_sys=True)


if __name__ == "__main__":
    main()
