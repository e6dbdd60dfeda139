"""A run's folder: its layout, and the lock that one process holds.

    config.flags        the run's flags, re-runnable as they stand
    run.json            versions, hardware, data, final metrics
    photographs.npz     which photographs there were when it last began
    train/, eval/       event files for TensorBoard
    checkpoints/        TensorFlow checkpoints, numbered by step
    samples/            PNG grids: gray row, generated row, real row
    export/<version>/   SavedModels
    .lock               held by the training process
"""

import errno
import fcntl
import json
import os
import re
from typing import IO, Any, Optional

from data_pipelines.errors import UserError
from data_pipelines.files import require_writable, write_atomically
from pix2pix_color import config_flags
from pix2pix_color.config import Config, differing_options

_STEP_FOLDER = re.compile(r"step-(\d+)")


class RunFolder:
    """The folder of one run.

    Attributes:
      path: the folder itself, the value of --workdir.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock_file: Optional[IO[str]] = None
        self.flags_path = os.path.join(path, "config.flags")
        self.run_path = os.path.join(path, "run.json")
        self.photographs_path = os.path.join(path, "photographs.npz")
        self._lock_path = os.path.join(path, ".lock")
        self.checkpoints_dir = os.path.join(path, "checkpoints")
        self.samples_dir = os.path.join(path, "samples")
        self.export_dir = os.path.join(path, "export")

    def claim(self, config: Config) -> None:
        """Makes the folder, or checks that it holds a run with the same flags.

        It stays locked until release, or until this process ends.

        Raises:
          UserError: the folder holds a run with other flags, which the message
            names, or no run; another process trains in it; or it cannot be
            written to.
        """
        try:
            self._require_same_flags(config)
            self._claim(config)
        except OSError as error:
            raise UserError(f"--workdir={self.path} cannot be used: "
                            f"{error.strerror}: {error.filename}") from error

    def require_usable(self, config: Config) -> None:
        """Checks that the folder can be claimed; makes nothing that stays.

        Raises:
          UserError: as claim.
        """
        require_writable(self.path, flag="--workdir", is_folder=True)
        self._require_same_flags(config)
        if os.path.exists(self._lock_path):
            self._lock()
            self.release()

    def _require_same_flags(self, config: Config) -> None:
        if os.path.exists(self.flags_path):
            differing = differing_options(self.config(), config)
            if differing:
                raise UserError(
                    f"--workdir={self.path} holds a run made with other flags: "
                    f"{'; '.join(differing)}. Choose another --workdir, or the "
                    f"same flags")
        elif os.path.isdir(self.path) and any(
                not name.startswith((".lock", "config.flags."))
                for name in os.listdir(self.path)):
            raise UserError(
                f"--workdir={self.path} is not empty and holds no run; choose "
                f"another folder")

    def _claim(self, config: Config) -> None:
        os.makedirs(self.path, exist_ok=True)
        self._lock()
        if not os.path.exists(self.flags_path):
            self.write_flags(config)  # makes it a run's folder
        for directory in (self.checkpoints_dir, self.samples_dir,
                          self.export_dir, os.path.join(self.path, "train"),
                          os.path.join(self.path, "eval")):
            os.makedirs(directory, exist_ok=True)
            if not os.access(directory, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES),
                                      directory)

    def _lock(self) -> None:
        self._lock_file = open(self._lock_path, "w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"--workdir={self.path} is in use: another process "
                            f"trains in it") from None

    def steps(self) -> set[int]:
        """Returns the steps of its checkpoints, good or damaged."""
        return steps_in(self.checkpoints_dir)

    def require_checkpoint(self, *, flag: str) -> None:
        """Checks that the folder holds a run, and a checkpoint of it.

        Args:
          flag: the flag that names the folder, for messages.

        Raises:
          UserError: it does not.
        """
        self.config()
        if not self.steps():
            raise UserError(f"{flag}={self.path} holds no checkpoint yet")

    def release(self) -> None:
        """Unlocks the folder, if it was claimed."""
        if self._lock_file:
            self._lock_file.close()

    def write_flags(self, config: Config) -> None:
        """Writes config.flags, replacing an earlier one."""
        write_atomically(
            self.flags_path,
            config_flags.config_to_text(config).encode(
                errors="surrogateescape"))

    def config(self) -> Config:
        """Reads the run's flags.

        Raises:
          UserError: the folder holds no run, or one of another version.
        """
        if not os.path.exists(self.flags_path):
            raise UserError(f"{self.path!r} holds no run: there is no "
                            f"config.flags in it")
        return config_flags.config_from_file(self.flags_path)

    def read_run_json(self) -> dict[str, Any]:
        """Reads run.json; returns an empty dict if there is none yet."""
        try:
            with open(self.run_path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def write_run_json(self, facts: dict[str, Any]) -> None:
        """Writes run.json, replacing an earlier one."""
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        # A file's name may hold bytes that are not text: \udcXX in JSON too.
        write_atomically(self.run_path, text.encode(errors="backslashreplace"))

    def sample_path(self, name: str) -> str:
        """Returns the path of the sample grid of this name."""
        return os.path.join(self.samples_dir, f"{name}.png")


def step_folder(step: int) -> str:
    """Returns the name of the folder of a step's checkpoint."""
    return f"step-{step:07d}"


def steps_in(directory: str) -> set[int]:
    """Returns the steps of a folder's checkpoints, good or damaged."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return {int(found[1]) for found in map(_STEP_FOLDER.fullmatch, names)
            if found}
