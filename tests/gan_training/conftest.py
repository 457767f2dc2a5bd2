import pytest
import torch
from small_players import batches, game_of


@pytest.fixture
def new_gan():
    """A game of small players, always the same at its start."""
    return game_of


@pytest.fixture
def data():
    """Endless batches of eight small images with labels."""
    return batches


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
