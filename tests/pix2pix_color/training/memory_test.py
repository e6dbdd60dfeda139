"""The estimate of memory grows with the batch; running out is explained."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.training import memory
from pix2pix_color.training.train_state import TrainState


def config(batch_size=16, base_filters=2):
    return Config(data=Data(image_size=32, batch_size=batch_size),
                  networks=Networks(base_filters=base_filters),
                  training=Training(ema_decay=0.0))


@pytest.fixture(scope="module")
def state():
    return TrainState.create(config(), precision="float32")


def a_picture(state):
    """What each picture of a batch adds to the estimate."""
    sizes = [memory.estimate(state, batch_size=batch_size)
             for batch_size in (0, 1, 2, 3, 100)]
    growth = np.diff(sizes) / [1, 1, 1, 97]
    assert growth == pytest.approx([growth[-1]] * 4, abs=1.0)  # whole bytes
    return growth[-1]


def test_every_picture_adds_the_same(state):
    # The generator's outputs alone, in float32: condition, eight of 16 x 16,
    # 8 x 8, ... and target.
    assert a_picture(state) > 4 * 32 * 32 * (1 + 2 + 2)
    assert a_picture(state) < 2**20


def test_half_the_precision_takes_half_but_for_the_float32_layers(state):
    mixed = TrainState.create(config(), precision="mixed_bfloat16")
    in_float32 = memory._OVERHEAD * 4 * 32 * 32 * (
        1 + 2 + 2  # the generator's condition, output and target
        + 2 * (1 + 2))  # what the discriminator is given
    assert a_picture(mixed) >= (a_picture(state) + in_float32) / 2
    assert a_picture(mixed) < 0.7 * a_picture(state)


def test_a_parameter_takes_16_bytes(state):
    wider = TrainState.create(config(base_filters=4), precision="float32")
    parameters = [sum(np.prod(variable.shape) for network in
                      (one.generator, one.discriminator)
                      for variable in network.trainable_variables)
                  for one in (state, wider)]
    without_pictures = [memory.estimate(one, batch_size=0)
                        for one in (state, wider)]
    assert np.diff(without_pictures) == 16 * np.diff(parameters)


@pytest.mark.parametrize("fitting, batch_size, advice", [
    (4, 16, "--batch_size=4 should fit"),
    (7, 16, "--batch_size=4 should fit"),  # a power of two
    (8, 16, "--batch_size=8 should fit"),
    (0, 16, "not even --batch_size=1 should fit"),
    (16, 16, "something else on this machine may need the memory"),
    (64, 3, "something else on this machine may need the memory")])
def test_running_out_names_four_flags_and_a_batch_that_fits(
        state, monkeypatch, fitting, batch_size, advice):
    available = memory.estimate(state, batch_size=fitting)
    monkeypatch.setattr(hardware, "memory_bytes", lambda: available)
    needed = memory.estimate(state, batch_size=batch_size) / 2**30
    assert memory.describe(config(batch_size), state) == (
        f"--batch_size={batch_size} --image_size=32 --base_filters=2 "
        f"--precision=auto: about {needed:.1f} GiB of "
        f"{available / 2**30:.1f} GiB; {advice}")


@pytest.mark.parametrize("error", [
    tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    tf.errors.AbortedError(None, None, "Operation received an exception: "
                           "could not create a memory object, in file")])
def test_an_exhausted_memory_is_explained(state, error):
    with pytest.raises(UserError, match="^memory ran out with --batch_size=3 "
                       "--image_size=32"):
        with memory.explained(config(3), state):
            raise error


def test_a_full_disk_is_not_taken_for_a_full_memory(state):
    full = tf.errors.ResourceExhaustedError(
        None, None, "x; No space left on device")
    with pytest.raises(tf.errors.ResourceExhaustedError):
        with memory.explained(config(3), state):
            raise full


def test_a_process_without_the_memory_for_the_networks_says_so():
    program = """
import resource, sys
from pix2pix_color import hardware
from pix2pix_color.config import (Config, UserError, Data, Networks,
                                  Training)
from pix2pix_color.training import session
hardware.describe_device()
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
try:
    session.dry_run(Config(data=Data(image_size=32, train_examples=2,
                                     batch_size=1),
                           networks=Networks(base_filters=512)))
except UserError as error:
    sys.exit(str(error))
"""
    process = subprocess.run([sys.executable, "-c", program],
                             capture_output=True, text=True)
    assert process.returncode == 1
    assert re.fullmatch(
        r"memory ran out with --batch_size=1 --image_size=32 "
        r"--base_filters=512 --precision=auto: the networks alone do not fit "
        r"in \d+\.\d GiB", process.stderr.splitlines()[-1])
