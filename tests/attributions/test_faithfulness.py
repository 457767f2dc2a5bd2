import pytest
import torch
from torch import nn

from vitrail.attributions.faithfulness import blur, deletion_insertion, random_maps
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting, BadWeights

TARGETS = torch.tensor([1, 1, 0])


def evenly(steps):
    return [step / steps for step in range(steps + 1)]


class Brightness(nn.Module):
    """Class 1 has as its probability the share of bright pixels in the left half, or a power of it."""

    power = 1

    def forward(self, images):
        share = (images[..., : images.shape[3] // 2] > 0.5).float().mean(dim=(1, 2, 3)) ** self.power
        share = share.clamp(1e-6, 1 - 1e-6)
        return torch.stack([1 - share, share], dim=1).log() + 1  # logits: not yet probabilities


@pytest.fixture
def backbone():
    return Backbone.wrap(Brightness(), mean=(0.0,) * 3, std=(1.0,) * 3, classes=["dark", "bright"], size=8)


@pytest.fixture
def maps():
    """High on the left half, which class 1 depends on; in order there."""
    values = torch.arange(64, 0, -1).float().view(8, 8).T / 64
    return values.expand(3, 8, 8)


@pytest.fixture(autouse=True)
def gradients_of_constants(monkeypatch):
    """The network is a threshold: no batch size can be measured where there is no gradient."""
    monkeypatch.setattr("vitrail.attributions.faithfulness.max_batch_size", lambda *_, memory: max(1, memory // 2**20))


def test_curves_are_the_probabilities_on_the_way(backbone, maps):
    white = torch.ones(3, 3, 8, 8)
    measured = deletion_insertion(backbone, white, TARGETS, maps, shares=evenly(4))
    falling = torch.tensor([1, 0.5, 0, 0, 0])
    torch.testing.assert_close(measured.deletion[0], falling, rtol=0, atol=1e-5)
    torch.testing.assert_close(measured.deletion[2], 1 - falling, rtol=0, atol=1e-5)
    torch.testing.assert_close(measured.insertion[0], torch.ones(5), rtol=0, atol=1e-5)
    torch.testing.assert_close(measured.deletion_auc[0].item(), 0.25, rtol=0, atol=1e-5)
    torch.testing.assert_close(measured.insertion_auc[0].item(), 1.0, rtol=0, atol=1e-5)


def test_the_usual_points_measure_a_steep_curve_as_well_as_many(backbone):
    backbone.network.power = 20
    white, order = torch.ones(3, 3, 80, 80), torch.arange(80, 0, -1).float().expand(3, 80, 80) / 80
    usual, even, many = (
        deletion_insertion(backbone, white, TARGETS, order, **shares).deletion_auc[0]
        for shares in ({}, {"shares": evenly(20)}, {"shares": evenly(400)})
    )
    assert abs(usual - many) < 0.002
    assert abs(usual - many) < abs(even - many) / 2


def test_a_better_map_has_the_lower_deletion_and_the_higher_insertion(backbone, maps):
    striped = torch.zeros(3, 3, 8, 8)
    striped[..., ::4] = 1  # blurred, nothing of it is bright
    assert blur(striped).max() < 0.5
    good, bad, chance = (
        deletion_insertion(backbone, striped, TARGETS, each, shares=evenly(16))
        for each in (striped[:, 0] + 0.5 * maps, -striped[:, 0], random_maps(striped))
    )
    for other in (chance, bad):
        assert good.deletion_auc[0] < other.deletion_auc[0]
        assert good.insertion_auc[0] > other.insertion_auc[0]


def test_ends_are_the_image_black_and_blurred(backbone, maps):
    images = torch.rand(3, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    measured = deletion_insertion(backbone, images, TARGETS, random_maps(images), shares=evenly(7))
    ends = [
        backbone(end).softmax(dim=1).gather(1, TARGETS[:, None])[:, 0]
        for end in (images, torch.zeros_like(images), blur(images))
    ]
    assert measured.deletion.shape == measured.insertion.shape == (3, 8)
    for curve, end in zip(
        (measured.deletion[:, 0], measured.deletion[:, -1], measured.insertion[:, 0]), ends, strict=True
    ):
        torch.testing.assert_close(curve, end)
    torch.testing.assert_close(measured.insertion[:, -1], ends[0])


def test_memory_changes_no_number(backbone, maps):
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    sizes = []
    backbone.network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    many = deletion_insertion(backbone, images, TARGETS, maps, shares=evenly(5))
    assert sizes == [33]  # three images, eleven views of each
    sizes.clear()
    few = deletion_insertion(backbone, images, TARGETS, maps, shares=evenly(5), memory=7 * 2**20)
    assert max(sizes) == 7
    assert sum(sizes) == 33
    torch.testing.assert_close(few.deletion, many.deletion)
    torch.testing.assert_close(few.insertion, many.insertion)
    assert torch.equal(images, before)


def test_random_maps_are_the_same_for_a_seed_and_for_any_other_images():
    images = torch.rand(3, 3, 8, 10)
    assert torch.equal(random_maps(images, 1), random_maps(images, 1))
    assert torch.equal(random_maps(images[2:], 1)[0], random_maps(images, 1)[2])
    assert not torch.equal(random_maps(images, 1), random_maps(images, 2))


def test_wrong_shares_and_targets_are_refused(backbone, maps):
    images = torch.rand(3, 3, 8, 8)
    for shares in ([], [1], [0, 0.5], [0.1, 1], [0, 0.5, 0.5, 1], [0, 2, 1], [0, float("nan"), 1]):
        with pytest.raises(BadSetting, match="shares must rise from 0 to 1"):
            deletion_insertion(backbone, images, TARGETS, maps, shares=shares)
    with pytest.raises(BadSetting, match="got 2"):
        deletion_insertion(backbone, images, torch.tensor([0, 2, 1]), maps)


def test_a_network_without_logits_has_no_curve(maps):
    class Damaged(Brightness):
        """Its logits are NaN for dark images, which those of a file were not."""

        def forward(self, images):
            return super().forward(images).where(images.amax(dim=(1, 2, 3))[:, None] > 0, torch.nan)

    damaged = Backbone.wrap(Damaged(), mean=(0.0,) * 3, std=(1.0,) * 3, classes=["dark", "bright"], size=8)
    with pytest.raises(BadWeights, match="NaN"):
        deletion_insertion(damaged, torch.ones(3, 3, 8, 8), TARGETS, maps)
