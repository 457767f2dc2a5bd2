"""RISE: randomised input sampling for explanation (Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitrail.attributions.passes import Draws, by_samples, check_samples
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Maps

CELLS = 7  # of the grid that a mask is enlarged from, in each direction
KEPT = 0.5  # share of cells that a mask lets through


def rise(
    backbone: Backbone,
    images: Images,
    targets: Labels,
    *,
    samples: int = 1000,
    seed: int = 0,
    memory: int = MEMORY,
) -> Maps:
    """Mean of random smooth masks, each weighted by the target's probability behind it; the network is a black box.

    Args:
        samples: masks, the same for every image; below some hundreds the map is mostly chance.
    Returns:
        (N, H, W), about the expected probability if a pixel is shown; never negative.
    Raises:
        BadSetting: a target is not in [0, classes), or there is no sample.
    """
    check_targets(backbone, targets)
    check_samples(samples)
    height, width = images.shape[2:]
    draws = Draws(samples, seed, lambda generator: _mask(height, width, generator))
    total = images.new_zeros(len(images), height, width)

    def work(rows: Tensor, numbers: Tensor) -> None:
        masks = draws(numbers)
        with torch.no_grad():
            probabilities = backbone(images[rows] * masks[:, None]).softmax(dim=1)
        total.index_add_(0, rows, masks * probabilities.gather(1, targets[rows, None])[:, :, None])

    by_samples(images, samples, max_batch_size(backbone, images, memory=memory), work)
    return total / (samples * KEPT)


def _mask(height: int, width: int, generator: torch.Generator) -> Tensor:
    """A coarse random grid, enlarged bilinearly and shifted by less than a cell: (height, width) in [0, 1]."""
    grid = (torch.rand(1, 1, CELLS, CELLS, generator=generator) < KEPT).float()
    cell = [-(-side // CELLS) for side in (height, width)]
    top, left = (int(torch.randint(side, (), generator=generator)) for side in cell)
    large = F.interpolate(grid, size=(height + cell[0], width + cell[1]), mode="bilinear", align_corners=False)
    return large[0, 0, top : top + height, left : left + width]
