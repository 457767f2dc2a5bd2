import pytest
import torch
from torch import nn

from vitrail.backbones.backbone import Backbone


class Smooth(nn.Module):
    """A small network that is differentiable everywhere, so that finite differences and gradients agree."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Softplus(), nn.AvgPool2d(2))
        self.head = nn.Linear(6, 4)

    def forward(self, images):
        return self.head(self.features(images).mean(dim=(2, 3)))


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    network = Smooth()
    network.features[1].running_mean.uniform_(-1, 1)
    network.features[1].running_var.uniform_(0.5, 2)
    return Backbone.wrap(network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25), classes=list("abcd"), size=16)


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
