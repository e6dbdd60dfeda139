"""Exhausted memory is explained by the flags that decide how much it takes."""

import re
import subprocess
import sys

import pytest
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color.config import Config, Data
from pix2pix_color.training import memory

CONFIG = Config(data=Data(image_size=32, batch_size=3))
ADVICE = (r"--precision=auto; lower one of the first three, or use "
          r"--precision=mixed_bfloat16; --dry_run measures the peak")


@pytest.mark.parametrize("error", [
    tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    tf.errors.AbortedError(None, None, "Operation received an exception: "
                           "could not create a memory object, in file")])
def test_exhausted_memory_names_the_flags_to_lower(error):
    with pytest.raises(UserError, match=(
            "^memory ran out with --batch_size=3 --image_size=32 "
            f"--base_filters=64 {ADVICE}$")):
        with memory.exhaustion_explained(CONFIG):
            raise error


def test_a_full_disk_is_not_taken_for_exhausted_memory():
    full = tf.errors.ResourceExhaustedError(
        None, None, "x; No space left on device")
    with pytest.raises(tf.errors.ResourceExhaustedError):
        with memory.exhaustion_explained(CONFIG):
            raise full


def test_a_process_without_the_memory_for_the_networks_says_so():
    program = """
import resource, sys
from data_pipelines.errors import UserError
from pix2pix_color import hardware
from pix2pix_color.config import Config, Data, Networks
from pix2pix_color.training import run
hardware.describe_device()


def dry_run(base_filters):
    run.dry_run(Config(
        data=Data(image_size=32, train_examples=2, batch_size=1),
        networks=Networks(base_filters=base_filters)))


dry_run(2)  # threads that cannot be started later would end the process
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
try:
    dry_run(512)
except UserError as error:
    sys.exit(str(error))
"""
    process = subprocess.run([sys.executable, "-c", program],
                             capture_output=True, text=True)
    assert process.returncode == 1
    assert re.fullmatch(
        f"memory ran out with --batch_size=1 --image_size=32 "
        f"--base_filters=512 {ADVICE}", process.stderr.splitlines()[-1])
