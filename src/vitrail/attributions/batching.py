"""Work on many images or samples in batches that fit into memory, and samples that depend on their seed alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import check_images, check_targets, in_chunks, max_batch_size
from vitrail.tensors import Images, Labels, Maps, Scores
from vitrail.validation import check_count


def check_samples(samples: int) -> None:
    """Raises `BadSetting` unless there is at least one sample."""
    check_count("samples", samples)


def resolve_targets(model: Backbone, images: Images, targets: Labels | None, *, memory: int) -> Labels:
    """The classes to explain, (N,): those given, or the likeliest class of each image.

    Raises:
        BadSetting: images that the network does not take, or a target that is not in [0, classes).
    """
    check_images(model, images)
    if targets is not None:
        check_targets(model, targets, len(images))
        return targets
    likeliest = torch.empty(len(images), dtype=torch.long, device=images.device)

    def chunk(rows: slice) -> None:
        with torch.no_grad():
            likeliest[rows] = model(images[rows]).argmax(dim=1)

    in_chunks(len(images), max_batch_size(model, images, memory=memory), chunk)
    return likeliest


def map_images(
    model: Backbone,
    images: Images,
    targets: Labels | None,
    work: Callable[[Images, Any], Maps],
    *,
    memory: int,
) -> Maps:
    """The maps that `work` computes of the images and their targets, batch by batch within `memory` bytes.

    Args:
        targets: (N,), or None, which `work` then gets and resolves itself.

    Raises:
        BadSetting: images that the network does not take, or a target that is not in [0, classes).
    """
    check_images(model, images)
    if targets is not None:
        check_targets(model, targets, len(images))
    maps = images.new_empty(len(images), *images.shape[2:])

    def chunk(rows: slice) -> None:
        maps[rows] = work(images[rows], None if targets is None else targets[rows])

    in_chunks(len(images), max_batch_size(model, images, memory=memory), chunk)
    return maps


def map_samples(images: Images, samples: int, size: int, work: Callable[[Tensor, Tensor], None]) -> None:
    """Calls `work` with indices of images and of samples, (B,) each, B at most `size`, until all pairs are done.

    A map is the same for any `size`, except for the order of summation.
    """

    def chunk(rows: slice) -> None:
        pairs = torch.arange(rows.start, rows.stop, device=images.device)
        work(pairs % len(images), pairs // len(images))

    in_chunks(len(images) * samples, size, chunk)


def target_scores(model: Backbone, images: Images, targets: Labels) -> Scores:
    """(N,), the logit of each image's target; no gradient."""
    with torch.no_grad():
        logits: Tensor = model(images)
        return logits.gather(1, targets[:, None])[:, 0]


class SeededSamples:
    """Random tensors by index: sample s is the same for every image, in every batch and on every device.

    So an image's map depends on the seed and not on the other images. Drawn on the CPU.

    Args:
        draw: makes one sample from a generator.
    """

    def __init__(self, samples: int, seed: int, draw: Callable[[torch.Generator], Tensor]) -> None:
        self._seeds = torch.randint(2**62, (samples,), generator=torch.Generator().manual_seed(seed)).tolist()
        self._draw = draw

    def __call__(self, indices: Tensor) -> Tensor:
        """The samples at `indices`, (B,), stacked: (B, ...)."""
        unique, places = torch.unique(indices, return_inverse=True)
        samples = [self._draw(torch.Generator().manual_seed(self._seeds[index])) for index in unique.tolist()]
        return torch.stack(samples).to(indices.device)[places]
