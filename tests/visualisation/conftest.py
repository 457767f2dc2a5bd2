import pytest
import torch
from torch import nn

from vitrail.backbones.backbone import Backbone


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2))
        self.head = nn.Linear(8, 4)

    def forward(self, images):
        return self.head(self.features(images).mean(dim=(2, 3)))


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    network = Small()
    network.features[1].running_var.uniform_(0.5, 2)
    return Backbone.wrap(network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25), classes=list("abcd"), size=24)


@pytest.fixture
def seeded():
    return lambda seed=0: torch.Generator().manual_seed(seed)
