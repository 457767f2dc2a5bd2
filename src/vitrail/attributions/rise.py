"""RISE: randomised input sampling for explanation (Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitrail.attributions.batching import SeededSamples, check_samples, map_samples, resolve_targets
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.tensors import Images, Labels, Maps

GRID = 7  # cells of a mask in each direction, before upsampling
KEEP_PROBABILITY = 0.5  # of a cell


def rise(
    model: Backbone,
    images: Images,
    targets: Labels | None = None,
    *,
    samples: int = 1000,
    seed: int = 0,
    memory: int = MEMORY,
) -> Maps:
    """Mean of random smooth masks, each weighted by the target's probability under it; needs no gradient.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        samples: masks, the same for every image; below a few hundred the map is mostly noise.
        memory: bytes per batch.

    Returns:
        (N, H, W), about the expected probability given that a pixel is visible; never negative.

    Raises:
        BadSetting: a target is not in [0, classes), or `samples` is below 1.
    """
    check_samples(samples)
    resolved = resolve_targets(model, images, targets, memory=memory)
    height, width = images.shape[2:]
    draw = SeededSamples(samples, seed, lambda generator: _mask(height, width, generator))
    total = images.new_zeros(len(images), height, width)

    def work(rows: Tensor, indices: Tensor) -> None:
        masks = draw(indices)
        with torch.no_grad():
            probabilities = model(images[rows] * masks[:, None]).softmax(dim=1)
        total.index_add_(0, rows, masks * probabilities.gather(1, resolved[rows, None])[:, :, None])

    map_samples(images, samples, max_batch_size(model, images, memory=memory), work)
    return total / (samples * KEEP_PROBABILITY)


def _mask(height: int, width: int, generator: torch.Generator) -> Tensor:
    """A coarse random grid, upsampled bilinearly and shifted by less than a cell: (height, width) in [0, 1]."""
    grid = (torch.rand(1, 1, GRID, GRID, generator=generator) < KEEP_PROBABILITY).float()
    cell = [-(-side // GRID) for side in (height, width)]
    top, left = (int(torch.randint(side, (), generator=generator)) for side in cell)
    large = F.interpolate(grid, size=(height + cell[0], width + cell[1]), mode="bilinear", align_corners=False)
    return large[0, 0, top : top + height, left : left + width]
