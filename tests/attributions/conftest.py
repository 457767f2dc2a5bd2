import pytest
import torch
from torch import nn

from vitrail.backbones.backbone import Backbone


class Small(nn.Module):
    """Convolutions with ReLUs of all kinds: modules, in place, functions; six channels in its last spatial layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(inplace=True), nn.AvgPool2d(2))
        self.second = nn.Conv2d(5, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)

    def forward(self, images):
        return self.head(self.second(self.first(images)).relu().mean(dim=(2, 3)))


def wrapped(network, **facts):
    torch.manual_seed(0)
    facts = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25), "classes": list("abcd"), "size": 16} | facts
    return Backbone.wrap(network, **facts)


@pytest.fixture
def wrap():
    """A network as a backbone, of images of 16 pixels and classes a to d."""
    return wrapped


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return wrapped(Small())


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets():
    return torch.tensor([0, 2, 3])


@pytest.fixture
def linear():
    """A network whose logits are W x + b; the weights, (4, 3, 16, 20), come with it."""
    torch.manual_seed(3)
    layer = nn.Linear(3 * 16 * 20, 4)
    network = nn.Sequential(nn.AdaptiveAvgPool2d((16, 20)), nn.Flatten(), layer)
    plain = wrapped(network, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), size=20)
    return plain, layer.weight.detach().view(4, 3, 16, 20)
