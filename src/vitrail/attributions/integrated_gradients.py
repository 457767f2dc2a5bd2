"""Integrated gradients (Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365)."""

import numpy as np
import torch
from torch import Tensor

from vitrail.attributions.passes import by_samples, check_samples, target_scores
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, class_score, in_chunks, input_gradient, max_batch_size
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Maps, Scores


def integrated_gradients(
    backbone: Backbone,
    images: Images,
    targets: Labels,
    *,
    samples: int = 50,
    baseline: float = 0.0,
    memory: int = MEMORY,
) -> Maps:
    """Slope of the target's logit along the way from a flat image to the image, times the way; channels summed.

    Args:
        samples: points of the way, at the nodes of Gauss and Legendre.
        baseline: intensity of the flat image, in [0, 1]; black by default.
    Returns:
        (N, H, W), signed, in units of the logit; its sum tends to the logit's difference (see `completeness_error`).
    Raises:
        BadSetting: a target is not in [0, classes), or there is no sample.
    """
    check_targets(backbone, targets)
    check_samples(samples)
    nodes, weights = (
        torch.as_tensor(values, device=images.device).to(images.dtype).view(-1, 1, 1, 1)
        for values in np.polynomial.legendre.leggauss(samples)
    )
    way, total = images - baseline, torch.zeros_like(images)

    def work(rows: Tensor, numbers: Tensor) -> None:
        points = baseline + (1 + nodes[numbers]) / 2 * way[rows]
        gradient = input_gradient(backbone, points, class_score(targets[rows])).gradient
        total.index_add_(0, rows, weights[numbers] / 2 * gradient)

    by_samples(images, samples, max_batch_size(backbone, images, memory=memory), work)
    return (way * total).sum(dim=1)


def completeness_error(
    backbone: Backbone, images: Images, targets: Labels, maps: Maps, *, baseline: float = 0.0, memory: int = MEMORY
) -> Scores:
    """How far the sum of each map is from the difference of logits that it should explain, relative to it.

    Args:
        maps: (N, H, W), those of `integrated_gradients` at the same baseline.
    Returns:
        (N,), |sum of map - (logit of image - logit of baseline)| / |logit of image - logit of baseline|; 0 is complete.
    Raises:
        BadSetting: a target is not in [0, classes).
    """
    check_targets(backbone, targets)
    difference = images.new_empty(len(images))

    def chunk(rows: slice) -> None:
        flat = torch.full_like(images[rows], baseline)
        ends = (target_scores(backbone, end, targets[rows]) for end in (images[rows], flat))
        difference[rows] = next(ends) - next(ends)

    in_chunks(len(images), max_batch_size(backbone, images, memory=memory), chunk)
    error = (maps.sum(dim=(1, 2)) - difference).abs()
    return error / difference.abs().clamp_min(torch.finfo(error.dtype).tiny)
