"""Two encoders that lead back from an image to what a generator would make it from.

Source: IcGAN (Perarnau et al., 2016, https://arxiv.org/abs/1611.06355): E_z learns from generated images, whose
latents are known; E_y from real ones, whose attributes are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from vitrail.gan_training.losses import Value
from vitrail.tensors import Condition, Features, SignedImages

RATE, BETA1 = 1e-3, 0.9
"""Of Adam, falling to 0 along a cosine. IcGAN's 1e-4 and 0.1 are worse in as many steps (`benchmarks/gan_edit.py`)."""

BATCH = 64  # generated images of one update, as in IcGAN


@dataclass(frozen=True)
class EncoderStep:
    """One update.

    Attributes:
        index: from 1 on, of `total`.
        loss: before it; without a graph, left on its device until somebody reads it.
    """

    index: int
    total: int
    loss: Value


def train_latent_encoder(
    encoder: nn.Module, generator: nn.Module, labels: Condition, *, steps: int, seed: int = 0
) -> Iterator[EncoderStep]:
    """Teaches E_z in place what latents an image was made from, by their mean squared error; yields each update.

    No two images are alike, so that there is nothing to learn by heart.

    Args:
        encoder: images (N, C, S, S) in [-1, 1] -> latents (N, L), on the generator's device.
        generator: in evaluation mode; its weights stay as they are.
        labels: what images are told is drawn from these, as among the real ones.
    """
    draws = torch.Generator().manual_seed(seed)
    device, latent_size = next(generator.parameters()).device, int(generator.latent_size)  # type: ignore[arg-type]

    def losses() -> Iterator[Value]:
        while True:
            latents = torch.randn(BATCH, latent_size, generator=draws).to(device)
            told = labels[torch.randint(len(labels), (BATCH,), generator=draws)].to(device)
            with torch.no_grad():
                images = generator(latents, told)
            yield F.mse_loss(encoder(images), latents)

    yield from _learned(encoder, losses(), steps)


def train_attribute_encoder(
    encoder: nn.Module, batches: Iterator[tuple[SignedImages, Features]], *, steps: int
) -> Iterator[EncoderStep]:
    """Teaches E_y in place what attributes a real image has; yields each update.

    By the cross-entropy of its logits and not the paper's mean squared error. On CelebA's Male and Young both are as
    often right (0.873, 0.870), but a probability lies between the two values that a generator knows.

    Args:
        batches: images (B, C, S, S) in [-1, 1] and attributes (B, A) of -1 and 1, on the encoder's device.
    """

    def losses() -> Iterator[Value]:
        for images, labels in batches:
            yield F.binary_cross_entropy_with_logits(encoder(images), (labels > 0).to(images))

    yield from _learned(encoder, losses(), steps)


def attributes_of(logits: Features) -> Features:
    """Attributes between -1 and 1, (N, A), as a generator is told them: 2 p - 1."""
    return torch.tanh(logits / 2)


def _learned(encoder: nn.Module, losses: Iterator[Value], steps: int) -> Iterator[EncoderStep]:
    adam = torch.optim.Adam(encoder.parameters(), lr=RATE, betas=(BETA1, 0.999))
    encoder.train()
    for index in range(steps):
        for group in adam.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * index / steps)) / 2
        loss = next(losses)
        adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        adam.step()
        yield EncoderStep(index + 1, steps, loss.detach())
    encoder.eval()
