"""The training step of pix2pix in PyTorch, for comparison.

The networks and the alternating update of Isola et al. 2017, 256 or 128 px, as
PyTorch users write them.
"""

import contextlib
from typing import Any, Callable

import torch
from torch import nn


class UNet(nn.Module):
    """The generator: condition [N, 1, S, S] -> target [N, 2, S, S]."""

    def __init__(self, depth: int, filters: int) -> None:
        super().__init__()
        widths = [filters * min(2**level, 8) for level in range(depth)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            has_norm = 0 < level < depth - 1
            parts: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            parts.append(nn.Conv2d(widths[level - 1] if level else 1, width,
                                   4, 2, 1, bias=not has_norm))
            parts += [nn.BatchNorm2d(width)] if has_norm else []
            self.down.append(nn.Sequential(*parts))
        for level in reversed(range(depth)):
            inside = widths[level] * (1 if level == depth - 1 else 2)
            width = widths[level - 1] if level else 2
            parts = [nn.ReLU(), nn.ConvTranspose2d(inside, width, 4, 2, 1,
                                                   bias=level == 0)]
            parts += [nn.BatchNorm2d(width)] if level else [nn.Tanh()]
            if depth - 4 < level:
                parts.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*parts))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.up[:-1]:
            x = torch.cat([up(x), skips.pop()], 1)
        return self.up[-1](x)


def make_patchgan(filters: int) -> nn.Module:
    """Builds the discriminator: [N, 3, S, S] -> logits [N, 1, S/8-2, S/8-2]."""
    parts: list[nn.Module] = [nn.Conv2d(3, filters, 4, 2, 1),
                              nn.LeakyReLU(0.2)]
    for level, stride in ((1, 2), (2, 2), (3, 1)):
        width = filters * 2**level
        parts += [nn.Conv2d(width // 2, width, 4, stride, 1, bias=False),
                  nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts, nn.Conv2d(8 * filters, 1, 4, 1, 1))


def make_torch_step(*, image_size: int, filters: int, batch_size: int,
                    best: bool, compiled: bool, bfloat16: bool,
                    device: str = "cpu") -> Callable[[], None]:
    """Returns a function that makes one alternating update on noise.

    Args:
      image_size: side of the square, pixels.
      filters: width of both networks' first convolution.
      batch_size: pictures an update.
      best: whether to use channels last, fused Adam and, with bfloat16,
        autocast; otherwise float32 and NCHW, as in tutorials.
      compiled: whether to use torch.compile.
      bfloat16: whether the machine is fast in bfloat16.
      device: PyTorch's name of the device.
    """
    torch.manual_seed(0)
    layout = torch.channels_last if best else torch.contiguous_format
    networks: list[Any] = [UNet(image_size.bit_length() - 1, filters),
                           make_patchgan(filters)]
    generator, discriminator = (
        network.to(device, memory_format=layout) for network in networks)
    optimizers = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999),
                                   fused=best)
                  for network in (generator, discriminator)]
    optimize_generator, optimize_discriminator = optimizers
    run_generator, run_discriminator = (
        torch.compile(network) if compiled else network
        for network in (generator, discriminator))
    cross_entropy, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
    size = (batch_size, 3, image_size, image_size)
    noise = torch.rand(size, device=device).mul(2).sub(1).to(
        memory_format=layout)
    condition, target = noise[:, :1], noise[:, 1:]

    def loss(logits, is_real):
        return cross_entropy(logits, torch.full_like(logits, float(is_real)))

    def cast():
        return (torch.autocast(device, torch.bfloat16) if best and bfloat16
                else contextlib.nullcontext())

    def step() -> None:
        with cast():
            fake = run_generator(condition)
        discriminator.requires_grad_(True)
        optimize_discriminator.zero_grad()
        with cast():
            on_fake = run_discriminator(
                torch.cat([condition, fake.detach()], 1))
            on_real = run_discriminator(torch.cat([condition, target], 1))
            total = (loss(on_fake, False) + loss(on_real, True)) / 2
        total.backward()
        optimize_discriminator.step()
        discriminator.requires_grad_(False)
        optimize_generator.zero_grad()
        with cast():
            on_fake = run_discriminator(torch.cat([condition, fake], 1))
            total = loss(on_fake, True) + 100 * l1(fake, target)
        total.backward()
        optimize_generator.step()

    return step
