"""SmoothGrad: gradients averaged over noisy copies (Smilkov et al., 2017, https://arxiv.org/abs/1706.03825)."""

import torch
from torch import Tensor

from vitrail.attributions.look import largest_channel
from vitrail.attributions.passes import Draws, by_samples, check_samples
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, class_score, input_gradient, max_batch_size
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Maps


def smooth_grad(
    backbone: Backbone,
    images: Images,
    targets: Labels,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    memory: int = MEMORY,
) -> Maps:
    """Largest absolute value, over the three channels, of the mean slope of the target's logit over noisy copies.

    Args:
        noise: deviation of the Gaussian noise, in pixel intensity; the same noises are added to every image.
    Returns:
        (N, H, W), change of the logit per unit of pixel intensity; never negative.
    Raises:
        BadSetting: a target is not in [0, classes), or `samples` or `noise` is not positive.
    """
    mean, _ = noisy_moments(backbone, images, targets, samples=samples, noise=noise, seed=seed, memory=memory)
    return largest_channel(mean)


def noisy_moments(
    backbone: Backbone, images: Images, targets: Labels, *, samples: int, noise: float, seed: int, memory: int
) -> tuple[Tensor, Tensor]:
    """Mean and mean square of the gradient over noisy copies, (N, 3, H, W) each."""
    check_targets(backbone, targets)
    check_samples(samples)
    if not noise > 0:
        raise BadSetting(f"noise must be positive, in pixel intensity; got {noise}: 0.15 is usual.")
    shape = images.shape[1:]
    draws = Draws(samples, seed, lambda generator: torch.randn(shape, generator=generator))
    mean, square = torch.zeros_like(images), torch.zeros_like(images)

    def work(rows: Tensor, numbers: Tensor) -> None:
        noisy = images[rows] + noise * draws(numbers)
        gradient = input_gradient(backbone, noisy, class_score(targets[rows])).gradient
        mean.index_add_(0, rows, gradient / samples)
        square.index_add_(0, rows, gradient.square() / samples)

    by_samples(images, samples, max_batch_size(backbone, images, memory=memory), work)
    return mean, square
