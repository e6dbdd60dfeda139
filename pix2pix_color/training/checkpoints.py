"""Checkpoints: one folder each, whole or not there.

    checkpoints/step-0001000/state.index, state.data-...   the TrainState
                             journal.json                  see journal.py
                             config.flags                  the run's flags
"""

import json
import os
import shutil
from typing import Optional

import numpy as np
import tensorflow as tf
from absl import logging

from data_pipelines.errors import UserError
from data_pipelines.files import disk_error, plain_path, sync, write_atomically
from pix2pix_color import config_flags
from pix2pix_color.config import Config, differing_options
from pix2pix_color.run_folder import step_folder, steps_in
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

_UNFINISHED = ".unfinished"
_STATE, _JOURNAL, _FLAGS = "state", "journal.json", "config.flags"


class Checkpoints:
    """The newest checkpoints of one run, and the best one.

    Args:
      state: the state to save and restore.
      config: the run's flags, saved with it.
      directory: the folder of the checkpoints.
      keep: number of newest checkpoints to keep; the best one stays as well.
    """

    def __init__(self, state: TrainState, *, config: Config, directory: str,
                 keep: int = 1) -> None:
        self._state, self._config = state, config
        self._checkpoint = tf.train.Checkpoint(**state.checkpointed())
        self._directory, self._keep = directory, keep
        self._on_disk = -1  # the step whose state is on disk already
        self._damaged: set[int] = set()

    def steps(self) -> list[int]:
        """Returns the steps of all good checkpoints, ascending."""
        return sorted(steps_in(self._directory) - self._damaged)

    def path(self, step: int) -> str:
        """Returns the folder of a step's checkpoint."""
        return os.path.join(self._directory, step_folder(step))

    @property
    def latest(self) -> str:
        """The folder of the newest good checkpoint, or an empty string."""
        steps = self.steps()
        return self.path(steps[-1]) if steps else ""

    def save(self, journal: Journal) -> str:
        """Saves the state, and removes the checkpoints that are too old.

        Args:
          journal: saved beside the state; it names the best step.

        Returns:
          The checkpoint's folder.

        Raises:
          UserError: a variable is not finite, or the disk is full or cannot
            be written to; the other checkpoints are as they were.
        """
        for variable in self._state.shared_variables():
            if (variable.dtype.is_floating
                    and not np.isfinite(tf.reduce_sum(variable).numpy())):
                raise self.diverged(variable.name)
        path = self.path(self._state.step_number)
        try:
            if self._state.step_number == self._on_disk:
                write_atomically(os.path.join(path, _JOURNAL),
                                 _to_bytes(journal))
            else:
                self._write(path, journal)
        except (OSError, tf.errors.OpError) as error:
            raise self._cannot_save(error) from error
        self._on_disk = self._state.step_number
        self._damaged.discard(self._on_disk)
        self._remove_old(journal)
        return path

    def diverged(self, name: str) -> UserError:
        """Returns the error for a loss or variable that is not finite."""
        return UserError(
            f"step {self._state.step_number}: {name} is not finite. The "
            f"training has diverged; a lower --learning_rate or "
            f"--discriminator_learning_rate may help. The newest good "
            f"checkpoint is {self.latest or 'none'}")

    def _write(self, path: str, journal: Journal) -> None:
        """Writes a checkpoint that is there whole or not at all."""
        unfinished = os.path.join(os.path.dirname(path),
                                  f".{os.path.basename(path)}{_UNFINISHED}")
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            os.makedirs(unfinished)
            self._checkpoint.write(os.path.join(unfinished, _STATE))
            write_atomically(os.path.join(unfinished, _JOURNAL),
                             _to_bytes(journal))
            write_atomically(
                os.path.join(unfinished, _FLAGS),
                config_flags.config_to_text(self._config).encode(
                    errors="surrogateescape"))
            for name in os.listdir(unfinished):
                sync(os.path.join(unfinished, name))
            if os.path.isdir(path):  # a damaged one that was not restored
                shutil.rmtree(path)
            os.rename(unfinished, path)
            sync(os.path.dirname(path))
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _cannot_save(self, error: Exception) -> UserError:
        room = ""
        if os.path.isdir(self._directory):
            free = shutil.disk_usage(self._directory).free
            room = f"; {free / 2**20:.0f} MiB are free there"
        return UserError(
            f"step {self._state.step_number} could not be saved in "
            f"{self._directory} ({disk_error(error)}{room}). The newest good "
            f"checkpoint is {self.latest or 'none'}; make room, or lower "
            f"--keep_checkpoints, and run the same command again")

    def _remove_old(self, journal: Journal) -> None:
        good = self.steps()
        for step in [*good[:-self._keep], *self._damaged]:
            if step != journal.best.get("step") and step < good[-1]:
                shutil.rmtree(self.path(step), ignore_errors=True)
        for name in os.listdir(self._directory):
            if name.endswith(_UNFINISHED):  # left by a killed process
                shutil.rmtree(os.path.join(self._directory, name))

    def restore_latest(self) -> Optional[Journal]:
        """Restores the newest checkpoint that is not damaged.

        Returns:
          Its journal; None if there is no checkpoint.

        Raises:
          UserError: it does not fit the state, or all are damaged.
        """
        damaged = []
        for step in reversed(self.steps()):
            try:
                return self.restore(step)
            except _Damaged as error:
                damaged.append(str(error))
                self._damaged.add(step)
                logging.warning("checkpoint %s is damaged (%s); taking the one "
                                "before it", self.path(step), error)
        if damaged:
            raise UserError(
                f"no checkpoint in {self._directory} can be read: "
                f"{'; '.join(damaged)}. Move the folder away to start again")
        return None

    def restore(self, step: int) -> Journal:
        """Restores the checkpoint of a step; returns its journal.

        Raises:
          UserError: it does not fit the state, or is damaged.
        """
        path = self.path(step)
        try:
            saved = config_flags.config_from_file(
                os.path.join(path, _FLAGS), whole=True)
            with open(os.path.join(path, _JOURNAL), encoding="utf-8") as file:
                journal = Journal.from_json(json.load(file))
        except (OSError, ValueError, TypeError) as error:
            reason = "; ".join(str(error).splitlines())
            raise _Damaged(f"step {step}: {reason}") from error
        differing = differing_options(saved, self._config)
        if differing:
            raise UserError(f"checkpoint {path} was saved with other flags: "
                            f"{'; '.join(differing)}")
        try:
            # Everything in the state must be in the checkpoint.
            with plain_path(path) as plain:
                status = self._checkpoint.read(os.path.join(plain, _STATE))
                status.assert_existing_objects_matched()
        except (tf.errors.OpError, RuntimeError, IndexError) as error:
            reason = str(error).strip().splitlines()[0]
            raise _Damaged(f"step {step}: {reason}") from error
        except (AssertionError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"checkpoint {path} cannot be restored: "
                            f"{reason}") from error
        self._on_disk = step
        return journal


def _to_bytes(journal: Journal) -> bytes:
    return json.dumps(journal.to_json()).encode()


class _Damaged(UserError):
    """A checkpoint's files are not as they were written."""
