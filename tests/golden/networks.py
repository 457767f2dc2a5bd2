"""A network, images and features without a random number in them: what golden values are computed on."""

import torch
from torch import Tensor, nn

from vitrail.backbones.backbone import Backbone

SIZE = 16


def waves(*shape: int, speed: float) -> Tensor:
    """A tensor of sines, the same on every machine and for every version of torch."""
    return torch.sin(speed * torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64)).reshape(shape).float()


def network() -> Backbone:
    """Two convolutions and a layer; 4 classes."""
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    with torch.no_grad():
        for number, parameter in enumerate(layers.parameters()):
            parameter.copy_(waves(*parameter.shape, speed=1.7 + number) * (0.5 if parameter.ndim > 1 else 0.1))
    return Backbone.wrap(layers, mean=(0.5,) * 3, std=(0.25,) * 3, classes=tuple("abcd"), size=SIZE)


def images(count: int = 2) -> Tensor:
    """(N, 3, 16, 16) in [0.1, 0.9]: slow waves with a fast one over them."""
    slow, fast = waves(count, 3, SIZE, SIZE, speed=0.11), waves(count, 3, SIZE, SIZE, speed=2.3)
    return 0.5 + 0.3 * slow + 0.1 * fast
