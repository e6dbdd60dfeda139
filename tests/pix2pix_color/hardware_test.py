"""The arithmetic that suits a machine, and the memory it has."""

import resource
import subprocess
import sys
import types

import pytest
import tensorflow as tf

from pix2pix_color import hardware


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that gives this machine another processor or GPUs."""
    def make(*, cpu_flags="", capabilities=()):
        cpu_info = tmp_path / "cpuinfo"
        cpu_info.write_text(
            f"model name\t: Some CPU\nflags\t\t: {cpu_flags}\n")
        monkeypatch.setattr(hardware, "CPU_INFO_PATH", str(cpu_info))
        gpus = [f"gpu{number}" for number in range(len(capabilities))]
        details = {gpu: {"compute_capability": capability,
                         "device_name": f"Card {capability}"}
                   for gpu, capability in zip(gpus, capabilities)}
        monkeypatch.setattr(tf.config, "list_physical_devices",
                            lambda kind: gpus if kind == "GPU" else [])
        monkeypatch.setattr(tf.config.experimental, "get_device_details",
                            details.get)

    return make


@pytest.mark.parametrize("flags, expected", [
    ("fpu avx2 avx512f", "float32"),
    ("fpu avx512_bf16 avx512f", "mixed_bfloat16"),
    ("fpu amx_bf16", "mixed_bfloat16"),
])
def test_a_cpu_trains_in_bfloat16_where_it_has_it(machine, flags, expected):
    machine(cpu_flags=flags)
    assert hardware.resolve_precision("auto") == expected
    assert hardware.describe_device().startswith("CPU: Some CPU, ")


@pytest.mark.parametrize("capabilities, expected", [
    ([(7, 5)], "float32"), ([(8, 0)], "mixed_bfloat16"),
    ([(9, 0), (7, 0)], "float32"),
])
def test_gpus_train_in_bfloat16_from_ampere_on(
        machine, capabilities, expected):
    machine(cpu_flags="avx512_bf16", capabilities=capabilities)
    assert hardware.resolve_precision("auto") == expected
    assert hardware.describe_device().startswith(
        f"{len(capabilities)} GPU(s): Card ")


@pytest.mark.parametrize("value, capabilities, num_replicas, expected", [
    ("auto", [], 1, False), ("auto", [(7, 0)], 1, True),
    ("auto", [(7, 0)] * 2, 2, False), ("on", [], 1, True),
    ("off", [(7, 0)], 1, False)])
def test_xla_compiles_where_it_is_faster_or_asked_for(
        machine, value, capabilities, num_replicas, expected):
    machine(capabilities=capabilities)
    assert hardware.resolve_jit_compile(
        value, num_replicas=num_replicas) is expected


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16",
                                       "mixed_float16"])
def test_what_was_asked_for_is_taken(machine, precision):
    machine()
    assert hardware.resolve_precision(precision) == precision


def test_memory_grows_with_need_and_repeats_are_exact_when_asked(monkeypatch):
    done = []
    monkeypatch.setattr(tf.config, "list_physical_devices",
                        lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth",
                        lambda *arguments: done.append(arguments))
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism",
                        lambda: done.append("deterministic"))
    hardware.claim_devices()
    assert done == [("GPU:0", True), ("GPU:1", True)]
    hardware.claim_devices(deterministic=True)
    assert done[2:] == ["deterministic", ("GPU:0", True), ("GPU:1", True)]


def test_a_gpu_that_a_notebook_used_before_stays_as_it_is(monkeypatch):
    def too_late(*arguments):
        raise RuntimeError("cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices",
                        lambda kind: [f"{kind}:0"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", too_late)
    hardware.claim_devices()


@pytest.fixture
def memory(monkeypatch, tmp_path):
    """A function that gives this machine other memory limits."""
    def make(*, physical, process=resource.RLIM_INFINITY, container=None):
        pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": physical // 4096}
        monkeypatch.setattr(hardware.os, "sysconf", pages.__getitem__)
        monkeypatch.setattr(hardware.resource, "getrlimit",
                            lambda kind: (process, resource.RLIM_INFINITY))
        path = tmp_path / "memory.max"
        if container is not None:
            path.write_text(container)
        monkeypatch.setattr(hardware, "CGROUP_LIMIT_PATH", str(path))

    return make


GIB = 2**30


@pytest.mark.parametrize("limits, expected", [
    (dict(physical=8 * GIB), 8),
    (dict(physical=8 * GIB, container="max\n"), 8),
    (dict(physical=8 * GIB, container=f"{3 * GIB}\n"), 3),
    (dict(physical=8 * GIB, process=2 * GIB, container=f"{3 * GIB}\n"), 2),
    (dict(physical=8 * GIB, process=9 * GIB, container=f"{10 * GIB}\n"), 8),
])
def test_the_lowest_limit_of_memory_counts(memory, limits, expected):
    memory(**limits)
    assert hardware.memory_bytes() == expected * GIB


def test_the_smallest_gpu_counts(memory, monkeypatch):
    memory(physical=GIB)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    monkeypatch.setattr(hardware.device_lib, "list_local_devices", lambda: [
        types.SimpleNamespace(device_type=kind, memory_limit=gib * GIB)
        for kind, gib in (("CPU", 1), ("GPU", 24), ("GPU", 16))])
    assert hardware.memory_bytes() == 16 * GIB


def test_the_peak_of_a_process_without_gpu_is_its_resident_one(monkeypatch):
    peak = hardware.peak_memory_bytes()
    assert 50 * 2**20 < peak < GIB * 100
    monkeypatch.setattr(hardware.resource, "getrusage",
                        lambda who: types.SimpleNamespace(ru_maxrss=12))
    assert hardware.peak_memory_bytes() == 12 * 1024


def test_the_peak_of_a_gpu_is_tensorflow_s(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    monkeypatch.setattr(
        tf.config.experimental, "get_memory_info",
        {"GPU:0": {"peak": 123, "current": 5}}.__getitem__)
    assert hardware.peak_memory_bytes() == 123


@pytest.fixture
def run_python(monkeypatch):
    """A function that runs a program in a new process."""
    def run(program, *, onednn=None):
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
        if onednn is not None:
            monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
        return subprocess.run([sys.executable, "-c", program], text=True,
                              capture_output=True, check=True).stdout.strip()

    return run


@pytest.mark.parametrize("package", [
    "data_pipelines", "pix2pix_color", "experiments"])
@pytest.mark.parametrize("onednn, expected", [(None, "1"), ("0", "0")])
def test_onednn_is_asked_for_unless_refused(
        run_python, package, onednn, expected):
    assert run_python(
        f"import {package}, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])",
        onednn=onednn) == expected


def test_onednn_computes(run_python):
    assert run_python(
        "import pix2pix_color\n"
        "from tensorflow.python.util import _pywrap_util_port as port\n"
        "print(port.IsMklEnabled())") == "True"
