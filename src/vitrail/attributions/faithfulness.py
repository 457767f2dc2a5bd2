"""Deletion and insertion: does the score follow the map? (Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import (
    MEMORY,
    check_finite,
    check_images,
    check_maps,
    check_targets,
    in_chunks,
    max_batch_size,
)
from vitrail.tensors import Images, Labels, Maps, Scores
from vitrail.validation import check_seed, describe

SHARES = tuple((step / 20) ** 1.5 for step in range(21))
"""Shares of pixels changed at which the curves are measured: denser at the start, where most curves bend.

Evenly spaced ones overestimate the area under a steep curve by half a spacing, several times a good map's deletion.
"""

BLUR_RADIUS, BLUR_SIGMA = 5, 5.0  # pixels, as in the authors' code

Curves = Float[Tensor, "batch points"]


@dataclass(frozen=True)
class Faithfulness:
    """The target's probability as pixels are deleted and inserted, most salient first.

    Attributes:
        deletion: (N, points), from the image to black.
        insertion: (N, points), from the blurred image to the image.
        deletion_auc: (N,), in [0, 1], the area under the curve: low for a faithful map.
        insertion_auc: (N,), in [0, 1]: high for a faithful map.
    """

    deletion: Curves = field(repr=False)
    insertion: Curves = field(repr=False)
    deletion_auc: Scores
    insertion_auc: Scores


def deletion_insertion(
    model: Backbone,
    images: Images,
    targets: Labels,
    maps: Maps,
    *,
    shares: Sequence[float] = SHARES,
    memory: int = MEMORY,
) -> Faithfulness:
    """Curves of the target's probability while pixels turn black (deletion) or sharp (insertion), and their areas.

    Pixels are taken in descending order of the map; ties from the upper left on. Areas follow the trapezoidal rule
    over the share of pixels changed. Compare them with those of `random_maps` on the same image: their level depends
    more on the network and the image than on the map. Costs about twice as many forward passes per image as there
    are shares.

    Args:
        targets: (N,), the classes that the maps explain.
        maps: (N, H, W).
        shares: of the pixels changed, rising from 0 to 1: the points of the curves.
        memory: bytes per batch.

    Raises:
        BadSetting: images, targets or maps that do not fit each other, the shares do not rise from 0 to 1, or a target
            is not in [0, classes).
        BadWeights: a logit is NaN.
    """
    check_explained(model, images, targets, maps)
    places = _rising(shares)
    pixels, points = images[0, 0].numel(), len(places)
    ranks = maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view(maps.shape)
    counts = (pixels * places).round().long().to(images.device)
    blurred = blur(images)
    views = 2 * points - 1  # the two curves share one end: the unchanged image
    probabilities = images.new_empty(len(images) * views)

    def chunk(rows: slice) -> None:
        pairs = torch.arange(rows.start, rows.stop, device=images.device)
        row, view = pairs // views, pairs % views
        deleting = (view < points)[:, None, None, None]
        changed = (ranks[row] < counts[view % points][:, None, None])[:, None]
        altered = torch.where(changed == deleting, torch.where(deleting, 0.0, blurred[row]), images[row])
        with torch.no_grad():
            probabilities[rows] = model(altered).softmax(dim=1).gather(1, targets[row, None])[:, 0]

    in_chunks(len(probabilities), max_batch_size(model, images, memory=memory), chunk)
    curves = probabilities.view(-1, views)
    deletion, insertion = curves[:, :points], torch.cat([curves[:, points:], curves[:, :1]], dim=1)
    rounded = (counts / pixels).to(images.dtype)
    check_finite(curves, model)  # a probability is NaN where a logit is
    return Faithfulness(
        deletion, insertion, *(torch.trapezoid(curve, rounded, dim=1) for curve in (deletion, insertion))
    )


def check_explained(model: Any, images: Any, targets: Any, maps: Any) -> None:
    """Raises `BadSetting` unless there are images that `model` takes, with a target and a map for each."""
    check_images(model, images)
    if not len(images):
        raise BadSetting(f"Images are missing; got {describe(images)}. Use at least one.")
    check_targets(model, targets, len(images))
    check_maps(maps, images)


def _rising(shares: Any) -> Float[Tensor, " points"]:
    try:
        places = torch.as_tensor(shares, dtype=torch.float64)
        rise = places.ndim == 1 and len(places) > 1 and bool((places.diff() > 0).all())  # NaN does not rise
    except (TypeError, ValueError, RuntimeError):
        rise = False
    if not rise or (float(places[0]), float(places[-1])) != (0, 1):
        raise BadSetting(f"shares must rise from 0 to 1; got {describe(shares)}. Use e.g. [0, 0.1, 0.5, 1].")
    return places


def blur(images: Images) -> Images:
    """The start of insertion: the images under a Gaussian blur."""
    reach = min(BLUR_RADIUS, min(images.shape[2:]) - 1)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / BLUR_SIGMA) ** 2).to(images)
    kernel = (weights / weights.sum()).expand(3, 1, 1, -1)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)


def random_maps(images: Images, seed: int = 0) -> Maps:
    """Maps of independent random pixels, (N, H, W) in [0, 1): the baseline of every map.

    All images get the same one, so that an image's baseline does not depend on the other images.

    Raises:
        BadSetting: images of another layout, or a seed that is none.
    """
    if not isinstance(images, Tensor) or images.ndim != 4:
        raise BadSetting(f"images must be a tensor (N, 3, H, W); got {describe(images)}.")
    check_seed("seed", seed)
    drawn = torch.rand(images.shape[2:], generator=torch.Generator().manual_seed(seed))
    return drawn.to(images.device).expand(len(images), -1, -1)
