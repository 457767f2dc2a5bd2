"""Small networks that count the images they are shown, or keep them."""

import torch
from torch import nn

from vitrail.backbones.backbone import Backbone


class Counting(nn.Module):
    """Counts the images that go through."""

    def __init__(self, network):
        super().__init__()
        self.network, self.seen = network, 0

    def forward(self, images):
        self.seen += len(images)
        return self.network(images)


class Keeping(nn.Module):
    """Keeps the images that go through, as they are."""

    def __init__(self, network):
        super().__init__()
        self.network, self.shown = network, []

    def forward(self, images):
        self.shown.append(images.detach().clone())
        return self.network(images)


def convolutional(seed=0, classes=5):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(96, classes),
    )
    for layer in (0, 2, 6):
        network[layer].weight.data *= 3
        network[layer].bias.data *= 3
    return network


def wrapped(network, classes=5, size=24):
    names = [f"class {index}" for index in range(classes)]
    return Backbone.wrap(Counting(network), mean=(0.5,) * 3, std=(0.25,) * 3, classes=names, size=size)
