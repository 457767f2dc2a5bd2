"""Model parameter randomisation test: does a map depend on what the network learned? (Adebayo et al., 2018, https://arxiv.org/abs/1810.03292)."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.devices import to_float64
from vitrail.errors import BadSetting
from vitrail.image_ascent import check_images, check_maps, check_targets
from vitrail.tensors import Images, Labels, Maps, Scores
from vitrail.validation import check_seed, describe


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

    Raises:
        BadSetting: images, targets or a seed that cannot be used, or a method that gives no finite map of each image.
    """
    check_images(model, images)
    check_seed("seed", seed)
    if not callable(method):
        raise BadSetting(f"method must be a function; got {describe(method)}. Use e.g. ATTRIBUTIONS['gradient'].")
    if not len(images):
        raise BadSetting(f"Images are missing; got {describe(images)}. Use at least one.")
    if targets is None:
        with torch.no_grad():
            targets = model(images).argmax(dim=1)
    check_targets(model, targets, len(images))
    pair = [method(network, images, targets) for network in (model, shuffled(model, seed))]
    for maps in pair:
        check_maps(maps, images)
    return _spearman(*pair)


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
    if not isinstance(ours, Tensor) or ours.ndim != 3:
        raise BadSetting(f"maps must be a tensor (N, H, W); got {describe(ours)}.")
    for maps in (ours, others):
        check_maps(maps, ours[:, None])
    return _spearman(ours, others)


def _spearman(ours: Maps, others: Maps) -> Scores:
    a, b = (_centred_ranks(maps.flatten(1)) for maps in (ours, others))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return ((a * b).sum(dim=1) / torch.where(lengths == 0, 1.0, lengths)).to(ours.dtype).to(ours.device)


def _centred_ranks(values: Tensor) -> Tensor:
    """Ranks less their mean. Ties get their mean rank: broken by position, they would count as agreement."""
    ordered, values = values.sort(dim=1).values, values.contiguous()
    ranks = torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True)
    ranks = to_float64(ranks)
    return ranks - ranks.mean(dim=1, keepdim=True)
