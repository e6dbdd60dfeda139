"""What the machine offers, and which arithmetic suits it."""

import os
import platform
import re

import tensorflow as tf

_AMPERE = (8, 0)


def claim_devices() -> None:
    """Lets GPU memory grow with need instead of taking all of it at once.

    Must come before anything else touches a device.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def resolve_precision(precision: str) -> str:
    """Turns `auto` into the fastest policy that this machine trains in.

    bfloat16 is native to CPUs with AVX512_BF16 or AMX, and to GPUs from Ampere
    (compute capability 8.0) on.

    Args:
      precision: the value of --precision.

    Returns:
      `float32` or `mixed_bfloat16`.
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [
            tf.config.experimental.get_device_details(gpu).get(
                "compute_capability", (0, 0)) for gpu in gpus]
        has_bfloat16 = min(capabilities) >= _AMPERE
    else:
        has_bfloat16 = bool(
            {"avx512_bf16", "amx_bf16"} & set(_cpu_info("flags").split()))
    return "mixed_bfloat16" if has_bfloat16 else "float32"


def describe_device() -> str:
    """Names what the networks run on, with its number of cores or GPUs."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [tf.config.experimental.get_device_details(gpu).get(
            "device_name", "GPU") for gpu in gpus]
        return f"{len(gpus)} GPU(s): {', '.join(names)}"
    name = _cpu_info("model name") or platform.machine()
    return f"CPU: {name}, {os.cpu_count()} core(s)"


def _cpu_info(key: str) -> str:
    """Reads a line of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            found = re.search(rf"^{key}\s*:\s*(.*)$", lines.read(), re.M)
    except OSError:
        return ""
    return found.group(1) if found else ""
