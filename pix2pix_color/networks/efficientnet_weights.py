"""Weights of an EfficientNet-Lite, as an encoder and as a classifier.

Files have the tensors of the public PyTorch implementation
(efficientnet-lite-pytorch on PyPI). The package contains ImageNet weights of
one variant.
"""

import hashlib
import pathlib
from typing import Iterator, Mapping, Optional

import keras
import numpy as np

from data_pipelines.errors import UserError
from pix2pix_color import weights_flag
from pix2pix_color.networks import efficientnet_lite, layers, weights_file

DIRECTORY = pathlib.Path(__file__).parent / "imagenet"
# The variant in the package, and its file's hash. To recreate the file, use
# experiments/imagenet_weights.py.
PACKAGED = "lite2"
SHA256 = "f97f5aab129c5db056c74ec9a3e5989930a2e08c3e5ee79cf23fb7c9facd3613"

# The batch norms in files are folded into the networks' convolutions.
_EPSILON = 1e-3
_CLASSIFIER = ("_conv_head", "_fc", "_bn1.")
_NORMS = {"_conv_stem": "_bn0", "_expand_conv": "_bn0",
          "_depthwise_conv": "_bn1", "_project_conv": "_bn2",
          "_conv_head": "_bn1"}
_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def find_weights(weights: str, *, flag: str,
                 variant: Optional[str] = None) -> str:
    """Returns the path of the file that a flag names.

    Args:
      weights: a path, or `imagenet` for the file in the package.
      flag: the flag, for messages.
      variant: the variant that `imagenet` must be, a key of
        efficientnet_lite.VARIANTS; None for any.

    Raises:
      UserError: there is no such file, or the package's is damaged.
    """
    if weights != "imagenet":
        return weights_flag.find_file(weights, flag=flag)
    if variant not in (None, PACKAGED):
        raise UserError(
            f"{flag}=imagenet: the package has ImageNet weights of {PACKAGED}, "
            f"not of --efficientnet={variant}; name a .safetensors file")
    path = DIRECTORY / f"efficientnet_{PACKAGED}.safetensors"
    digest = (hashlib.sha256(path.read_bytes()).hexdigest()
              if path.is_file() else "none")
    if digest != SHA256:
        raise UserError(
            f"{flag}=imagenet: {path} has SHA-256 {digest} and should have "
            f"{SHA256}; install the package again")
    return str(path)


def load_encoder(generator: keras.Model, path: str, *, flag: str) -> None:
    """Sets the weights of an efficientnet_unet's encoder from a file.

    The first convolution's weights are summed over red, green and blue, which
    gives its response to gray. Weights of noise channels are zero.

    Args:
      generator: an efficientnet_unet.
      path: the file.
      flag: the flag that names it, for messages.

    Raises:
      UserError: the file cannot be read or does not fit.
    """
    tensors = {name: tensor for name, tensor
               in weights_file.read_tensors(path, flag=flag).items()
               if not name.startswith(_CLASSIFIER)}
    _assign(generator, tensors, prefix=layers.ENCODER_PREFIX, path=path,
            flag=flag)


def load_classifier(path: str, *, flag: str,
                    dtype: str = "float32") -> keras.Model:
    """Builds the classifier whose weights are in a file.

    Args:
      path: the file.
      flag: the flag that names it, for messages.
      dtype: policy of the layers, as in build_classifier.

    Returns:
      A model like efficientnet_lite.build_classifier's; its name contains the
      variant.

    Raises:
      UserError: the file cannot be read, or is of no variant.
    """
    tensors = weights_file.read_tensors(path, flag=flag)
    last = tensors.get("_conv_head.weight", np.zeros([0]))
    by_width = {variant.widths[-1]: name for name, variant
                in efficientnet_lite.VARIANTS.items()}
    if last.ndim != 4 or last.shape[1] not in by_width:
        raise UserError(
            f"{flag}={path} is not a classifier of "
            f"{' or '.join(efficientnet_lite.VARIANTS)}: _conv_head.weight is "
            f"{'missing' if not last.size else f'of shape {last.shape}'}")
    classifier = efficientnet_lite.build_classifier(
        by_width[last.shape[1]], dtype=dtype)
    _assign(classifier, tensors, prefix="", path=path, flag=flag)
    return classifier


def _assign(model: keras.Model, tensors: Mapping[str, np.ndarray], *,
            prefix: str, path: str, flag: str) -> None:
    """Sets all weights of the layers with this prefix, or none of them."""
    named = {layer.name.removeprefix(prefix): layer
             for layer in model.layers if layer.name.startswith(prefix)
             and layer.weights}
    weights_file.require_shapes(
        tensors, dict(_expected_shapes(named)),
        what=f"{flag}={path} is not the EfficientNet-Lite of {model.name}")
    for name, layer in named.items():
        kernel = tensors[f"{name}.weight"].astype(np.float64)
        if name == "_fc":
            layer.set_weights([kernel.T, tensors["_fc.bias"]])
            continue
        scale, bias, mean, variance = (
            tensors[f"{_norm_of(name)}.{part}"].astype(np.float64)
            for part in _NORM_PARTS)
        scale = scale / np.sqrt(variance + _EPSILON)
        kernel = kernel * scale[:, np.newaxis, np.newaxis, np.newaxis]
        own = layer.weights[0].shape
        if name == "_conv_stem" and prefix:  # the encoder's
            kernel = layers.gray_kernel(kernel, own[2])
        kernel = np.transpose(kernel, (2, 3, 1, 0))  # OIHW -> HWIO
        layer.set_weights([kernel.reshape(own), bias - mean * scale])


def _expected_shapes(
        named: Mapping[str, keras.layers.Layer]
        ) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of every tensor that a file must have."""
    for name, layer in named.items():
        shape = tuple(layer.weights[0].shape)
        if name == "_fc":
            yield "_fc.weight", shape[::-1]
            yield "_fc.bias", shape[1:]
            continue
        height, width, given, made = shape
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            given, made = 1, given
        elif name == "_conv_stem":
            given = 3
        yield f"{name}.weight", (made, given, height, width)
        for part in _NORM_PARTS:
            yield f"{_norm_of(name)}.{part}", (made,)


def _norm_of(convolution: str) -> str:
    block, _, kind = convolution.rpartition(".")
    return f"{block}.{_NORMS[kind]}" if block else _NORMS[kind]
