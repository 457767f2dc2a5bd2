"""Decorrelated colour: in natural images red, green and blue are correlated, so a step in one should move all three.

Source: the colour correlation that Lucid measured on ImageNet (Olah et al., 2017,
https://distill.pub/2017/feature-visualization).
"""

import torch
from jaxtyping import Float
from torch import Tensor

Planes = Float[Tensor, "batch 3 height width"]

# Square root of the covariance of red, green and blue, scaled so that its longest column is 1.
_ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
MIXING = _ROOT / _ROOT.norm(dim=0).max()


def correlate_colours(planes: Planes) -> Planes:
    """Mixes independent planes (lightness, blue to yellow, green to red) to red, green and blue."""
    return torch.einsum("rc,nchw->nrhw", MIXING.to(planes), planes)


def decorrelate_colours(images: Planes) -> Planes:
    """Splits red, green and blue into independent planes; the inverse of `correlate_colours`."""
    return torch.einsum("cr,nrhw->nchw", torch.linalg.inv(MIXING).to(images), images)
