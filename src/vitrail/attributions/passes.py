"""Many images through a network, a chunk at a time: slopes and scores of the classes asked for."""

from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import in_chunks, max_batch_size
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Maps, Scores


def check_samples(samples: int) -> None:
    """Raises `BadSetting` unless there is at least one sample."""
    if samples < 1:
        raise BadSetting(f"samples must be 1 or more; got {samples}: 50 is usual.")


def by_images(
    backbone: Backbone, images: Images, targets: Labels, work: Callable[[Images, Labels], Maps], *, memory: int
) -> Maps:
    """`work` done on as many images at once as `memory` allows: their maps, one after the other."""
    check_targets(backbone, targets)
    maps = images.new_empty(len(images), *images.shape[2:])

    def chunk(rows: slice) -> None:
        maps[rows] = work(images[rows], targets[rows])

    in_chunks(len(images), max_batch_size(backbone, images, memory=memory), chunk)
    return maps


def by_samples(images: Images, samples: int, size: int, work: Callable[[Tensor, Tensor], None]) -> None:
    """Calls `work` with the numbers of images and of samples, (B,) each, B at most `size`, until all pairs were met.

    A map is the same for any `size`, but for the order in which it is summed up.
    """

    def chunk(rows: slice) -> None:
        pairs = torch.arange(rows.start, rows.stop, device=images.device)
        work(pairs % len(images), pairs // len(images))

    in_chunks(len(images) * samples, size, chunk)


def target_scores(backbone: Backbone, images: Images, targets: Labels) -> Scores:
    """(N,), the logit of each image's target; no gradient."""
    with torch.no_grad():
        logits: Tensor = backbone(images)
        return logits.gather(1, targets[:, None])[:, 0]


class Draws:
    """Random tensors by number: sample s is the same for every image, in whatever chunk and company it comes.

    So an image's map depends on the seed and on nothing beside it. Drawn on the CPU: the same on every device.

    Args:
        draw: makes one sample from a generator.
    """

    def __init__(self, samples: int, seed: int, draw: Callable[[torch.Generator], Tensor]) -> None:
        self._seeds = torch.randint(2**62, (samples,), generator=torch.Generator().manual_seed(seed)).tolist()
        self._draw = draw

    def __call__(self, numbers: Tensor) -> Tensor:
        """The samples called `numbers`, (B,), stacked: (B, ...)."""
        drawn, places = torch.unique(numbers, return_inverse=True)
        made = [self._draw(torch.Generator().manual_seed(self._seeds[number])) for number in drawn.tolist()]
        return torch.stack(made).to(numbers.device)[places]
