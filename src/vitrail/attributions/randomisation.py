"""Model parameter randomisation test: does a map depend on what the network learned? (Adebayo et al., 2018, https://arxiv.org/abs/1810.03292)."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import check_images, check_maps, check_seed
from vitrail.tensors import Images, Labels, Maps, Scores


def randomisation_test(
    model: Backbone, method: Callable[..., Maps], images: Images, targets: Labels | None = None, *, seed: int = 0
) -> Scores:
    """Rank correlation between the maps of the network and those of a copy whose weights are shuffled in all layers.

    Args:
        method: an entry of `ATTRIBUTIONS`, or a function like it.
        targets: (N,), the classes to explain; default: the likeliest of each image.

    Returns:
        (N,), Spearman's, in [-1, 1]; near 0: the map depends on what the network learned; near 1: it depends on the
        image alone, as an edge filter's would. A constant map counts as 0.
    """
    check_images(model, images)
    check_seed(seed)
    if targets is None:
        with torch.no_grad():
            targets = model(images).argmax(dim=1)
    maps, shuffled_maps = (method(network, images, targets) for network in (model, shuffled(model, seed)))
    return rank_correlation(maps, shuffled_maps)


def shuffled(model: Backbone, seed: int) -> Backbone:
    """A copy with the values of each weight tensor permuted: each layer keeps its scale."""
    other, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in other.parameters():
            order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
            weights.copy_(weights.flatten()[order].view(weights.shape))
    return other


def rank_correlation(ours: Maps, others: Maps) -> Scores:
    """Spearman's rank correlation of each pair of maps, (N,).

    Raises:
        BadSetting: maps of other shapes, or that are not finite.
    """
    check_maps(others, ours[:, None])
    check_maps(ours, others[:, None])
    a, b = (_centred_ranks(maps.flatten(1)) for maps in (ours, others))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return ((a * b).sum(dim=1) / torch.where(lengths == 0, 1.0, lengths)).to(ours.dtype)


def _centred_ranks(values: Tensor) -> Tensor:
    """Ranks less their mean. Ties get their mean rank: broken by position, they would count as agreement."""
    ordered, values = values.sort(dim=1).values, values.contiguous()
    ranks = torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True)
    return ranks.double() - ranks.double().mean(dim=1, keepdim=True)
