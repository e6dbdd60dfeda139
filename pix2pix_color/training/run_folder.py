"""A run's folder: where everything is, and whose it is.

    config.flags        the run's flags, re-runnable as they stand
    run.json            versions, hardware, data, final metrics
    train/, eval/       event files for TensorBoard
    checkpoints/        TensorFlow checkpoints, numbered by step
    samples/            PNG grids: gray row, generated row, real row
    export/<version>/   SavedModels
"""

import json
import os
from typing import Any

from pix2pix_color import cli
from pix2pix_color.config import Config, ConfigError, differing_options


class RunFolder:
    """The folder of one run.

    Attributes:
      path: the folder itself, the value of --workdir.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.flags_path = os.path.join(path, "config.flags")
        self.run_path = os.path.join(path, "run.json")
        self.checkpoints_dir = os.path.join(path, "checkpoints")
        self.samples_dir = os.path.join(path, "samples")
        self.export_dir = os.path.join(path, "export")

    def claim(self, config: Config) -> None:
        """Makes the folder, or checks that an existing one is the same run's.

        Raises:
          ConfigError: the folder holds another run, whose differing flags are
            named, or something that is no run at all.
          OSError: the folder cannot be made or written to.
        """
        if os.path.exists(self.flags_path):
            differing = differing_options(self.config(), config)
            if differing:
                raise ConfigError(
                    f"--workdir={self.path} holds a run made with other flags: "
                    f"{'; '.join(differing)}. Choose another --workdir, or the "
                    f"same flags")
        elif os.path.isdir(self.path) and os.listdir(self.path):
            raise ConfigError(
                f"--workdir={self.path} is not empty and holds no run; choose "
                f"another folder")
        for directory in (self.path, self.checkpoints_dir, self.samples_dir):
            os.makedirs(directory, exist_ok=True)
        write_atomically(self.flags_path, cli.config_to_text(config).encode())

    def config(self) -> Config:
        """Reads the flags that the run was made with.

        Raises:
          ConfigError: the folder holds no run, or one of another version.
        """
        if not os.path.exists(self.flags_path):
            raise ConfigError(f"{self.path!r} holds no run: there is no "
                              f"config.flags in it")
        return cli.config_from_file(self.flags_path)

    def write_run_json(self, facts: dict[str, Any]) -> None:
        """Writes run.json, replacing an earlier one."""
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        # A file's name may hold bytes that are no text: \udcXX in JSON too.
        write_atomically(self.run_path, text.encode(errors="backslashreplace"))

    def sample_path(self, name: str) -> str:
        """Where the sample grid of this name belongs."""
        return os.path.join(self.samples_dir, f"{name}.png")


def write_atomically(path: str, content: bytes) -> None:
    """Writes a file so that it is there whole or, on any failure, not at all.

    Raises:
      OSError: as open and write do; an earlier file of that name is unharmed.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
