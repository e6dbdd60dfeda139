"""Several devices and several processes train what one of them would."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.pix2pix_color.training import processes

STEPS = 12
# The discriminator's turns are the loop's, whoever makes the updates; each
# kind of update is traced for every device, which takes most of the time.
COURSE = dict(processes.COURSE, lr_schedule="linear", discriminator_steps=1.0)


def fit(workdir, **options):
    """Trains in a process of its own; returns the run's folder."""
    num_devices = options.pop("num_devices", 1)
    log = workdir.parent / f"{workdir.name}.log"
    process = processes.start(
        processes.config(workdir, steps=STEPS, **COURSE, **options), log,
        num_devices=num_devices)
    process.join()
    assert process.exitcode == 0, log.read_text()
    return workdir


def loss_curves(workdir):
    """tag -> float32 [points] of the training losses."""
    import tensorflow as tf
    from tensorboard.compat.proto import tensor_pb2

    curves: dict[str, list[tuple[int, float]]] = {}
    for folder, tag, step, content in processes.events(workdir):
        if folder.startswith("train") and tag.startswith("loss/"):
            curves.setdefault(tag, []).append((step, float(tf.make_ndarray(
                tensor_pb2.TensorProto.FromString(content)))))
    return curves


def assert_same_curves(workdir, other, *, rtol=2e-3):
    ours, theirs = loss_curves(workdir), loss_curves(other)
    assert ours.keys() == theirs.keys() and len(ours) == 8
    for tag, points in ours.items():
        np.testing.assert_allclose(points, theirs[tag], rtol=rtol,
                                   err_msg=tag)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of a run on one device."""
    return fit(tmp_path_factory.mktemp("alone") / "run", precision="float32")


@pytest.mark.slow
def test_two_devices_train_as_one_does_with_the_same_batch(alone, tmp_path):
    both = fit(tmp_path / "both", precision="float32", num_devices=2,
               distribute="mirrored")
    assert_same_curves(both, alone)
    ours, theirs = map(processes.saved_variables, (both, alone))
    name = "next_ordinals/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_array_equal(ours[name], theirs[name])
    averages = [name for name in ours if name.startswith("average/")]
    assert len(averages) > 20
    for name in averages:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-3,
                                   err_msg=name)
    # A checkpoint knows the generator's weights as its optimizer's.
    weights = [name for name in ours if name.startswith((
        "generator/", "generator_optimizer/_trainable_variables/"))]
    assert len(weights) == len(averages)
    sizes = [sum(np.abs(ours[name]).sum() for name in names)
             for names in (weights, averages)]
    assert sizes[0] != pytest.approx(sizes[1], rel=1e-6)


@pytest.mark.slow
def test_batch_norm_of_each_device_by_itself_is_another_training(
        alone, tmp_path):
    apart = fit(tmp_path / "apart", precision="mixed_bfloat16", num_devices=2,
                distribute="mirrored", sync_batch_norm=False)
    with pytest.raises(AssertionError):
        assert_same_curves(apart, alone)
    assert all(np.isfinite(points).all()
               for points in loss_curves(apart).values())


class Cluster:
    """Two workers on loopback, real processes of the command line."""

    def __init__(self, directory):
        self._directory = directory
        self._addresses = []
        for _ in range(2):
            with socket.socket() as taken:
                taken.bind(("localhost", 0))
                self._addresses.append(f"localhost:{taken.getsockname()[1]}")
        self.processes = {}

    def workdir(self, index):
        return self._directory / f"worker{index}"

    def log(self, index):
        return self._directory / f"worker{index}.log"

    def weights(self, index):
        with np.load(self._directory / f"worker{index}.npz") as file:
            return [file[name] for name in file.files]

    def start(self, index):
        settings = {"cluster": {"worker": self._addresses},
                    "task": {"type": "worker", "index": index}}
        options = dict(COURSE, steps=STEPS, precision="float32",
                       distribute="multiworker")
        with open(self.log(index), "a") as log:
            self.processes[index] = subprocess.Popen(
                [sys.executable, "-m", "tests.pix2pix_color.training.worker",
                 str(self.workdir(index)),
                 str(self._directory / f"worker{index}.npz"),
                 json.dumps(options)],
                env={**os.environ, "TF_CONFIG": json.dumps(settings)},
                stdout=log, stderr=log)

    def wait(self):
        for index, process in self.processes.items():
            try:
                assert process.wait(300) == 0
            except (AssertionError, subprocess.TimeoutExpired):
                raise AssertionError(self.log(index).read_text()) from None


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    for process in made.processes.values():
        process.kill()


def test_two_workers_go_on_when_one_was_killed(alone, cluster):
    cluster.start(0)
    cluster.start(1)
    first = cluster.workdir(0) / "checkpoints" / "step-0000004"
    while not first.exists():
        assert cluster.processes[0].poll() is None, cluster.log(0).read_text()
        time.sleep(0.05)
    cluster.processes[1].kill()
    cluster.processes[1].wait()
    time.sleep(1)
    cluster.start(1)
    cluster.wait()
    assert "another worker was lost" in cluster.log(0).read_text()
    assert "resuming    at step" in cluster.log(0).read_text()
    for ours, theirs in zip(cluster.weights(0), cluster.weights(1)):
        np.testing.assert_array_equal(ours, theirs)
    assert_same_curves(cluster.workdir(0), alone)
    # Only the chief writes.
    assert not cluster.workdir(1).exists()
