"""Initial weights of an encoder: --encoder_weights.

A ResNet-18's file has the tensors of torchvision and timm, such as
conv1.weight, bn1.running_mean and layer2.0.downsample.0.weight. The classifier
(fc) and the counts of batches are ignored. Where PyTorch is installed, one line
turns its .pth file into the .safetensors file that is read here:

    python -c "import torch, safetensors.torch as s; s.save_file(
        torch.load('r18.pth', weights_only=True), 'r18.safetensors')"
"""

import os
from typing import Iterator

import keras
import numpy as np

from data_pipelines.errors import UserError
from pix2pix_color import weights_flag
from pix2pix_color.config import Networks
from pix2pix_color.networks import efficientnet_weights, layers, weights_file

_FLAG = "--encoder_weights"
# torchvision's ResNet-18 of 2015 (top-1 69.8 %, BSD-3-Clause), from timm at a
# fixed commit.
IMAGENET_URL = ("https://huggingface.co/timm/resnet18.tv_in1k/resolve/"
                "bbd144b3e5565108aad885f145491d11bc6ce807/model.safetensors")
IMAGENET_SHA256 = ("694f673df6520a3158624e8a89af086f"
                   "59923ee4cd7436fe5bc3bc71d295ad81")


def load_encoder_weights(generator: keras.Model, networks: Networks) -> None:
    """Sets the encoder's weights to those that the flags name, if any.

    The first convolution's weights are summed over red, green and blue, which
    gives its response to gray. Weights of noise channels are zero.

    Args:
      generator: built from `networks`.
      networks: a run's flags.

    Raises:
      UserError: the file is missing, cannot be read, or does not fit.
    """
    path = find_encoder_weights(networks)
    if not path:
        return
    if networks.generator == "efficientnet_unet":
        efficientnet_weights.load_encoder(generator, path, flag=_FLAG)
        return
    tensors = {name: tensor for name, tensor
               in weights_file.read_tensors(path, flag=_FLAG).items()
               if not name.startswith("fc.")
               and not name.endswith(".num_batches_tracked")}
    variables = dict(_variables_by_torch_name(generator))
    shapes = {name: _torch_shape(name, variable.shape)
              for name, variable in variables.items()}
    weights_file.require_shapes(
        tensors, shapes,
        what=f"{_FLAG}={path} is not the ResNet-18 of this --base_filters")
    for name, variable in variables.items():
        tensor = tensors[name]
        if name == "conv1.weight":
            tensor = layers.gray_kernel(tensor, variable.shape[2])
        if tensor.ndim == 4:
            tensor = np.transpose(tensor, (2, 3, 1, 0))  # OIHW -> HWIO
        variable.assign(tensor)


def find_encoder_weights(networks: Networks) -> str:
    """Returns the path of the file that a run's flags name; empty for none.

    Raises:
      UserError: it is missing, or cannot be downloaded.
    """
    weights = networks.encoder_weights
    if not weights:
        return ""
    if networks.generator == "efficientnet_unet":
        return efficientnet_weights.find_weights(
            weights, flag=_FLAG, variant=networks.efficientnet)
    if weights == "imagenet":
        return _download()
    return weights_flag.find_file(weights, flag=_FLAG)


def _download() -> str:
    """Downloads ResNet-18 once, to pix2pix_color/ in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    try:
        os.makedirs(cache, exist_ok=True)
        return keras.utils.get_file(
            "resnet18.tv_in1k.safetensors", IMAGENET_URL, cache_dir=cache,
            cache_subdir="pix2pix_color", file_hash=IMAGENET_SHA256)
    except Exception as error:  # the type that get_file raises
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{_FLAG}=imagenet cannot be downloaded ({reason}): download "
            f"{IMAGENET_URL} elsewhere and pass {_FLAG}=PATH") from error


def _variables_by_torch_name(generator: keras.Model) -> Iterator[tuple]:
    """Yields name and variable of everything in the encoder."""
    for layer in generator.layers:
        name = layer.name.removeprefix(layers.ENCODER_PREFIX)
        if name == layer.name or not layer.weights:
            continue
        parts = (["weight"] if len(layer.weights) == 1 else
                 ["weight", "bias", "running_mean", "running_var"])
        for part, variable in zip(parts, layer.weights, strict=True):
            yield f"{name}.{part}", variable


def _torch_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 4:
        return tuple(shape)
    height, width, given, made = shape
    return (made, 3 if name == "conv1.weight" else given, height, width)
