import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from vitrail.attributions.randomisation import randomisation_test, rank_correlation, shuffled
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import class_score, input_gradient

TARGETS = torch.tensor([0, 1, 1])


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 10, 16), nn.Tanh(), nn.Linear(16, 2))
    return Backbone.wrap(nn.Sequential(nn.AdaptiveAvgPool2d((8, 10)), network), **FACTS)


FACTS = {"mean": (0.5,) * 3, "std": (0.2,) * 3, "classes": ["a", "b"], "size": 10}


@pytest.fixture
def images():
    return torch.rand(3, 3, 8, 10, generator=torch.Generator().manual_seed(1))


def gradient(backbone, images, targets):
    return input_gradient(backbone, images, class_score(targets)).gradient.sum(dim=1)


def edges(_backbone, images, _targets):
    return images.mean(dim=1).diff(dim=2, append=images.mean(dim=1)[..., :1])


def test_a_map_of_the_network_changes_with_it_and_one_of_the_image_does_not(backbone, images):
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    assert randomisation_test(backbone, gradient, images, TARGETS).abs().max() < 0.4
    torch.testing.assert_close(randomisation_test(backbone, edges, images, TARGETS), torch.ones(3))
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())


def test_the_same_seed_shuffles_alike(backbone, images):
    first, again, other = (randomisation_test(backbone, gradient, images, TARGETS, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_layer_keeps_its_values_and_loses_their_order(backbone):
    for ours, others in zip(backbone.parameters(), shuffled(backbone, 0).parameters(), strict=True):
        assert torch.equal(ours.flatten().sort().values, others.flatten().sort().values)
        assert not torch.equal(ours, others)


def test_correlation_is_spearmans_with_ties():
    random = torch.Generator().manual_seed(0)
    a, b = torch.rand(4, 8, 10, generator=random).round(decimals=1), torch.rand(4, 8, 10, generator=random)
    b = (a + b).round(decimals=1)
    expected = [spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(rank_correlation(a, b), torch.tensor(expected, dtype=torch.float32))
    assert rank_correlation(torch.zeros(1, 8, 10), b[:1]).item() == 0
