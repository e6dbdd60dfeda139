"""Start and end of every command of the project, and flags they share."""

import contextlib
import gc
import io
import os
import sys
import tempfile
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from absl import app, flags, logging

from data_pipelines import command_help
from data_pipelines.errors import Interrupted, UserError

# The exit code of work that was interrupted, was saved, and goes on when the
# same command is run again (EX_TEMPFAIL of sysexits.h).
INTERRUPTED_EXIT_CODE = 75

# What --data may be; data_pipelines.sources opens them.
DATA_SPECS = ("sample_photos, folder:DIR, paired:GRAY_DIR,COLOR_DIR, "
              "tfds:NAME[/CONFIG][@SPLIT][#FEATURE], kaggle_npy:DIR or "
              "shards:DIR")
# Decoding this many takes less than 1 GiB in each format. The most, 0.9 GiB,
# goes to progressive JPEG, which keeps all coefficients.
MAX_PIXELS = 100_000_000

# --help lists a flag under the command that asked for it, not under this
# module.
flags.disclaim_key_flags()


class _PathParser(flags.ArgumentParser[str]):
    """Parses the path of a file or folder."""

    def parse(self, argument: str) -> str:
        return _expand_home(argument)


class _DataParser(flags.ArgumentParser[str]):
    """Parses a data spec, which may name folders."""

    def parse(self, argument: str) -> str:
        kind, colon, where = argument.partition(":")
        if kind == "tfds":
            return argument
        paths = where.split(",", 1) if kind == "paired" else [where]
        return kind + colon + ",".join(map(_expand_home, paths))


class _PathsParser(flags.ArgumentParser[list[str]]):
    """Parses paths that are separated by commas."""

    def parse(self, argument: Any) -> list[str]:
        paths = argument.split(",") if isinstance(argument, str) else argument
        return [_expand_home(path) for path in paths]


def _expand_home(path: str) -> str:
    expanded = os.path.expanduser(path)
    if expanded == path and path.startswith("~"):
        raise ValueError(f"there is no home folder {path.partition('/')[0]}; "
                         f"write ./{path} for a file or folder of that name")
    return expanded


def define_path(name: str, default: Any, help_text: str,
                **settings: Any) -> flags.FlagHolder[str]:
    """Defines a flag for a path, in which ~ and ~user are home folders.

    Args:
      name: the flag's name.
      default: its default; may be None.
      help_text: what --help says.
      **settings: as for flags.DEFINE.
    """
    return flags.DEFINE(_PathParser(), name, default, help_text,
                        serializer=flags.ArgumentSerializer(), **settings)


def define_paths(name: str, default: Sequence[str],
                 help_text: str) -> flags.FlagHolder[list[str]]:
    """Defines a flag for paths that are separated by commas."""
    return flags.DEFINE(_PathsParser(), name, default, help_text,
                        serializer=flags.ListSerializer(","))


def define_data(name: str, default: Any, help_text: str,
                **settings: Any) -> flags.FlagHolder[str]:
    """Defines a flag for a data spec, whose folders are paths."""
    return flags.DEFINE(_DataParser(), name, default, help_text,
                        serializer=flags.ArgumentSerializer(), **settings)


def define_tfds_data_dir() -> flags.FlagHolder[str]:
    """Defines --tfds_data_dir."""
    return define_path(
        "tfds_data_dir", "", "Folder of TensorFlow Datasets' data sets; empty "
        "for its default.")


def define_max_pixels() -> flags.FlagHolder[int]:
    """Defines --max_pixels."""
    return flags.DEFINE_integer(
        "max_pixels", MAX_PIXELS, "Largest picture that is decoded, in pixels; "
        "larger ones are refused.", lower_bound=1)


