"""How every command of the project starts and ends."""

import contextlib
import gc
import io
import os
import sys
import tempfile
from typing import Callable, Iterator, Sequence

from absl import app, flags, logging

from data_pipelines.errors import Interrupted, UserError

# The exit code of work that was told to stop, saved what was done and goes on
# when the same command is run again (EX_TEMPFAIL of sysexits.h).
INTERRUPTED_EXIT_CODE = 75

# The words that say where photographs come from; data_pipelines.sources reads
# them.
DATA_SPECS = ("sample_photos, folder:DIR, paired:GRAY_DIR,COLOR_DIR, "
              "tfds:NAME[/CONFIG][@SPLIT], kaggle_npy:DIR or shards:DIR")
# The default of --max_pixels. Decoding that many takes less than 1 GiB in each
# of the formats; the most, 0.9 GiB, in progressive JPEG, which keeps all
# coefficients.
MAX_PIXELS = 100_000_000

flags.disclaim_key_flags()  # those defined here are the commands'


def define_tfds_data_dir() -> flags.FlagHolder[str]:
    """Defines --tfds_data_dir."""
    return flags.DEFINE_string(
        "tfds_data_dir", "", "TensorFlow Datasets' folder of data sets; empty "
        "for its default.")


def define_max_pixels() -> flags.FlagHolder[int]:
    """Defines --max_pixels."""
    return flags.DEFINE_integer(
        "max_pixels", MAX_PIXELS, "Largest height times width of an image; "
        "larger ones are refused before they take memory.", lower_bound=1)


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Runs a command.

    Exits 0 when its work was done. What the user can mend (a wrong flag, a
    missing folder, a full disk) is one line on standard error and exit code 1;
    anything else is a bug and shows its stack trace. Work that was told to stop
    and is saved exits with INTERRUPTED_EXIT_CODE.

    Args:
      main: takes the arguments that are not flags, the command first.
    """
    def guarded(arguments):
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)  # TensorFlow raises it
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A file's name may hold bytes that are no text.
            sys.stdout.reconfigure(errors="surrogateescape")
        try:
            main(arguments)
        except UserError as error:
            sys.exit(f"error: {error}")
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

    app.run(guarded, flags_parser=_parse)


def refuse_arguments(arguments: Sequence[str]) -> None:
    """Refuses what is no flag, for commands that take flags alone.

    Raises:
      UserError: something is left over; most often a flag without its `--`.
    """
    if len(arguments) > 1:
        raise UserError(f"{arguments[1]!r} is no flag; flags are written "
                        f"--name=value, see --help")


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keeps the import of TensorFlow quiet and quick: import inside the block.

    TensorFlow prints half a dozen lines on standard error when it is imported,
    which no setting turns off. They are shown only if the import fails.

    Imported modules stay until the process ends, so the garbage collector is
    off while they are imported and skips their half a million objects later:
    a run of a few updates takes a fifth less time.
    """
    gc.disable()
    try:
        with stderr_held_back():
            yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Keeps back what is written on file descriptor 2, by this process or by
    those that it starts; shows it when the block ends with a bug's exception.
    """
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, (UserError, KeyboardInterrupt)):
                held.seek(0)
                os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def one_line(message: object) -> str:
    """A message without its line breaks."""
    return " ".join(str(message).split())


def _tensorflow_file_errors() -> tuple[type[Exception], ...]:
    """TensorFlow's words for a disk that is full, locked or gone."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return ()
    errors = tensorflow.errors
    return (errors.PermissionDeniedError, errors.ResourceExhaustedError,
            errors.FailedPreconditionError, errors.NotFoundError)


def _parse(arguments: Sequence[str]) -> Sequence[str]:
    try:
        return flags.FLAGS(arguments)
    except (flags.Error, UnicodeError) as error:
        sys.exit(f"error: {one_line(error)}")
    except SystemExit:  # absl ends --help with 1
        sys.exit(0)
