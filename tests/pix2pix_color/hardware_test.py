"""Which arithmetic suits which machine."""

import pytest
import tensorflow as tf

from pix2pix_color import hardware


@pytest.fixture
def machine(monkeypatch):
    """A function that makes this machine another one."""
    def make(*, cpu_flags="", capabilities=()):
        monkeypatch.setattr(
            hardware, "_cpu_info",
            {"flags": cpu_flags, "model name": "Some CPU"}.get)
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


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_what_was_asked_for_is_taken(machine, precision):
    machine()
    assert hardware.resolve_precision(precision) == precision
