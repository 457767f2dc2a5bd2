"""Occlusion: what the score loses behind a window (Zeiler & Fergus, 2014, https://arxiv.org/abs/1311.2901)."""

import torch
from torch import Tensor

from vitrail.attributions.passes import by_samples, target_scores
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Maps


def occlusion(
    backbone: Backbone,
    images: Images,
    targets: Labels,
    *,
    window: int = 32,
    stride: int = 16,
    fill: float = 0.0,
    memory: int = MEMORY,
) -> Maps:
    """How much the target's logit falls while a square window hides a pixel; the mean over windows that do.

    Args:
        window: side of the square in pixels; at the lower and right edges it is cut off.
        stride: pixels from one window to the next.
        fill: intensity of the window, in [0, 1]; black by default.
    Returns:
        (N, H, W), signed, in units of the logit.
    Raises:
        BadSetting: a target is not in [0, classes); a window without extent, or with gaps between windows.
    """
    check_targets(backbone, targets)
    if not 1 <= stride <= window:
        raise BadSetting(
            f"stride must be from 1 to window; got {stride} and a window of {window}: 16 and 32 are usual."
        )
    hidden = _windows(images, window, stride)
    whole, total = images.new_empty(len(images)), images.new_zeros(len(images), *images.shape[2:])

    def work(rows: Tensor, numbers: Tensor) -> None:
        first = numbers == 0  # the image as it is
        masks = hidden[(numbers - 1).clamp_min(0)] & ~first[:, None, None]
        scores = target_scores(backbone, torch.where(masks[:, None], fill, images[rows]), targets[rows])
        whole[rows[first]] = scores[first]
        total.index_add_(0, rows, masks * (whole[rows] - scores)[:, None, None])

    by_samples(images, 1 + len(hidden), max_batch_size(backbone, images, memory=memory), work)
    return total / hidden.sum(dim=0)


def _windows(images: Images, window: int, stride: int) -> Tensor:
    """Which pixels each window hides, (windows, H, W), so that every pixel is hidden at least once."""
    rows, columns = (_spans(side, window, stride, images.device) for side in images.shape[2:])
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)


def _spans(side: int, window: int, stride: int, device: torch.device) -> Tensor:
    starts = torch.arange(0, max(side - window, 0) + stride, stride, device=device)[:, None]
    places = torch.arange(side, device=device)
    return (places >= starts) & (places < starts + window)
