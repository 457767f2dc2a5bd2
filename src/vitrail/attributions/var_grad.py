"""VarGrad: the variance of gradients over noisy copies (Adebayo et al., 2018, https://arxiv.org/abs/1810.03307)."""

from vitrail.attributions.look import largest_channel
from vitrail.attributions.smooth_grad import noisy_moments
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def var_grad(
    backbone: Backbone,
    images: Images,
    targets: Labels,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    memory: int = MEMORY,
) -> Maps:
    """Largest variance, over the three channels, of the slope of the target's logit over noisy copies.

    Args:
        noise: deviation of the Gaussian noise, in pixel intensity; the same noises are added to every image.
    Returns:
        (N, H, W), the slope's unit squared; never negative.
    Raises:
        BadSetting: a target is not in [0, classes), or `samples` or `noise` is not positive.
    """
    mean, square = noisy_moments(backbone, images, targets, samples=samples, noise=noise, seed=seed, memory=memory)
    return largest_channel((square - mean.square()).clamp_min(0))
