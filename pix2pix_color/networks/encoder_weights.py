"""What --encoder_weights names, and a ResNet-18's weights from a file.

torchvision and timm name the tensors of a ResNet-18 alike: conv1.weight,
bn1.running_mean, layer2.0.downsample.0.weight. The classifier (fc) and the
count of batches are of no use here and are passed over.
"""

import hashlib
import http.client
import os
import urllib.request
from typing import Any, NamedTuple

import keras
import numpy as np

from data_pipelines import files
from data_pipelines.errors import UserError
from pix2pix_color.config import Networks
from pix2pix_color.networks import efficientnet_weights, resnet18, tensor_file

_FLAG = "--encoder_weights"
_TIMEOUT_SECONDS = 60


class PublicFile(NamedTuple):
    """A file that anyone can download.

    Attributes:
      url: where from.
      name: what it is called in the cache.
      sha256: of its bytes, in hexadecimal.
    """

    url: str
    name: str
    sha256: str


# torchvision's weights of 2015 (top-1 69.8 %, BSD-3-Clause) as timm offers
# them, at a commit that stays: no PyTorch is needed to read them.
IMAGENET = PublicFile(
    url="https://huggingface.co/timm/resnet18.tv_in1k/resolve/"
        "bbd144b3e5565108aad885f145491d11bc6ce807/model.safetensors",
    name="resnet18.tv_in1k.safetensors",
    sha256="694f673df6520a3158624e8a89af086f"
           "59923ee4cd7436fe5bc3bc71d295ad81")


def load(generator: keras.Model, weights: str) -> None:
    """Gives a generator's encoder the weights that a flag names.

    Where the encoder has one channel for the condition, the first
    convolution's are summed over red, green and blue: what they answer to
    gray. Noise channels begin at zero.

    Args:
      generator: one of networks/encoder_unet.py.
      weights: a path, or `imagenet`.

    Raises:
      UserError: the file is not there, cannot be read, or does not fit.
    """
    if generator.name == "efficientnet_unet":
        efficientnet_weights.load_encoder(
            generator, efficientnet_weights.find(weights, flag=_FLAG),
            flag=_FLAG)
        return
    path = find(weights)
    tensors = {name: tensor for name, tensor in read(path).items()
               if not name.startswith("fc.")
               and not name.endswith(".num_batches_tracked")}
    variables = _variables_by_torch_name(generator)
    first = variables["conv1.weight"]
    if "conv1.weight" in tensors:
        tensors["conv1.weight"] = _fit_channels(
            tensors["conv1.weight"], first.shape[2], _noise_channels(generator))
    tensor_file.require_fit(
        tensors, {name: _torch_shape(variable)
                  for name, variable in variables.items()},
        what=f"{_FLAG}={path} is not the ResNet-18 of this --base_filters")
    for name, variable in variables.items():
        variable.assign(_to_keras(tensors[name]))


def require(networks: Networks) -> None:
    """Finds the file that a run's flags name, before anything is built.

    Raises:
      UserError: it is not there, or cannot be downloaded.
    """
    if networks.generator == "efficientnet_unet":
        efficientnet_weights.find(networks.encoder_weights, flag=_FLAG,
                                  variant=networks.efficientnet)
    elif networks.encoder_weights:
        find(networks.encoder_weights)


def find(weights: str) -> str:
    """Finds the file of a ResNet-18 that a flag names.

    Args:
      weights: a path, or `imagenet` for the public file, downloaded once.

    Raises:
      UserError: it is not there, or cannot be downloaded.
    """
    if weights == "imagenet":
        return download(IMAGENET)
    path = os.path.expanduser(weights)
    if not os.path.isfile(path):
        raise UserError(f"{_FLAG}={path}: there is no such file")
    return path


def read(path: str) -> dict[str, np.ndarray]:
    """Reads a file of named tensors: safetensors, or PyTorch's if that is here.

    Raises:
      UserError: it cannot be read.
    """
    ending = os.path.splitext(path)[1]
    if ending == ".safetensors":
        return tensor_file.read(path, flag=_FLAG)
    if ending in (".pth", ".pt"):
        return _read_with_torch(path)
    raise UserError(f"{_FLAG}={path} must end in .safetensors, .pth or .pt, "
                    f"or be imagenet")


def _read_with_torch(path: str) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise UserError(
            f"{_FLAG}={path} takes PyTorch to be read, which is not installed: "
            f"pip install torch, or name a .safetensors file") from None
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in tensors.items()}
    except Exception as error:  # foreign bytes lead the unpickler anywhere
        raise tensor_file.unreadable(path, error, flag=_FLAG) from error


def _variables_by_torch_name(generator: keras.Model) -> dict[str, Any]:
    variables = {}
    for layer in generator.layers:
        name = layer.name.removeprefix(resnet18.PREFIX)
        if name == layer.name or not layer.weights:
            continue
        if isinstance(layer, keras.layers.Conv2D):
            variables[f"{name}.weight"] = layer.kernel
        else:
            variables |= {f"{name}.weight": layer.gamma,
                          f"{name}.bias": layer.beta,
                          f"{name}.running_mean": layer.moving_mean,
                          f"{name}.running_var": layer.moving_variance}
    return variables


def _noise_channels(generator: keras.Model) -> int:
    """Channels that the encoder is given beside the condition's."""
    return (generator.get_layer(f"{resnet18.PREFIX}conv1").kernel.shape[2]
            - generator.inputs[0].shape[-1])


def _fit_channels(kernel: np.ndarray, channels: int,
                  noise_channels: int) -> np.ndarray:
    """The first kernel OIHW for the encoder's channels, where that can be."""
    if kernel.ndim != 4:
        return kernel
    if channels - noise_channels == 1:
        kernel = kernel.sum(axis=1, keepdims=True, dtype=np.float32)
    return np.pad(kernel, [(0, 0), (0, noise_channels), (0, 0), (0, 0)])


def _to_keras(tensor: np.ndarray) -> np.ndarray:
    """OIHW -> HWIO; a vector as it is."""
    return np.transpose(tensor, (2, 3, 1, 0)) if tensor.ndim == 4 else tensor


def _torch_shape(variable) -> tuple[int, ...]:
    shape = tuple(variable.shape)
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape


def download(file: PublicFile) -> str:
    """Finds a public file in the cache, or downloads it there.

    The cache is pix2pix_color/ in XDG_CACHE_HOME or ~/.cache.

    Returns:
      The path; what is there has the file's SHA-256.

    Raises:
      UserError: it cannot be downloaded, or is not what it should be.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(cache, "pix2pix_color", file.name)
    if os.path.isfile(path):
        with open(path, "rb") as kept:
            if hashlib.sha256(kept.read()).hexdigest() == file.sha256:
                return path
    try:
        with urllib.request.urlopen(file.url,
                                    timeout=_TIMEOUT_SECONDS) as response:
            content = response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{_FLAG}=imagenet cannot be downloaded ({reason}): bring "
            f"{file.url} here, and pass {_FLAG}=PATH") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise UserError(
            f"{_FLAG}=imagenet: {file.url} has SHA-256 {digest} and should "
            f"have {file.sha256}; nothing was kept")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files.write_atomically(path, content)
    return path
