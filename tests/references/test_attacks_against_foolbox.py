"""Minimal perturbations against foolbox's DDN, and by foolbox's criteria."""

import pytest
import torch
from torch import nn

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.backbones.backbone import Backbone

pytestmark = pytest.mark.slow

foolbox = pytest.importorskip("foolbox")


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 6)),
    )
    return Backbone.wrap(network, mean=(0.5,) * 3, std=(0.25,) * 3, classes=list("abcdef"), size=20)


def test_minimal_l2_is_as_short_as_ddn_at_a_third_of_the_passes(backbone):
    images = torch.rand(8, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = backbone(images).argmax(dim=1)
    model = foolbox.PyTorchModel(backbone, bounds=(0, 1), device="cpu")
    ours = ATTACKS["minimal-l2"](backbone, images, Criterion(labels))
    theirs = foolbox.attacks.DDNAttack(steps=100).run(model, images, labels)
    assert ours.success.all()
    assert ours.l2().mean() <= (theirs - images).flatten(1).norm(dim=1).mean() * 1.005
    assert (ours.forwards + ours.backwards).float().mean() <= 110
    assert foolbox.Misclassification(labels)(ours.images, backbone(ours.images)).all()


def test_targets_satisfy_their_criterion(backbone):
    images = torch.rand(4, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ranked = backbone(images).argsort(dim=1, descending=True)
    criterion = Criterion(ranked[:, 0], ranked[:, 1])
    found = ATTACKS["minimal-l2"](backbone, images, criterion)
    assert found.success.all()
    assert foolbox.TargetedMisclassification(criterion.targets)(found.images, backbone(found.images)).all()
