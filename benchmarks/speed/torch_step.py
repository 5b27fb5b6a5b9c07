"""The same steps in PyTorch, as its users write them. Needs torch and NumPy only, and knows nothing of this package.

`python torch_step.py KIND PAIR PRECISION [channels_last] [compile]` answers as `keras_step.py` does. Kinds: `plain`,
and `adapt` with DiffAugment, R1 every 16 steps and an average of the generator.
"""

import copy
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH, LATENTS = 64, 100


class Classic(nn.Module):
    """Generator of TensorFlow's tutorial."""

    def __init__(self):
        super().__init__()
        self.dense, self.norm0 = nn.Linear(LATENTS, 7 * 7 * 256, bias=False), nn.BatchNorm1d(7 * 7 * 256)
        self.conv1, self.norm1 = nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False), nn.BatchNorm2d(128)
        self.conv2, self.norm2 = nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False), nn.BatchNorm2d(64)
        self.conv3 = nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False)

    def forward(self, latents):
        x = F.leaky_relu(self.norm0(self.dense(latents)), 0.3).view(-1, 256, 7, 7)
        x = F.leaky_relu(self.norm1(self.conv1(x)), 0.3)
        return torch.tanh(self.conv3(F.leaky_relu(self.norm2(self.conv2(x)), 0.3)))


def networks(pair, batch_norm):
    """The pair of `pairs.py`."""
    if pair == "classic28":
        discriminator = nn.Sequential(
            nn.Conv2d(1, 64, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3), nn.Conv2d(64, 128, 5, 2, 2),
            nn.LeakyReLU(0.3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(128 * 49, 1),
        )  # fmt: skip
        return Classic(), discriminator
    generator, width = [nn.Unflatten(1, (LATENTS, 1, 1))], LATENTS
    for i, filters in enumerate((512, 256, 128, 64)):
        generator += [
            nn.ConvTranspose2d(width, filters, 4, 2 if i else 1, 1 if i else 0, bias=False),
            nn.BatchNorm2d(filters), nn.ReLU(inplace=True),
        ]  # fmt: skip
        width = filters
    generator += [nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()]
    discriminator, width = [], 3
    for i, filters in enumerate((64, 128, 256, 512)):
        norm = batch_norm and i > 0
        discriminator.append(nn.Conv2d(width, filters, 4, 2, 1, bias=not batch_norm))
        discriminator += [nn.BatchNorm2d(filters)] if norm else []
        discriminator.append(nn.LeakyReLU(0.2, inplace=True))
        width = filters
    return nn.Sequential(*generator), nn.Sequential(*discriminator, nn.Flatten(), nn.Linear(512 * 16, 1))


def augmented(x):
    """DiffAugment: colour, translation, cutout."""
    n, channels, height, width = x.shape
    if channels > 1:
        x = x + (torch.rand(n, 1, 1, 1) - 0.5)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) * (torch.rand(n, 1, 1, 1) * 2) + mean
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * (torch.rand(n, 1, 1, 1) + 0.5) + mean
    most = int(height / 8 + 0.5)
    dy, dx = (torch.randint(-most, most + 1, (n, 1, 1)) for _ in range(2))
    batch, rows, columns = torch.meshgrid(torch.arange(n), torch.arange(height), torch.arange(width), indexing="ij")
    rows, columns = (rows + dy + 1).clamp(0, height + 1), (columns + dx + 1).clamp(0, width + 1)
    x = F.pad(x, [1, 1, 1, 1]).permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)
    side = height // 2
    top, left = (torch.randint(0, height + 1, (n, 1, 1)) for _ in range(2))
    batch, rows, columns = torch.meshgrid(torch.arange(n), torch.arange(side), torch.arange(side), indexing="ij")
    rows, columns = (rows + top - side // 2).clamp(0, height - 1), (columns + left - side // 2).clamp(0, width - 1)
    mask = torch.ones(n, height, width)
    mask[batch, rows, columns] = 0
    return x * mask.unsqueeze(1)


def main():
    """Answers until its standard input ends."""
    kind, pair, precision, *options = sys.argv[1:]
    torch.manual_seed(0)
    full = kind == "adapt"
    generator, discriminator = networks(pair, batch_norm=not full)
    channels, side = (1, 28) if pair == "classic28" else (3, 64)
    images = torch.rand(BATCH, channels, side, side) * 2 - 1
    if "channels_last" in options:
        generator, discriminator = (x.to(memory_format=torch.channels_last) for x in (generator, discriminator))
        images = images.contiguous(memory_format=torch.channels_last)
    average = copy.deepcopy(generator).requires_grad_(False)
    betas = (0.5, 0.99) if full else (0.5, 0.999)
    g_optimizer = torch.optim.Adam(generator.parameters(), 1e-4, betas)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 1e-4, betas)
    g_run, d_run = generator, discriminator
    if "compile" in options:
        g_run, d_run = torch.compile(generator), torch.compile(discriminator)
    look = augmented if full else lambda x: x
    entropy, taken = F.binary_cross_entropy_with_logits, 0

    def step():
        nonlocal taken
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            fakes = g_run(torch.randn(BATCH, LATENTS))
            real, fake = d_run(look(images)).float(), d_run(look(fakes.detach())).float()
            loss = entropy(real, torch.ones_like(real)) + entropy(fake, torch.zeros_like(fake))
        if full and taken % 16 == 0:
            shown = look(images).detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(discriminator(shown).sum(), shown, create_graph=True)
            loss = loss + 16 * 0.05 * gradient.square().sum((1, 2, 3)).mean()
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            fake = d_run(look(fakes)).float()
            loss = entropy(fake, torch.ones_like(fake))
        g_optimizer.zero_grad()
        loss.backward()
        g_optimizer.step()
        if full:
            with torch.no_grad():
                for old, new in zip(average.parameters(), generator.parameters(), strict=True):
                    old.lerp_(new, 0.01)
                for old, new in zip(average.buffers(), generator.buffers(), strict=True):
                    old.copy_(new)
        taken += 1
        return loss

    def run(steps):
        for _ in range(steps):
            loss = step()
        loss.item()

    run(3)
    print(json.dumps({"version": f"torch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        run(int(line))
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
