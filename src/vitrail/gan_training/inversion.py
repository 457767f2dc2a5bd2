"""GAN inversion: latents that reproduce a given image, by gradient descent from an encoder's estimate.

Source: Zhu et al., 2016, https://arxiv.org/abs/1609.03552.
"""

from collections.abc import Iterator

import torch
from torch import nn

from vitrail.tensors import Condition, Features, SignedImages

RATE = 0.05  # of Adam
PRIOR = 0.03
"""Weight of a latent's squared value against a pixel's squared error. Latents far from the prior give poor images, and
do not respond to a changed attribute."""


def invert(
    generator: nn.Module, images: SignedImages, latents: Features, labels: Condition, *, steps: int
) -> Iterator[Features]:
    """Yields latents (N, L) after each step, closer to the images; each image independently of the others.

    Args:
        generator: in evaluation mode; its weights do not change.
        latents: initial values.
        labels: the condition.
    """
    estimate = latents.detach().clone().requires_grad_()
    adam = torch.optim.Adam([estimate], lr=RATE)
    for step in range(steps):
        error = (generator(estimate, labels) - images).square().mean(dim=(1, 2, 3))
        loss = (error + PRIOR * estimate.square().mean(dim=1)).sum()
        (estimate.grad,) = torch.autograd.grad(loss, [estimate])
        for group in adam.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        adam.step()
        yield estimate.detach().clone()
