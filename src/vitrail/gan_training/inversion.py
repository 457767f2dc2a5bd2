"""Latents that a generator makes a given image from, sought by gradient descent from where an encoder begins.

Source: Zhu et al., 2016, https://arxiv.org/abs/1609.03552.
"""

from collections.abc import Iterator

import torch
from torch import nn

from vitrail.tensors import Condition, Features, SignedImages

RATE = 0.05  # of Adam
PRIOR = 0.03
"""What a latent's squared size weighs against a pixel's squared error: latents far out make no images, and do not
follow when an attribute is changed."""


def invert(
    generator: nn.Module, images: SignedImages, latents: Features, labels: Condition, *, steps: int
) -> Iterator[Features]:
    """Yields latents (N, L) that come nearer to the images in each step; each image as if it were alone.

    Args:
        generator: in evaluation mode; its weights stay as they are.
        latents: where to begin.
        labels: what the generator is told meanwhile.
    """
    sought = latents.detach().clone().requires_grad_()
    adam = torch.optim.Adam([sought], lr=RATE)
    for step in range(steps):
        error = (generator(sought, labels) - images).square().mean(dim=(1, 2, 3))
        loss = (error + PRIOR * sought.square().mean(dim=1)).sum()
        (sought.grad,) = torch.autograd.grad(loss, [sought])
        for group in adam.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        adam.step()
        yield sought.detach().clone()
