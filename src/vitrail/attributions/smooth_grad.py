"""SmoothGrad: gradients averaged over noisy copies (Smilkov et al., 2017, https://arxiv.org/abs/1706.03825)."""

import torch
from torch import Tensor

from vitrail.attributions.batching import SeededSamples, check_samples, map_samples, resolve_targets
from vitrail.attributions.gradient_pass import largest_channel
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, class_score, input_gradient, max_batch_size
from vitrail.tensors import Images, Labels, Maps
from vitrail.validation import check_number


def smooth_grad(
    model: Backbone,
    images: Images,
    targets: Labels | None = None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    memory: int = MEMORY,
) -> Maps:
    """Largest absolute value, over the three channels, of the mean gradient of the target's logit over noisy copies.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        samples: noisy copies per image.
        noise: standard deviation of the Gaussian noise, in pixel intensity; every image gets the same noise.
        memory: bytes per batch.

    Returns:
        (N, H, W), change of the logit per unit of pixel intensity; never negative.

    Raises:
        BadSetting: a target is not in [0, classes), or `samples` or `noise` is not positive.
    """
    mean, _ = noisy_moments(model, images, targets, samples=samples, noise=noise, seed=seed, memory=memory)
    return largest_channel(mean)


def noisy_moments(
    model: Backbone,
    images: Images,
    targets: Labels | None,
    *,
    samples: int,
    noise: float,
    seed: int,
    memory: int,
) -> tuple[Tensor, Tensor]:
    """Mean and mean square of the gradient over noisy copies, (N, 3, H, W) each."""
    check_samples(samples)
    check_number("noise", noise, above=0, most=1, unit="in pixel intensity")
    resolved = resolve_targets(model, images, targets, memory=memory)
    shape = images.shape[1:]
    draw = SeededSamples(samples, seed, lambda generator: torch.randn(shape, generator=generator))
    mean, square = torch.zeros_like(images), torch.zeros_like(images)

    def work(rows: Tensor, indices: Tensor) -> None:
        noisy = images[rows] + noise * draw(indices)
        gradient = input_gradient(model, noisy, class_score(resolved[rows])).gradient
        mean.index_add_(0, rows, gradient / samples)
        square.index_add_(0, rows, gradient.square() / samples)

    map_samples(images, samples, max_batch_size(model, images, memory=memory), work)
    return mean, square
