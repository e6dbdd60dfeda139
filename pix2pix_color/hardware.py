"""What the machine offers, and which arithmetic suits it."""

import os
import platform
import re
import resource

import tensorflow as tf
from tensorflow.python.client import device_lib

_AMPERE = (8, 0)
_CGROUP_LIMIT = "/sys/fs/cgroup/memory.max"


def claim_devices(*, deterministic: bool = False) -> None:
    """Lets GPU memory grow with need instead of taking all of it at once.

    Must come before anything else touches a device.

    Args:
      deterministic: whether every operation must repeat to the bit.
    """
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def resolve_precision(precision: str) -> str:
    """Turns `auto` into the fastest policy that this machine trains in.

    bfloat16 is native to CPUs with AVX512_BF16 or AMX, and to GPUs from Ampere
    (compute capability 8.0) on.

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
    """Whether the CPU multiplies matrices of bfloat16 in tiles."""
    return "amx_bf16" in _cpu_flags()


def resolve_jit_compile(jit_compile: str, *, num_replicas: int = 1) -> bool:
    """Whether XLA is to compile the training step.

    Args:
      jit_compile: the value of --jit_compile. `auto` takes it on a GPU alone:
        on CPUs its convolutions are slower than oneDNN's.
      num_replicas: how many devices train; XLA compiles for one.
    """
    if jit_compile == "auto":
        return num_replicas == 1 and bool(
            tf.config.list_physical_devices("GPU"))
    return jit_compile == "on"


def memory_bytes() -> int:
    """Memory that this process may use on what the networks run on."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return min(device.memory_limit
                   for device in device_lib.list_local_devices()
                   if device.device_type == "GPU")
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limits += [limit for limit in resource.getrlimit(resource.RLIMIT_AS)[:1]
               if limit != resource.RLIM_INFINITY]
    try:
        with open(_CGROUP_LIMIT, encoding="utf-8") as file:
            limits.append(int(file.read()))
    except (OSError, ValueError):  # no container, or one without a limit
        pass
    return min(limits)


def peak_memory_bytes() -> int:
    """The most memory used so far: the GPU's, or else this process's."""
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def describe_device() -> str:
    """Names what the networks run on, with its number of cores or GPUs."""
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
    """Reads a line of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            found = re.search(rf"^{key}\s*:\s*(.*)$", lines.read(), re.M)
    except OSError:
        return ""
    return found.group(1) if found else ""
