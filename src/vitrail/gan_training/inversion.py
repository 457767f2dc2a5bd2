"""GAN inversion: latents that reproduce a given image, by gradient descent from an encoder's estimate.

Source: Zhu et al., 2016, https://arxiv.org/abs/1609.03552.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from vitrail.tensors import Condition, Features, SignedImages

RATE = 0.05  # of Adam
PRIOR = 0.03
"""Weight of a latent's squared value against a pixel's squared error. Latents far from the prior give poor images, and
do not respond to a changed attribute."""

PERCEPTUAL = 0.1
"""Weight of a feature's squared error, of features of unit deviation, against a pixel's."""

FeatureMaps = Callable[[SignedImages], Sequence[Tensor]]
"""A frozen network: images to feature maps of several resolutions, each (N, C, S, S) and of unit deviation."""


def invert(
    generator: nn.Module,
    images: SignedImages,
    latents: Features,
    labels: Condition,
    *,
    steps: int,
    feature_maps: FeatureMaps | None = None,
) -> Iterator[Features]:
    """Yields latents (N, L) after each step, closer to the images; each image independently of the others.

    Args:
        generator: in evaluation mode; its weights do not change.
        latents: initial values.
        labels: the condition.
        feature_maps: what else is to be equal, as a perceptual loss (Johnson et al., 2016,
            https://arxiv.org/abs/1603.08155); None: the pixels alone.
    """
    with torch.no_grad():
        wanted = () if feature_maps is None else feature_maps(images)
    estimate = latents.detach().clone().requires_grad_()
    adam = torch.optim.Adam([estimate], lr=RATE)
    for step in range(steps):
        generated = generator(estimate, labels)
        error = _squared_error(generated, images)
        if feature_maps is not None:
            pairs = zip(feature_maps(generated), wanted, strict=True)
            error = error + PERCEPTUAL * torch.stack([_squared_error(*pair) for pair in pairs]).mean(dim=0)
        loss = (error + PRIOR * estimate.square().mean(dim=1)).sum()
        (estimate.grad,) = torch.autograd.grad(loss, [estimate])
        for group in adam.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        adam.step()
        yield estimate.detach().clone()


def _squared_error(values: Tensor, others: Tensor) -> Tensor:
    """The mean of each image, (N,)."""
    return (values - others).square().mean(dim=(1, 2, 3))
