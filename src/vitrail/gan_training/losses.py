"""GAN losses of discriminator and generator, each under its authors' name.

Scores are logits, D(x) = sigmoid(score). Losses are in nats or in squared scores, averaged over the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.distributed import local_slice
from vitrail.registry import Registry
from vitrail.tensors import FakeScores, Scores

Value = Float[Tensor, ""]
Penalty = Callable[[Callable[[Tensor], Scores], Tensor, Tensor, torch.Generator], Value]
"""`(score, real, fake, generator)`: `score` maps images to logits (N,); `generator` is the source of random numbers."""


@dataclass(frozen=True)
class Loss:
    """A pair of losses.

    Attributes:
        discriminator: D's loss, from the scores of real and of generated images; `penalty` is added to it.
        generator: G's loss, from the scores of generated and of real images.
        penalty: gradient penalty on D; None: the loss has none.
        relativistic: whether G's loss depends on the scores of real images.
        relative: whether only differences of scores count, so that their sigmoid is no probability.
    """

    discriminator: Callable[[Scores, Scores], Value]
    generator: Callable[[Scores, Scores], Value]
    penalty: Penalty | None = None
    relativistic: bool = False
    relative: bool = False


LOSSES = Registry(
    "GAN loss",
    __name__.rpartition(".")[0],
    {
        "non-saturating": "losses:NON_SATURATING",
        "saturating": "losses:SATURATING",
        "hinge": "losses:HINGE",
        "least-squares": "losses:LEAST_SQUARES",
        "wasserstein-gp": "losses:WASSERSTEIN_GP",
        "relativistic": "losses:RELATIVISTIC",
    },
)


def cross_entropy(real: Scores, fake: FakeScores) -> Value:
    """-E log D(x) - E log(1 - D(G(z))); With mismatched labels there are more fake scores than real ones."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def gradient_norms(score: Callable[[Tensor], Scores], images: Tensor) -> Scores:
    """Squared L2 norm of the score's gradient at each image, (N,), differentiable in D's weights."""
    inputs = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(inputs).sum(), inputs, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1)


def gradient_penalty(
    score: Callable[[Tensor], Scores], real: Tensor, fake: Tensor, generator: torch.Generator, weight: float = 10.0
) -> Value:
    """Lambda * E (‖∇D‖ - 1)², at random points between real and generated images (Gulrajani et al., 2017)."""
    batch, mine = local_slice(len(real))
    fractions = torch.rand(batch, 1, 1, 1, generator=generator)[mine].to(real)
    squared_norms = gradient_norms(score, fake + fractions * (real - fake))
    return weight * (squared_norms.clamp_min(1e-12).sqrt() - 1).square().mean()


def zero_centred_penalty(
    score: Callable[[Tensor], Scores], real: Tensor, fake: Tensor, generator: torch.Generator, weight: float = 1.0
) -> Value:
    """Gamma / 2 * (E ‖∇D(x)‖² + E ‖∇D(G(z))‖²): R1 (Mescheder et al., 2018) and R2."""
    del generator  # no random numbers are needed
    return weight / 2 * (gradient_norms(score, real).mean() + gradient_norms(score, fake).mean())


NON_SATURATING = Loss(cross_entropy, lambda fake, _: F.softplus(-fake).mean())
"""G minimises -E log D(G(z)) (Goodfellow et al., 2014, section 3, https://arxiv.org/abs/1406.2661)."""

SATURATING = Loss(cross_entropy, lambda fake, _: -F.softplus(fake).mean())
"""G minimises E log(1 - D(G(z))) (Goodfellow et al., 2014, equation 1); its gradient vanishes where D is certain."""

HINGE = Loss(lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake, _: -fake.mean())
"""Hinge loss with a margin of 1 (Lim and Ye, 2017, https://arxiv.org/abs/1705.02894)."""

LEAST_SQUARES = Loss(
    lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
    lambda fake, _: (fake - 1).square().mean() / 2,
)
"""Least squares with targets 1 and 0 for the scores (Mao et al., 2017, https://arxiv.org/abs/1611.04076)."""

WASSERSTEIN_GP = Loss(
    lambda real, fake: fake.mean() - real.mean(), lambda fake, _: -fake.mean(), gradient_penalty, relative=True
)
"""Wasserstein loss with gradient penalty (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028)."""

RELATIVISTIC = Loss(
    lambda real, fake: F.softplus(fake - real).mean(),
    lambda fake, real: F.softplus(real - fake).mean(),
    zero_centred_penalty,
    relativistic=True,
    relative=True,
)
"""Relativistic pairing loss (Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734) with R1 and R2 (Huang et al.,
2024, https://arxiv.org/abs/2501.05441)."""
