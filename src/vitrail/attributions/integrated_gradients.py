"""Integrated gradients (Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365)."""

import numpy as np
import torch
from torch import Tensor

from vitrail.attributions.batching import check_samples, map_samples, resolve_targets, target_scores
from vitrail.attributions.faithfulness import check_explained
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, class_score, in_chunks, input_gradient, max_batch_size
from vitrail.tensors import Images, Labels, Maps, Scores
from vitrail.validation import check_number


def integrated_gradients(
    model: Backbone,
    images: Images,
    targets: Labels | None = None,
    *,
    samples: int = 50,
    baseline: float = 0.0,
    memory: int = MEMORY,
) -> Maps:
    """Mean gradient of the target's logit on the path from a flat image to the image, times the difference.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        samples: points on the path, at the nodes of Gauss-Legendre quadrature.
        baseline: intensity of the flat image, in [0, 1]; default: black.
        memory: bytes per batch.

    Returns:
        (N, H, W), summed over channels, signed, in units of the logit; its sum approaches the difference of logits
        (see `completeness_error`).

    Raises:
        BadSetting: a target is not in [0, classes), `samples` is below 1, or `baseline` is not in [0, 1].
    """
    check_samples(samples)
    check_number("baseline", baseline, least=0, most=1)
    resolved = resolve_targets(model, images, targets, memory=memory)
    nodes, weights = (
        torch.as_tensor(values).to(images.dtype).to(images.device).view(-1, 1, 1, 1)
        for values in np.polynomial.legendre.leggauss(samples)
    )
    path, total = images - baseline, torch.zeros_like(images)

    def work(rows: Tensor, points: Tensor) -> None:
        between = baseline + (1 + nodes[points]) / 2 * path[rows]
        gradient = input_gradient(model, between, class_score(resolved[rows])).gradient
        total.index_add_(0, rows, weights[points] / 2 * gradient)

    map_samples(images, samples, max_batch_size(model, images, memory=memory), work)
    return (path * total).sum(dim=1)


def completeness_error(
    model: Backbone, images: Images, targets: Labels, maps: Maps, *, baseline: float = 0.0, memory: int = MEMORY
) -> Scores:
    """Relative difference between the sum of each map and the difference of logits that it should add up to.

    Args:
        maps: (N, H, W), those of `integrated_gradients` at the same baseline.
        memory: bytes per batch.

    Returns:
        (N,), |sum of map - (logit of image - logit of baseline)| / |logit of image - logit of baseline|; 0 is complete.

    Raises:
        BadSetting: images, targets or maps that do not fit each other, a target that is not in [0, classes), or a
            baseline that is not in [0, 1].
    """
    check_explained(model, images, targets, maps)
    check_number("baseline", baseline, least=0, most=1)
    difference = images.new_empty(len(images))

    def chunk(rows: slice) -> None:
        flat = torch.full_like(images[rows], baseline)
        ends = (target_scores(model, end, targets[rows]) for end in (images[rows], flat))
        difference[rows] = next(ends) - next(ends)

    in_chunks(len(images), max_batch_size(model, images, memory=memory), chunk)
    error = (maps.sum(dim=(1, 2)) - difference).abs()
    return error / difference.abs().clamp_min(torch.finfo(error.dtype).tiny)
