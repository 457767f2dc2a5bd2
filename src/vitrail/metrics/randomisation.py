"""Is a map about the network? Its likeness to the map of a network with shuffled weights.

Source: the model parameter randomisation test (Adebayo et al., 2018, https://arxiv.org/abs/1810.03292).
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images, Labels, Maps, Scores


def randomisation_check(
    backbone: Backbone, method: Callable[..., Maps], images: Images, targets: Labels, *, seed: int = 0
) -> Scores:
    """Rank correlation between the maps of the network and those of a copy whose weights are shuffled in all layers.

    Args:
        method: an entry of `ATTRIBUTIONS`, or a function like it.
    Returns:
        (N,), Spearman's, in [-1, 1]; near 0: the map is about what the network learned; near 1: it is about the
        image, as an edge filter's would be. A map that is the same everywhere counts as 0.
    """
    ours, others = (method(network, images, targets) for network in (backbone, shuffled(backbone, seed)))
    return rank_correlation(ours, others)


def shuffled(backbone: Backbone, seed: int) -> Backbone:
    """A copy in which the values of each weight tensor have changed places: each layer keeps its scale."""
    other, generator = copy.deepcopy(backbone), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in other.parameters():
            order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
            weights.copy_(weights.flatten()[order].view(weights.shape))
    return other


def rank_correlation(ours: Maps, others: Maps) -> Scores:
    """Spearman's rank correlation of each pair of maps, (N,)."""
    a, b = (_centred_ranks(maps.flatten(1)) for maps in (ours, others))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return ((a * b).sum(dim=1) / torch.where(lengths == 0, 1.0, lengths)).to(ours.dtype)


def _centred_ranks(values: Tensor) -> Tensor:
    """Ranks less their mean; equal values share theirs: broken by place, they would look like agreement."""
    ordered, values = values.sort(dim=1).values, values.contiguous()
    ranks = torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True)
    return ranks.double() - ranks.double().mean(dim=1, keepdim=True)
