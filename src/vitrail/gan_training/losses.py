"""What each player of the adversarial game lowers, each loss under the name its authors gave it.

Scores are logits, D(x) = sigmoid(score). All are in nats or in squared scores, averaged over the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.distributed import local_slice
from vitrail.registry import Registry
from vitrail.tensors import Scores

Value = Float[Tensor, ""]
Penalty = Callable[[Callable[[Tensor], Scores], Tensor, Tensor, torch.Generator], Value]
"""`(score, real, fake, generator)`: `score` gives (N,) of images; `generator` is for what is drawn."""


@dataclass(frozen=True)
class Loss:
    """A game.

    Attributes:
        discriminator: of scores of real and of generated images; what D lowers, beside `penalty`.
        generator: of scores of generated and of real images; what G lowers.
        penalty: on the slopes of D; None where there is none.
        compares: whether G's loss reads the real scores.
        relative: whether only differences of scores mean something: their sigmoid is then no probability.
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


def cross_entropy(real: Scores, fake: Float[Tensor, " fakes"]) -> Value:
    """-E log D(x) - E log(1 - D(G(z))); mismatched pairs make the second kind more than the first."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def gradient_norms(score: Callable[[Tensor], Scores], images: Tensor) -> Scores:
    """Squared length of the score's slope at each image, (N,), with a graph to D's weights."""
    inputs = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(inputs).sum(), inputs, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1)


def gradient_penalty(
    score: Callable[[Tensor], Scores], real: Tensor, fake: Tensor, generator: torch.Generator, weight: float = 10.0
) -> Value:
    """Lambda * E (‖∇D‖ - 1)², between real and generated images (Gulrajani et al., 2017)."""
    joined, mine = local_slice(len(real))
    shares = torch.rand(joined, 1, 1, 1, generator=generator)[mine].to(real)
    between = gradient_norms(score, fake + shares * (real - fake))
    return weight * (between.clamp_min(1e-12).sqrt() - 1).square().mean()


def zero_centred_penalty(
    score: Callable[[Tensor], Scores], real: Tensor, fake: Tensor, generator: torch.Generator, weight: float = 1.0
) -> Value:
    """Gamma / 2 * (E ‖∇D(x)‖² + E ‖∇D(G(z))‖²): R1 (Mescheder et al., 2018) and R2."""
    del generator  # nothing is drawn
    return weight / 2 * (gradient_norms(score, real).mean() + gradient_norms(score, fake).mean())


NON_SATURATING = Loss(cross_entropy, lambda fake, _: F.softplus(-fake).mean())
"""G lowers -E log D(G(z)) (Goodfellow et al., 2014, section 3, https://arxiv.org/abs/1406.2661)."""

SATURATING = Loss(cross_entropy, lambda fake, _: -F.softplus(fake).mean())
"""G lowers E log(1 - D(G(z))): the minimax game itself (Goodfellow et al., 2014, equation 1); flat where D is sure."""

HINGE = Loss(lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake, _: -fake.mean())
"""D stops at a margin of 1 (Lim and Ye, 2017, https://arxiv.org/abs/1705.02894)."""

LEAST_SQUARES = Loss(
    lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
    lambda fake, _: (fake - 1).square().mean() / 2,
)
"""Scores, not probabilities, pulled to 1 and 0 (Mao et al., 2017, https://arxiv.org/abs/1611.04076)."""

WASSERSTEIN_GP = Loss(
    lambda real, fake: fake.mean() - real.mean(), lambda fake, _: -fake.mean(), gradient_penalty, relative=True
)
"""The distance between the mean scores, slopes held near 1 (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028)."""

RELATIVISTIC = Loss(
    lambda real, fake: F.softplus(fake - real).mean(),
    lambda fake, real: F.softplus(real - fake).mean(),
    zero_centred_penalty,
    relativistic=True,
    relative=True,
)
"""Each generated image against a real one (Jolicoeur-Martineau, 2018), with R1 and R2 (Huang et al., 2024,
https://arxiv.org/abs/2501.05441)."""
