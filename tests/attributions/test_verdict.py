"""The verdict on a map: on a network with known relevant pixels, on random maps, on an inverted map."""

from collections import Counter

import pytest
import torch
from torch import nn

from vitrail.attributions import (
    Faithfulness,
    RandomBaseline,
    deletion_insertion,
    random_baseline,
    random_maps,
    verdicts,
)
from vitrail.attributions.faithfulness import SHARES
from vitrail.attributions.verdict import coarse_random_maps, describe_verdicts, score
from vitrail.backbones.backbone import Backbone

SIDE, TARGET = 32, torch.tensor([1])
PATCH = (slice(4, 14), slice(12, 22))


class Patch(nn.Module):
    """Class 1 depends on the mean of one patch of 10 x 10 pixels and on nothing else."""

    def forward(self, images):
        evidence = 12 * images[:, :, PATCH[0], PATCH[1]].mean(dim=(1, 2, 3)) - 6
        return torch.stack([torch.zeros_like(evidence), evidence], dim=1)


@pytest.fixture(scope="module")
def backbone():
    return Backbone.wrap(Patch(), mean=(0.0,) * 3, std=(1.0,) * 3, classes=["none", "patch"], size=SIDE)


@pytest.fixture(scope="module")
def images():
    """Bright where the patch is, on darker ground: neither black nor blurred pixels support the class as well."""
    image = 0.3 * torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    image[:, :, PATCH[0], PATCH[1]] += 0.6
    return image


@pytest.fixture(scope="module")
def baseline(backbone, images):
    return random_baseline(backbone, images, TARGET)


def verdict(backbone, images, baseline, map):
    return verdicts(deletion_insertion(backbone, images, TARGET, map), baseline)[0]


def relevant():
    map = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    map[:, PATCH[0], PATCH[1]] += 1
    return map


def test_the_relevant_pixels_are_better_than_chance(backbone, images, baseline):
    assert verdict(backbone, images, baseline, relevant()) == "better than chance"


def test_the_inverted_map_is_worse_than_chance(backbone, images, baseline):
    assert verdict(backbone, images, baseline, -relevant()) == "worse than chance"


def test_random_maps_are_no_better_than_chance(backbone, images, baseline):
    pixel, coarse = (
        Counter(verdict(backbone, images, baseline, maps(images, seed)) for seed in range(100, 120))
        for maps in (random_maps, coarse_random_maps)
    )
    assert pixel["no better than chance here"] >= 18  # one in twenty is outside a 95 % interval
    assert coarse["better than chance"] <= 5  # one in six is above five others


def test_a_network_that_ignores_the_image_has_no_better_map(images):
    class Constant(nn.Module):
        def forward(self, images):
            return torch.stack([0 * images.mean(dim=(1, 2, 3)), 1e-7 * images.sum(dim=(1, 2, 3))], dim=1)

    constant = Backbone.wrap(Constant(), mean=(0.0,) * 3, std=(1.0,) * 3, classes=["a", "b"], size=SIDE)
    chance = random_baseline(constant, images, TARGET)
    for map in (relevant(), -relevant(), images.mean(dim=1)):
        assert verdict(constant, images, chance, map) == "no better than chance here"


@pytest.mark.parametrize(
    ("own", "coarse", "expected"),
    [
        (0.46, (0.1, 0.3), "better than chance"),
        (0.44, (0.1, 0.3), "no better than chance here"),  # within 3.04 deviations of the random pixels' mean
        (0.46, (0.1, 0.5), "no better than chance here"),  # a random blob does better
        (0.34, (0.35, 0.9), "worse than chance"),
        (0.36, (0.37, 0.9), "no better than chance here"),
        (0.34, (0.1, 0.9), "no better than chance here"),
    ],
)
def test_the_rule(own, coarse, expected):
    """Random pixels: mean 0.4, deviation 0.0158, so the limits are 0.352 and 0.448."""
    curve = torch.zeros(1, len(SHARES))
    measured = Faithfulness(curve, curve + own, torch.zeros(1), torch.full((1,), own))
    pixels = torch.tensor([[0.40], [0.42], [0.38], [0.41], [0.39]])
    blobs = torch.linspace(*coarse, 5)[:, None]
    assert verdicts(measured, RandomBaseline(torch.zeros(1), torch.zeros(1), pixels, blobs)) == [expected]


def test_the_score_is_insertion_less_deletion(backbone, images):
    measured = deletion_insertion(backbone, images, TARGET, relevant())
    assert score(measured).item() == pytest.approx((measured.insertion_auc - measured.deletion_auc).item(), abs=0.02)


def test_the_baseline_belongs_to_each_image_and_is_the_random_map_of_the_seed(backbone, images):
    both = torch.cat([images, images.flip(2)])
    many = random_baseline(backbone, both, TARGET.repeat(2), seed=3)
    one = random_baseline(backbone, images, TARGET, seed=3)
    torch.testing.assert_close(many.pixel_scores[:, :1], one.pixel_scores)
    torch.testing.assert_close(many.coarse_scores[:, :1], one.coarse_scores)
    first = deletion_insertion(backbone, images, TARGET, random_maps(images, 3))
    assert (one.deletion_auc, one.insertion_auc) == (first.deletion_auc, first.insertion_auc)
    assert one.pixel_scores.shape == one.coarse_scores.shape == (5, 1)


def test_counts_of_verdicts_in_words():
    counts = {"better than chance": 1_200, "no better than chance here": 30, "worse than chance": 4}
    assert describe_verdicts(counts) == "better than chance on 1,200 of 1,234 images, worse on 4"
    assert describe_verdicts({"no better than chance here": 1}) == "better than chance on 0 of 1 image"
