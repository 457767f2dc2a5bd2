"""The names of ImageNet's classes, as torchvision writes them."""

from functools import cache


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1,000 class names of ImageNet-1k, in the order of the networks' outputs."""
    from torchvision.models import AlexNet_Weights  # noqa: PLC0415  (seconds, and only for names)

    return tuple(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
