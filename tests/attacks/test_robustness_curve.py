import pytest
import torch
from small_networks import convolutional, wrapped

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.robustness_curve import robust_accuracy
from vitrail.errors import BadSetting

EPSILONS = [0.001, 0.003, 0.01, 0.03]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_accuracy_falls_and_is_never_above_that_of_one_attack(norm, backbone, images, labels):
    wrong = labels.clone()
    wrong[0] = (labels[0] + 1) % 5
    found = robust_accuracy(backbone, images, wrong, norm=norm, epsilons=EPSILONS)
    assert found.smallest[0] == 0
    assert (found.smallest[1:] > 0).all()
    assert found.accuracy.diff().le(0).all()
    for epsilon, accuracy in zip(EPSILONS, found.accuracy, strict=True):
        assert accuracy == (found.smallest > epsilon + 1e-6).float().mean()
        one = ATTACKS["apgd"](backbone, images, Criterion(wrong), epsilon=epsilon, norm=norm)
        assert accuracy <= 1 - one.success.float().mean() + 1e-6


def test_an_image_solved_by_one_step_costs_four_passes(backbone, images, labels):
    found = robust_accuracy(backbone, images, labels, norm="linf", epsilons=[0.3, 0.4])
    assert (found.accuracy == 0).all()
    assert (found.forwards + found.backwards).amax() <= 4


@pytest.mark.parametrize("epsilons", [[], [0.0, 0.1], [0.2, 0.1]])
def test_epsilons_must_rise(epsilons, backbone, images, labels):
    with pytest.raises(BadSetting, match="rise; got"):
        robust_accuracy(backbone, images, labels, norm="l2", epsilons=epsilons)


def test_every_pass_of_the_curve_is_counted(backbone, images, labels):
    found = robust_accuracy(backbone, images, labels, norm="l2", epsilons=EPSILONS)
    assert backbone.network.seen == int(found.forwards.sum()) + 1  # one to measure the memory
    assert 0 < int(found.backwards.sum()) <= int(found.forwards.sum())


def test_two_classes_are_attacked_as_well_as_many():
    two = wrapped(convolutional(classes=2), classes=2)
    images = torch.rand(8, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        criterion = Criterion(two(images).argmax(dim=1))
    share = {}
    for name in ("pgd", "apgd"):
        share[name] = ATTACKS[name](two, images, criterion, epsilon=0.03, steps=20).success.float().mean()
    assert share["apgd"] >= share["pgd"] > 0.5