def run(main: Callable[[Sequence[str]], None],
        groups: Optional[Mapping[str, Sequence[str]]] = None, *,
        rewrite: Callable[[Sequence[str]], Sequence[str]] = list) -> None:
    """Runs a command.

    Exits with 0 if the work was done. What the user can fix (a wrong flag, a
    missing folder, a full disk) becomes one line on standard error and exit
    code 1. Anything else is a bug and shows its stack trace. Work that was
    interrupted and saved exits with INTERRUPTED_EXIT_CODE.

    Args:
      main: takes the arguments that are not flags, beginning with the command.
        They are paths: ~ and ~user are home folders, as in a path flag.
      groups: heading -> names of flags, for --help; None for no groups.
      rewrite: what the command does with its arguments before they are parsed;
        a UserError of it ends the command.
    """
    def parse(arguments):
        if not command_help.ARGUMENTS.isdisjoint(arguments):
            with contextlib.suppress(BrokenPipeError):  # as by `| head`
                print(command_help.help_text(groups or {}))
            sys.exit(0)
        return _parse(arguments, rewrite=rewrite)

    def guarded(arguments):
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)  # TensorFlow raises it
        if isinstance(sys.stdout, io.TextIOWrapper):
            # File names may hold bytes that are not text.
            sys.stdout.reconfigure(errors="surrogateescape")
        try:
            main([arguments[0], *map(_expand_unless_there, arguments[1:])])
        except UserError as error:
            sys.exit("error: " + str(error).replace("\n", "\nerror: "))
        except BrokenPipeError:  # as by `| head`
            sys.exit("error: standard output was closed before the end")
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            sys.exit(f"error: {error.strerror or one_line(error)}{where}")
        except _tensorflow_file_errors() as error:
            sys.exit(f"error: {one_line(error)}")
        except Interrupted as interrupted:
            print(interrupted, file=sys.stderr)
            sys.exit(INTERRUPTED_EXIT_CODE)
        except KeyboardInterrupt:
            sys.exit("interrupted")

    try:
        app.run(guarded, flags_parser=parse)
    finally:
        _flush_stdout()


def refuse_arguments(arguments: Sequence[str]) -> None:
    """Refuses arguments that are not flags.

    Raises:
      UserError: there is one; most often a flag without its `--`.
    """
    if len(arguments) > 1:
        raise UserError(f"Unexpected argument {arguments[1]!r}. Write flags as "
                        f"--name=value; --help lists them.")


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keeps the import of TensorFlow quiet and quick: import inside the block.

    TensorFlow prints half a dozen lines on standard error when it is imported,
    and no setting turns them off. They are shown only if the import fails.

    Modules stay until the process ends. The garbage collector is therefore off
    during the import and skips their half a million objects afterwards, which
    makes a run of a few updates a fifth faster.

    Where TensorFlow is there already, the block is run as it is.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    gc.disable()
    try:
        with stderr_held_back():
            yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Holds back what this process and its children write to file descriptor 2.

    Shows it if the block ends with an exception that is a bug.
    """
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, (UserError, Interrupted,
                                      KeyboardInterrupt)):
                held.seek(0)
                os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def one_line(message: object) -> str:
    """Joins a message's lines."""
    return " ".join(str(message).split())


def _expand_unless_there(path: str) -> str:
    # A shell's * may name a file that really begins with ~.
    return path if os.path.lexists(path) else os.path.expanduser(path)


def _tensorflow_file_errors() -> tuple[type[Exception], ...]:
    """Returns TensorFlow's errors for a disk that is full, locked or gone."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return ()
    errors = tensorflow.errors
    return (errors.PermissionDeniedError, errors.ResourceExhaustedError,
            errors.FailedPreconditionError, errors.NotFoundError)


def _parse(arguments: Sequence[str], *,
           rewrite: Callable[[Sequence[str]], Sequence[str]]
           ) -> Sequence[str]:
    try:
        return flags.FLAGS(rewrite(arguments))
    except (flags.Error, UnicodeError, UserError) as error:
        sys.exit(f"error: {one_line(error)}")
    except (SystemExit, BrokenPipeError):  # absl ends --helpfull with 1
        sys.exit(0)


def _flush_stdout() -> None:
    """Prints what is left; whoever closed a pipe does not want it.

    Python would print a traceback at its end.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
