"""Accuracy under attack is never above what AutoAttack's APGD leaves (pyautoattack)."""

import pytest
import torch
from torch import nn

from vitrail.attacks.robustness_curve import robust_accuracy
from vitrail.backbones.backbone import Backbone

pytestmark = pytest.mark.slow

autopgd = pytest.importorskip("pyautoattack.autopgd_base")
EPSILONS = {"linf": [0.002, 0.004, 0.008, 0.016, 0.03], "l2": [0.02, 0.05, 0.1, 0.2, 0.4]}


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 6)),
    )
    for layer in (0, 2, 6):
        network[layer].weight.data *= 3
    return Backbone.wrap(network, mean=(0.5,) * 3, std=(0.25,) * 3, classes=list("abcdef"), size=20)


@pytest.mark.parametrize("norm", EPSILONS)
@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_no_image_stays_correct_that_apgd_solves(norm, loss, backbone):
    images = torch.rand(12, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = backbone(images).argmax(dim=1)
    ours = robust_accuracy(backbone, images, labels, norm=norm, epsilons=EPSILONS[norm])
    with torch.random.fork_rng():
        for epsilon, accuracy in zip(EPSILONS[norm], ours.accuracy, strict=True):
            names = {"linf": "Linf", "l2": "L2"}
            attack = autopgd.APGDAttack(
                backbone, n_iter=50, norm=names[norm], eps=epsilon, loss=loss, seed=0, device="cpu"
            )
            with torch.no_grad():
                theirs = backbone(attack.perturb(images.clone(), labels.clone())).argmax(dim=1) == labels
            assert accuracy <= theirs.float().mean() + 1e-6
