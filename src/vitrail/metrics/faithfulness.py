"""Deletion and insertion: does the score follow the map? (Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, in_chunks, max_batch_size
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Maps, Scores

SHARES = tuple((step / 20) ** 1.5 for step in range(21))
"""Of the pixels changed, where the curves are measured: closer together at the start, where most curves bend.

Evenly spaced ones overstate a steep curve's area by half a spacing: several times a good map's deletion.
"""

BLUR, DEVIATION = 5, 5.0  # pixels: reach and deviation of the blur, those of the authors' code

Curves = Float[Tensor, "batch points"]


@dataclass(frozen=True)
class Faithfulness:
    """How the target's probability changes as pixels go and come, most salient first.

    Attributes:
        deletion: (N, points), from the image to black.
        insertion: (N, points), from the blurred image to the image.
        deletion_auc: (N,), in [0, 1]: the mean height of the curve; a good map's is low.
        insertion_auc: (N,), in [0, 1]; a good map's is high.
    """

    deletion: Curves = field(repr=False)
    insertion: Curves = field(repr=False)
    deletion_auc: Scores
    insertion_auc: Scores


def deletion_insertion(
    backbone: Backbone,
    images: Images,
    targets: Labels,
    maps: Maps,
    *,
    shares: Sequence[float] = SHARES,
    memory: int = MEMORY,
) -> Faithfulness:
    """Curves of the target's probability while pixels turn black (deletion) or sharp (insertion), and their areas.

    Both begin with the pixels of the highest values of the map; among equal ones the upper left goes first. Areas
    follow the trapezoid rule over the share of pixels changed. Compare them with those of `random_maps`: their level
    says more about the network and the image than about the map. Costs one forward pass less than twice as many as
    there are shares, an image.

    Args:
        shares: of the pixels changed, from 0 up to 1; the curves' points.
    Raises:
        BadSetting: the shares do not rise from 0 to 1; a target outside [0, classes).
    """
    check_targets(backbone, targets)
    if (*shares[:1], *shares[-1:]) != (0, 1) or any(after <= before for before, after in pairwise(shares)):
        raise BadSetting(f"shares must rise from 0 to 1; got {list(shares)}: [0, 0.1, 0.5, 1] would work.")
    pixels, points = images[0, 0].numel(), len(shares)
    ranks = maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view(maps.shape)
    counts = (pixels * torch.tensor(shares, dtype=torch.float64, device=images.device)).round().long()
    blurred = blur(images)
    views = 2 * points - 1  # the curves have one end in common: the image as it is
    found = images.new_empty(len(images) * views)

    def chunk(rows: slice) -> None:
        pairs = torch.arange(rows.start, rows.stop, device=images.device)
        row, view = pairs // views, pairs % views
        deleting = (view < points)[:, None, None, None]
        changed = (ranks[row] < counts[view % points][:, None, None])[:, None]
        sharp = images[row]
        shown = torch.where(changed == deleting, torch.where(deleting, 0.0, blurred[row]), sharp)
        with torch.no_grad():
            found[rows] = backbone(shown).softmax(dim=1).gather(1, targets[row, None])[:, 0]

    in_chunks(len(found), max_batch_size(backbone, images, memory=memory), chunk)
    curves = found.view(-1, views)
    deletion, insertion = curves[:, :points], torch.cat([curves[:, points:], curves[:, :1]], dim=1)
    places = (counts / pixels).to(images.dtype)
    return Faithfulness(
        deletion, insertion, *(torch.trapezoid(curve, places, dim=1) for curve in (deletion, insertion))
    )


def blur(images: Images) -> Images:
    """The images that insertion begins with."""
    reach = min(BLUR, min(images.shape[2:]) - 1)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / DEVIATION) ** 2).to(images)
    kernel = (weights / weights.sum()).expand(3, 1, 1, -1)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)


def random_maps(images: Images, seed: int = 0) -> Maps:
    """Maps that know nothing, (N, H, W) in [0, 1): the floor for every figure.

    All images get the same one: an image's floor does not depend on its company.
    """
    drawn = torch.rand(images.shape[2:], generator=torch.Generator().manual_seed(seed))
    return drawn.to(images.device).expand(len(images), -1, -1)
