import pytest
import torch
from small_networks import convolutional, wrapped


@pytest.fixture
def backbone():
    return wrapped(convolutional())


@pytest.fixture
def images():
    return torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels(backbone, images):
    with torch.no_grad():
        found = backbone(images).argmax(dim=1)
    backbone.network.seen = 0
    return found
