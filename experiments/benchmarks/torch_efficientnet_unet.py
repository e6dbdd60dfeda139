"""The training step of the trained colorizer in PyTorch, for comparison.

The network is the U-Net on a frozen EfficientNet-Lite2 of
networks/encoder_unet.py, as PyTorch users write it. The encoder comes from
efficientnet_lite_pytorch, its batch norms folded by torch.nn.utils.fusion.
"""

import contextlib
from typing import Any, Callable

import efficientnet_lite_pytorch
import torch
from torch import nn
from torch.nn.utils import fusion

_STAGE_ENDS = (4, 7, 15, 21)  # blocks before these are stages 1, 2, 4 and 6


class Encoder(nn.Module):
    """Gray [N, 1, S, S] -> taps at S/4, S/8, S/16 and S/32."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        network = efficientnet_lite_pytorch.EfficientNet.from_name(
            "efficientnet-lite2", image_size=image_size).eval()
        stem = network._conv_stem
        stem.weight = nn.Parameter(stem.weight.sum(1, keepdim=True))
        self.stem = self._fused(stem, network._bn0)
        self.blocks = nn.ModuleList()
        for block in network._blocks:
            layers = []
            if hasattr(block, "_expand_conv"):
                layers += [self._fused(block._expand_conv, block._bn0),
                           nn.ReLU6()]
            layers += [self._fused(block._depthwise_conv, block._bn1),
                       nn.ReLU6(),
                       self._fused(block._project_conv, block._bn2)]
            self.blocks.append(nn.Sequential(*layers))

    @staticmethod
    def _fused(convolution: Any, norm: Any) -> nn.Module:
        weight, bias = fusion.fuse_conv_bn_weights(
            convolution.weight, None, norm.running_mean, norm.running_var,
            norm.eps, norm.weight, norm.bias)
        size, stride = convolution.kernel_size[0], convolution.stride[0]
        fused = nn.Conv2d(
            weight.shape[1] * convolution.groups, weight.shape[0], size,
            stride, padding=0 if stride == 2 else size // 2,
            groups=convolution.groups)
        fused.weight, fused.bias = nn.Parameter(weight), nn.Parameter(bias)
        if stride == 1:
            return fused
        # TensorFlow's padding, with which the network was trained.
        total = size - 2
        return nn.Sequential(nn.ZeroPad2d(
            (total // 2, total - total // 2) * 2), fused)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = torch.clamp(self.stem(x), 0.0, 6.0)
        taps = []
        for place, block in enumerate(self.blocks, start=1):
            y = block(x)
            x = x + y if x.shape == y.shape else y
            if place in _STAGE_ENDS:
                taps.append(x)
        return taps


class EfficientNetUNet(nn.Module):
    """Condition [N, 1, S, S] -> target [N, 2, S, S]."""

    def __init__(self, image_size: int, filters: int) -> None:
        super().__init__()
        self.encoder = Encoder(image_size).requires_grad_(False)
        self.bottom = self._convolved(352, 4 * filters)
        self.levels = nn.ModuleList([
            self._convolved((level + 1) * filters + width, level * filters)
            for level, width in ((3, 120), (2, 48), (1, 24))])
        self.fine = nn.Sequential(self._convolved(filters, filters // 2),
                                  nn.PixelShuffle(2))
        self.output = nn.Conv2d(filters // 8 + 1, 2, 3, padding=1)

    @staticmethod
    def _convolved(given: int, made: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(given, made, 3, padding=1, bias=False),
                             nn.BatchNorm2d(made), nn.ReLU())

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            *skips, x = self.encoder(condition)
        x = self.bottom(x)
        for level in self.levels:
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = level(torch.cat([x, skips.pop()], 1))
        half = nn.functional.avg_pool2d(condition, 2)
        x = self.output(torch.cat([self.fine(x), half], 1))
        return nn.functional.interpolate(
            torch.tanh(x.float()), scale_factor=2, mode="bilinear")


def make_torch_step(*, image_size: int, filters: int, batch_size: int,
                    best: bool, compiled: bool, bfloat16: bool,
                    device: str = "cpu") -> Callable[[], None]:
    """Returns a function that makes one L1 update on a batch of noise.

    Args:
      image_size: side of the square, pixels.
      filters: width of the decoder at a quarter of the size.
      batch_size: pictures an update.
      best: whether to use channels last, fused Adam and, with bfloat16,
        autocast; otherwise float32 and NCHW.
      compiled: whether to use torch.compile.
      bfloat16: whether the machine is fast in bfloat16.
      device: PyTorch's name of the device.
    """
    torch.manual_seed(0)
    layout = torch.channels_last if best else torch.contiguous_format
    network: Any = EfficientNetUNet(image_size, filters)
    network.to(device, memory_format=layout)
    network.train()
    learning = [parameter for parameter in network.parameters()
                if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, 1e-3, (0.5, 0.999), fused=best)
    run = torch.compile(network) if compiled else network
    noise = torch.rand((batch_size, 3, image_size, image_size),
                       device=device).mul(2).sub(1).to(memory_format=layout)
    condition, target = noise[:, :1], noise[:, 1:]

    def step() -> None:
        optimizer.zero_grad()
        with (torch.autocast(device, torch.bfloat16) if best and bfloat16
              else contextlib.nullcontext()):
            fake = run(condition)
        (20 * nn.functional.l1_loss(fake, target)).backward()
        optimizer.step()

    return step
