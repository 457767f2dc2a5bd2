"""Training of two encoders, from images to a generator's latents and condition.

Source: IcGAN (Perarnau et al., 2016, https://arxiv.org/abs/1611.06355): E_z is trained on generated images, whose
latents are known; E_y on real images, whose attributes are known.
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
"""Of Adam, with cosine decay to 0. IcGAN's 1e-4 and 0.1 are worse after as many steps (`benchmarks/gan_edit.py`)."""

BATCH = 64  # generated images per update, as in IcGAN


@dataclass(frozen=True)
class EncoderStep:
    """One update.

    Attributes:
        index: number of the update, from 1 to `total`.
        loss: before the update; a detached scalar on its device.
    """

    index: int
    total: int
    loss: Value


def train_latent_encoder(
    encoder: nn.Module, generator: nn.Module, labels: Condition, *, steps: int, seed: int = 0
) -> Iterator[EncoderStep]:
    """Trains E_z in place to predict an image's latents, by mean squared error; yields each update.

    Every update has new images, so that it cannot overfit.

    Args:
        encoder: images (N, C, S, S) in [-1, 1] -> latents (N, L), on the generator's device.
        generator: in evaluation mode; its weights do not change.
        labels: conditions are sampled from these.
    """
    draws = torch.Generator().manual_seed(seed)
    device, latent_size = next(generator.parameters()).device, int(generator.latent_size)  # type: ignore[arg-type]

    def losses() -> Iterator[Value]:
        while True:
            latents = torch.randn(BATCH, latent_size, generator=draws).to(device)
            condition = labels[torch.randint(len(labels), (BATCH,), generator=draws)].to(device)
            with torch.no_grad():
                images = generator(latents, condition)
            yield F.mse_loss(encoder(images), latents)

    yield from _updates(encoder, losses(), steps)


def train_attribute_encoder(
    encoder: nn.Module, batches: Iterator[tuple[SignedImages, Features]], *, steps: int
) -> Iterator[EncoderStep]:
    """Trains E_y in place to predict a real image's attributes; yields each update.

    The loss is the cross-entropy of its logits, not the paper's mean squared error. On CelebA's Male and Young both are
    as accurate (0.873, 0.870), but a probability lies between the two values that a generator is trained with.

    Args:
        batches: images (B, C, S, S) in [-1, 1] and attributes (B, A) of -1 and 1, on the encoder's device.
    """

    def losses() -> Iterator[Value]:
        for images, labels in batches:
            yield F.binary_cross_entropy_with_logits(encoder(images), (labels > 0).to(images))

    yield from _updates(encoder, losses(), steps)


def attributes_of(logits: Features) -> Features:
    """Attributes in [-1, 1], (N, A), as a generator's condition: 2 p - 1."""
    return torch.tanh(logits / 2)


def _updates(encoder: nn.Module, losses: Iterator[Value], steps: int) -> Iterator[EncoderStep]:
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
