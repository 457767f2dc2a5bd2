import pytest
import torch
from small_networks import wrapped
from torch import nn

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone


class Flat(nn.Module):
    def __init__(self, classes):
        super().__init__()
        torch.manual_seed(3)
        self.linear = nn.Linear(3 * 8 * 8, classes)
        self.linear.weight.data /= 10

    def forward(self, images):
        return self.linear(images.flatten(1))


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("name", ["minimal-l2", "minimal-linf"])
def test_a_linear_network_gives_the_known_optimum(count, name, linear_case):
    backbone, images, labels, distances = linear_case(count, name)
    found = ATTACKS[name](backbone, images, Criterion(labels))
    length = found.l2() if name == "minimal-l2" else found.linf()
    assert found.success.all()
    assert (length <= 1.02 * distances).all()
    assert (length >= distances * (1 - 1e-4)).all()


@pytest.fixture
def linear_case():
    def make(count, name):
        network = Flat(5)
        backbone = wrapped(network, size=8)
        images = 0.5 + 0.02 * torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            logits = backbone(images)
        labels = logits.argmax(dim=1)
        weights = network.linear.weight.detach() / 0.25
        gaps = logits.gather(1, labels[:, None]) - logits
        between = weights[labels][:, None] - weights[None]
        dual = between.norm(dim=2) if name == "minimal-l2" else between.abs().sum(dim=2)
        return (
            backbone,
            images,
            labels,
            (gaps / dual).nan_to_num(torch.inf).clamp_min(0).masked_fill(gaps == 0, torch.inf).amin(dim=1),
        )

    return make


class Elliptic(nn.Module):
    """The boundary is an ellipse in a plane through grey: linear steps alone do not end at its nearest point."""

    axes = torch.tensor([0.4, 0.16])

    def __init__(self, norm):
        super().__init__()
        self.order, dual = (2, 2) if norm == "l2" else (torch.inf, 1)
        apart = torch.zeros(2, 3 * 8 * 8)
        apart[0, ::2], apart[1, 1::2] = 1, -1  # no pixel in both, so that lengths in the plane are those of images
        self.plane = apart / apart.norm(dim=1, p=dual, keepdim=True)

    def forward(self, images):
        place = (images.flatten(1) - 0.5) @ self.plane.T
        outside = (place / self.axes).square().sum(dim=1) - 1
        return torch.stack([torch.zeros_like(outside), outside], dim=1)

    def images(self, places):
        return 0.5 + (places @ (self.plane / self.plane.square().sum(dim=1, keepdim=True))).view(-1, 3, 8, 8)

    def distances(self, places):
        turn = torch.linspace(0, 2 * torch.pi, 100_001)
        border = torch.stack([turn.cos(), turn.sin()], dim=1) * self.axes
        return torch.cdist(places, border, p=self.order).amin(dim=1)


@pytest.mark.parametrize(("norm", "steps"), [("l2", 34), ("linf", 8)])
def test_the_nearest_point_of_a_curved_boundary_is_found_from_any_start(norm, steps):
    network = Elliptic(norm)
    places = torch.tensor([[0.12, 0.02], [0.008, 0.001], [0.04, 0.08], [0.24, 0.02]])
    backbone = Backbone.wrap(network, mean=(0.0,) * 3, std=(1.0,) * 3, classes=["inside", "outside"], size=8)
    criterion = Criterion(torch.zeros(len(places), dtype=torch.long))
    found = ATTACKS[f"minimal-{norm}"](backbone, network.images(places), criterion, steps=steps)
    length = found.l2() if norm == "l2" else found.linf()
    assert found.success.all()
    assert (length <= 1.01 * network.distances(places)).all()
    assert (length >= 0.999 * network.distances(places)).all()


def test_an_epsilon_too_small_is_no_success(backbone, images, labels):
    free = ATTACKS["minimal-l2"](backbone, images, Criterion(labels))
    limit = free.l2().median().item()
    found = ATTACKS["minimal-l2"](backbone, images, Criterion(labels), epsilon=limit)
    assert torch.equal(found.success, free.l2() <= limit)
    assert (found.l2() <= limit + 1e-6).all()


def test_finished_images_leave_the_batch(backbone, images, labels):
    run = AttackRun(backbone, images, Criterion(labels), steps=1)
    run.drop(torch.tensor([True, False, True, False, False, True]))
    before = backbone.network.seen
    run.logits(run.clean)
    run.input_gradient(run.clean)
    assert backbone.network.seen - before == 6
    found = run.result()
    assert found.forwards.tolist() == [1, 3, 1, 3, 3, 1]
    assert found.backwards.tolist() == [0, 1, 0, 1, 1, 0]
    assert found.margin_history.isnan().tolist() == [[True, False, True, False, False, True]]
