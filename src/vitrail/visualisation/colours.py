"""Colours as natural images mix them: red, green and blue go together, so a step in one should move all.

Source: the colour correlation that Lucid measured on ImageNet (Olah et al., 2017,
https://distill.pub/2017/feature-visualization).
"""

import torch
from jaxtyping import Float
from torch import Tensor

Planes = Float[Tensor, "batch 3 height width"]

# Square root of the covariance of red, green and blue, its longest column made 1.
_ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
MIXING = _ROOT / _ROOT.norm(dim=0).max()


def correlated(planes: Planes) -> Planes:
    """Independent planes (light, blue to yellow, green to red) mixed to red, green and blue."""
    return torch.einsum("rc,nchw->nrhw", MIXING.to(planes), planes)


def decorrelated(images: Planes) -> Planes:
    """Red, green and blue as independent planes; undoes `correlated`."""
    return torch.einsum("cr,nrhw->nchw", torch.linalg.inv(MIXING).to(images), images)
