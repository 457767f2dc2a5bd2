import pytest
import torch
from small_gan import batches, make_state


@pytest.fixture
def new_gan():
    """State of a small GAN, with the same initial weights each time."""
    return make_state


@pytest.fixture
def data():
    """Endless batches of eight small images with labels."""
    return batches


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
