"""The machine: its devices, its memory and the arithmetic that suits it."""

import contextlib
import os
import platform
import re
import resource

import tensorflow as tf
from tensorflow.python.client import device_lib

_AMPERE = (8, 0)
# Linux tells of the processor and of a container's memory limit here.
CPU_INFO_PATH = "/proc/cpuinfo"
CGROUP_LIMIT_PATH = "/sys/fs/cgroup/memory.max"


def claim_devices(*, deterministic: bool = False) -> None:
    """Lets TensorFlow take GPU memory as needed instead of all of it.

    Call it before anything else touches a device; later it changes nothing.

    Args:
      deterministic: whether every operation must repeat to the bit.
    """
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        # Too late if this process, a notebook's, used the GPU before.
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)


def resolve_precision(precision: str) -> str:
    """Turns `auto` into the fastest policy for training on this machine.

    CPUs with AVX512_BF16 or AMX have native bfloat16, and so have GPUs from
    Ampere (compute capability 8.0) on.

    Args:
      precision: the value of --precision.

    Returns:
      The name of a Keras policy.
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
        has_bfloat16 = has_amx() or "avx512_bf16" in _cpu_flags()
    return "mixed_bfloat16" if has_bfloat16 else "float32"


def has_amx() -> bool:
    """Returns whether the CPU multiplies bfloat16 matrices in tiles (AMX)."""
    return "amx_bf16" in _cpu_flags()


def resolve_jit_compile(jit_compile: str, *, num_replicas: int = 1) -> bool:
    """Returns whether XLA compiles the training step.

    Args:
      jit_compile: the value of --jit_compile. `auto` compiles for a GPU only:
        on CPUs, XLA's convolutions are slower than oneDNN's.
      num_replicas: number of devices that train; XLA compiles for one.
    """
    if jit_compile == "auto":
        return num_replicas == 1 and bool(
            tf.config.list_physical_devices("GPU"))
    return jit_compile == "on"


def memory_bytes() -> int:
    """Returns the bytes that this process may use on the networks' device."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return min(device.memory_limit
                   for device in device_lib.list_local_devices()
                   if device.device_type == "GPU")
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limits += [limit for limit in resource.getrlimit(resource.RLIMIT_AS)[:1]
               if limit != resource.RLIM_INFINITY]
    try:
        with open(CGROUP_LIMIT_PATH, encoding="utf-8") as file:
            limits.append(int(file.read()))
    except (OSError, ValueError):  # not in a container, or without a limit
        pass
    return min(limits)


def peak_memory_bytes() -> int:
    """Returns the peak use so far, in bytes: the GPU's, or this process's."""
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def describe_device() -> str:
    """Names the networks' device, with its number of cores or GPUs."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [tf.config.experimental.get_device_details(gpu).get(
            "device_name", "GPU") for gpu in gpus]
        return f"{len(gpus)} GPU(s): {', '.join(names)}"
    name = _cpu_info("model name") or platform.machine()
    return f"CPU: {name}, {os.cpu_count()} core(s)"


def _cpu_flags() -> list[str]:
    return _cpu_info("flags").split()


def _cpu_info(key: str) -> str:
    """Reads a line of Linux's CPU info; returns an empty string elsewhere."""
    try:
        with open(CPU_INFO_PATH, encoding="utf-8") as lines:
            found = re.search(rf"^{key}\s*:\s*(.*)$", lines.read(), re.M)
    except OSError:
        return ""
    return found.group(1) if found else ""
