"""Occlusion: the drop of the score behind a window (Zeiler & Fergus, 2014, https://arxiv.org/abs/1311.2901)."""

import torch
from torch import Tensor

from vitrail.attributions.batching import map_samples, resolve_targets, target_scores
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.tensors import Images, Labels, Maps
from vitrail.validation import check_count


def occlusion(
    model: Backbone,
    images: Images,
    targets: Labels | None = None,
    *,
    window: int = 32,
    stride: int = 16,
    fill: float = 0.0,
    memory: int = MEMORY,
) -> Maps:
    """Mean drop of the target's logit over the square windows that hide a pixel.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        window: side of the square in pixels; cut off at the lower and right edges.
        stride: pixels from one window to the next.
        fill: intensity of the window, in [0, 1]; default: black.
        memory: bytes per batch.

    Returns:
        (N, H, W), signed, in units of the logit.

    Raises:
        BadSetting: a target is not in [0, classes), or `stride` is not in [1, window].
    """
    check_count("window", window)
    check_count("stride", stride)
    if stride > window:
        raise BadSetting(
            f"stride must be in [1, window]; got {stride} and a window of {window}. Use 16 and 32, the usual values."
        )
    resolved = resolve_targets(model, images, targets, memory=memory)
    hidden = _windows(images, window, stride)
    whole, total = images.new_empty(len(images)), images.new_zeros(len(images), *images.shape[2:])

    def work(rows: Tensor, indices: Tensor) -> None:
        unmasked = indices == 0
        masks = hidden[(indices - 1).clamp_min(0)] & ~unmasked[:, None, None]
        scores = target_scores(model, torch.where(masks[:, None], fill, images[rows]), resolved[rows])
        whole[rows[unmasked]] = scores[unmasked]
        total.index_add_(0, rows, masks * (whole[rows] - scores)[:, None, None])

    map_samples(images, 1 + len(hidden), max_batch_size(model, images, memory=memory), work)
    return total / hidden.sum(dim=0)


def _windows(images: Images, window: int, stride: int) -> Tensor:
    """The pixels that each window hides, (windows, H, W); every pixel is hidden at least once."""
    rows, columns = (_spans(side, window, stride, images.device) for side in images.shape[2:])
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)


def _spans(side: int, window: int, stride: int, device: torch.device) -> Tensor:
    starts = torch.arange(0, max(side - window, 0) + stride, stride, device=device)[:, None]
    places = torch.arange(side, device=device)
    return (places >= starts) & (places < starts + window)
