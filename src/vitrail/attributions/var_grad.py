"""VarGrad: the variance of gradients over noisy copies (Adebayo et al., 2018, https://arxiv.org/abs/1810.03307)."""

from vitrail.attributions.gradient_pass import largest_channel
from vitrail.attributions.smooth_grad import noisy_moments
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def var_grad(
    model: Backbone,
    images: Images,
    targets: Labels | None = None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    memory: int = MEMORY,
) -> Maps:
    """Largest variance, over the three channels, of the gradient of the target's logit over noisy copies.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        samples: noisy copies per image.
        noise: standard deviation of the Gaussian noise, in pixel intensity; every image gets the same noise.
        memory: bytes per batch.

    Returns:
        (N, H, W), the unit of `gradient` squared; never negative.

    Raises:
        BadSetting: a target is not in [0, classes), or `samples` or `noise` is not positive.
    """
    mean, square = noisy_moments(model, images, targets, samples=samples, noise=noise, seed=seed, memory=memory)
    return largest_channel((square - mean.square()).clamp_min(0))
