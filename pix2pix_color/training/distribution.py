"""One device or many: the processes of a run, and what they exchange.

Every worker runs the same program. Each reads its own part of the training
stream, and only the chief writes into the run's folder. The chief decides
whatever must be equal on all workers.
"""

import contextlib
import json
import os
import sys
import zlib
from typing import Any, Iterator, Sequence

import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.config import Config

SUM = tf.distribute.ReduceOp.SUM
# Counts how often a process was restarted without one update in between.
_REJOINED, _MAX_TRIES = "PIX2PIX_COLOR_REJOINED", 3
# TensorFlow raises one of these when another worker is gone.
_LOST_WORKER_ERRORS = (
    tf.errors.UnavailableError, tf.errors.AbortedError,
    tf.errors.CancelledError, tf.errors.DeadlineExceededError,
    tf.errors.InternalError)


class Workers:
    """The processes and devices that train a run.

    Args:
      config: the run's flags.

    Attributes:
      strategy: TensorFlow's strategy; the default one for a single device.
      index: this process's number, from 0.
      count: number of processes.

    Raises:
      UserError: TF_CONFIG is missing or wrong, or --batch_size is not a
        multiple of the number of devices.
    """

    def __init__(self, config: Config) -> None:
        self.index, self.count = 0, 1
        distribute = config.training.distribute
        if distribute == "multiworker":
            _require_cluster()
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
            self.strategy: tf.distribute.Strategy = (
                tf.distribute.MultiWorkerMirroredStrategy(resolver))
            self.count = sum(
                len(tasks) for job, tasks in
                resolver.cluster_spec().as_dict().items()
                if job in ("chief", "worker"))
            self.index = int(resolver.task_id) + (
                resolver.task_type == "worker"
                and "chief" in resolver.cluster_spec().jobs)
        elif distribute == "mirrored":
            gpus = tf.config.list_logical_devices("GPU")
            self.strategy = tf.distribute.MirroredStrategy(
                [device.name for device in
                 gpus or tf.config.list_logical_devices("CPU")])
        else:
            self.strategy = tf.distribute.get_strategy()
        num_replicas = self.strategy.num_replicas_in_sync
        if config.data.batch_size % num_replicas:
            raise UserError(
                f"--batch_size={config.data.batch_size} must be a multiple of "
                f"the {num_replicas} devices of --distribute={distribute}")

    @property
    def is_chief(self) -> bool:
        """True in the process that writes the run's folder."""
        return self.index == 0

    def split(self, tensor: tf.Tensor) -> Any:
        """Splits a batch among this process's replicas."""
        num_local = self.strategy.num_replicas_in_sync // self.count
        if num_local == 1 and self.count == 1:
            return tensor
        shares = tf.split(tensor, num_local)
        return self.strategy.experimental_distribute_values_from_function(
            lambda replica: shares[
                replica.replica_id_in_sync_group % num_local])

    def sum(self, values: Sequence[float]) -> Sequence[float]:
        """Adds up all workers' lists of numbers, as float64."""
        if self.count == 1:
            return values
        num_local = self.strategy.num_replicas_in_sync // self.count
        mine = self.strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(values, tf.float64) * float(
                replica.replica_id_in_sync_group % num_local == 0))
        return self.strategy.reduce(SUM, mine, axis=None).numpy().tolist()

    def text_of_chief(self, text: str) -> str:
        """Returns the chief's text on every worker."""
        if self.count == 1:
            return text
        mine = list(text.encode()) if self.is_chief else []
        length = int(self.sum([float(len(mine))])[0])
        return bytes(map(int, self.sum(mine or [0.0] * length))).decode()

    def finish_update(self, next_ordinal: int, *,
                      asked_to_stop: bool) -> tuple[list[int], bool]:
        """Exchanges the workers' places in the stream after an update.

        Args:
          next_ordinal: the first example that this worker has not trained on.
          asked_to_stop: whether this worker was asked to stop.

        Returns:
          All workers' next_ordinal, and whether any of them was asked to stop.
        """
        mine = [0] * self.count
        mine[self.index] = next_ordinal
        *next_ordinals, num_asked = map(
            int, self.sum([*mine, asked_to_stop]))
        os.environ.pop(_REJOINED, None)
        return next_ordinals, num_asked > 0

    def wait_for_all(self) -> None:
        """Waits for all workers; one that ended early would count as lost."""
        self.sum([0])

    def copy_from_chief(self, variables: Sequence[tf.Variable]) -> None:
        """Copies the values of the chief's variables to all workers."""
        if self.count == 1:
            return

        def copied(variable):
            is_chief = tf.cast(self.is_chief, variable.dtype)
            replica = tf.distribute.get_replica_context()
            first = tf.cast(
                tf.equal(replica.replica_id_in_sync_group, 0), variable.dtype)
            return replica.all_reduce(SUM, variable.value() * first * is_chief)

        @tf.function(autograph=False)
        def copy():
            return [self.strategy.run(copied, (variable,))
                    for variable in variables]

        for variable, value in zip(variables, copy()):
            variable.assign(self.strategy.experimental_local_results(value)[0])

    def require_equal(self, identities: Sequence[str], *, flag: str) -> None:
        """Checks that all workers see the same photographs.

        Raises:
          UserError: they do not.
        """
        fingerprint = len(identities)
        for identity in identities if self.count > 1 else ():
            fingerprint = zlib.crc32(
                identity.encode(errors="surrogateescape"), fingerprint)
        if self.text_of_chief(str(fingerprint)) != str(fingerprint):
            raise UserError(
                f"{flag}: the workers see different photographs; each of them "
                f"needs the whole collection")


@contextlib.contextmanager
def rejoining(workers: Workers) -> Iterator[None]:
    """Restarts this process if another worker is lost inside the block.

    A process cannot join a new cluster. A restarted one waits for the lost
    worker, and the run goes on from the last checkpoint. The error is raised
    after three restarts without an update in between.
    """
    try:
        yield
    except _LOST_WORKER_ERRORS:
        num_tries = int(os.environ.get(_REJOINED, "0")) + 1
        if workers.count == 1 or num_tries > _MAX_TRIES:
            raise
        os.environ[_REJOINED] = str(num_tries)
        print("another worker was lost; waiting for it to come back",
              file=sys.stderr, flush=True)
        os.execv(sys.executable, sys.orig_argv)


def _require_cluster() -> None:
    """Checks TF_CONFIG, since TensorFlow hangs if it is wrong."""
    text = os.environ.get("TF_CONFIG", "")
    example = ('{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": '
               '{"type": "worker", "index": 0}}')
    try:
        settings = json.loads(text)
        task = settings["task"]
        tasks = settings["cluster"][task["type"]]
        fits = (isinstance(tasks, list)
                and 0 <= int(task["index"]) < len(tasks))
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise UserError(
            f"--distribute=multiworker needs TF_CONFIG={text!r} to name the "
            f"machines and this process's place among them: {example}")
