"""One process alone, and the flags of several; no cluster is needed here."""

import json
import sys
import types
from typing import cast

import pytest
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.config import Config, Data, Training
from pix2pix_color.training import distribution
from pix2pix_color.training.distribution import Workers, rejoining


def config(distribute="none", batch_size=6):
    return Config(data=Data(batch_size=batch_size),
                  training=Training(distribute=distribute))


@pytest.fixture(scope="module")
def alone():
    return Workers(config())


def test_a_process_alone_is_the_chief_of_one(alone):
    assert (alone.index, alone.count, alone.is_chief) == (0, 1, True)
    assert alone.strategy.num_replicas_in_sync == 1


def test_alone_everything_passes_through(alone):
    batch = tf.ones([6, 2])
    assert alone.split(batch) is batch
    numbers = [1.5, 0.1 + 0.2, float("inf")]
    assert alone.sum(numbers) == numbers
    assert alone.text_of_chief('{"ä": "\udce9"}') == '{"ä": "\udce9"}'
    assert alone.finish_update(30, asked_to_stop=False) == ([30], False)
    assert alone.finish_update(36, asked_to_stop=True) == ([36], True)
    variable = tf.Variable([1.0, 2.0])
    alone.copy_from_chief([variable])
    assert variable.numpy().tolist() == [1.0, 2.0]
    assert alone.wait_for_all() is None
    assert alone.require_equal(["a", "\udce9"], flag="--data=x") is None


@pytest.fixture
def begun_anew(monkeypatch):
    """The commands that this process would have been replaced by."""
    commands: list[tuple] = []
    monkeypatch.setattr(distribution.os, "execv",
                        lambda *command: commands.append(command))
    monkeypatch.delenv("PIX2PIX_COLOR_REJOINED", raising=False)
    return commands


GONE = tf.errors.UnavailableError(None, None, "gone")


def test_alone_a_lost_worker_is_an_error(alone, begun_anew):
    with pytest.raises(tf.errors.UnavailableError, match="gone"):
        with rejoining(alone):
            raise GONE
    assert begun_anew == []


def test_a_lost_worker_is_waited_for_three_times(alone, begun_anew, capsys):
    one_of_two = cast(Workers, types.SimpleNamespace(count=2))
    for tries in (1, 2, 3):
        with rejoining(one_of_two):
            raise GONE
        assert begun_anew == [(sys.executable, sys.orig_argv)] * tries
        assert capsys.readouterr().err == (
            "another worker was lost; waiting for it to come back\n")
    with pytest.raises(tf.errors.UnavailableError, match="gone"):
        with rejoining(one_of_two):
            raise GONE
    alone.finish_update(30, asked_to_stop=False)  # an update: it counts anew
    with rejoining(one_of_two):
        raise GONE
    assert len(begun_anew) == 4


def test_another_error_is_none_of_a_lost_worker(begun_anew):
    with pytest.raises(UserError):
        with rejoining(cast(Workers, types.SimpleNamespace(count=2))):
            raise UserError("a flag")
    assert begun_anew == []


def test_mirrored_over_a_single_device_takes_any_batch():
    mirrored = Workers(config("mirrored", batch_size=5))
    assert mirrored.strategy.num_replicas_in_sync == 1
    batch = tf.ones([5, 2])
    assert mirrored.split(batch) is batch


CLUSTER = {"worker": ["localhost:1", "localhost:2"]}


@pytest.mark.parametrize("tf_config", [
    None, "", "{", "[]", "null", "3", "{}",
    {"cluster": CLUSTER},
    {"task": {"type": "worker", "index": 0}},
    {"cluster": CLUSTER, "task": {"type": "worker"}},
    {"cluster": CLUSTER, "task": {"index": 0}},
    {"cluster": CLUSTER, "task": {"type": "worker", "index": 2}},
    {"cluster": CLUSTER, "task": {"type": "worker", "index": -1}},
    {"cluster": CLUSTER, "task": {"type": "worker", "index": "first"}},
    {"cluster": CLUSTER, "task": {"type": "worker", "index": None}},
    {"cluster": CLUSTER, "task": {"type": "chief", "index": 0}},
    {"cluster": CLUSTER, "task": {"type": ["worker"], "index": 0}},
    {"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}},
], ids=str)
def test_a_missing_or_wrong_tf_config_is_one_clear_line(
        monkeypatch, tf_config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if isinstance(tf_config, dict):
        tf_config = json.dumps(tf_config)
    if tf_config is not None:
        monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(UserError) as refusal:
        Workers(config("multiworker"))
    assert str(refusal.value) == (
        f"--distribute=multiworker needs TF_CONFIG={tf_config or ''!r} to name "
        f"the machines and this process's place among them: "
        '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": '
        '{"type": "worker", "index": 0}}')


# With two devices.

TWO = """
import tensorflow as tf
from pix2pix_color.config import UserError
workers = Workers(config("mirrored"))
assert workers.count == 1 and workers.is_chief
assert workers.strategy.num_replicas_in_sync == 2
batch = tf.reshape(tf.range(12.0), [6, 2])
shares = workers.strategy.experimental_local_results(workers.split(batch))
print([share.numpy()[:, 0].tolist() for share in shares])
print(workers.sum([1.5, 2.0]), workers.finish_update(6, asked_to_stop=True))
try:
    Workers(config("mirrored", batch_size=5))
except UserError as error:
    print(error)
"""


def test_two_devices_share_a_batch_that_can_be_halved(on_two_devices):
    preamble = ("from pix2pix_color.config import Config, Data, Training\n"
                "from pix2pix_color.training.distribution import Workers\n"
                "def config(distribute, batch_size=6):\n"
                "    return Config(data=Data(batch_size=batch_size),\n"
                "                  training=Training(distribute=distribute))\n")
    assert on_two_devices(preamble + TWO).splitlines() == [
        "[[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]",
        "[1.5, 2.0] ([6], True)",
        "--batch_size=5 must be a multiple of the 2 devices of "
        "--distribute=mirrored"]
