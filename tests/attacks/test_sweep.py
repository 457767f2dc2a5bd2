import pytest
import torch
from small_networks import convolutional, wrapped

from vitrail.attacks import ATTACKS
from vitrail.attacks.goal import Goal
from vitrail.attacks.sweep import sweep
from vitrail.errors import BadSetting

RADII = [0.001, 0.003, 0.01, 0.03]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_accuracy_falls_and_is_never_above_that_of_one_attack(norm, backbone, images, labels):
    wrong = labels.clone()
    wrong[0] = (labels[0] + 1) % 5
    found = sweep(backbone, images, wrong, norm=norm, radii=RADII)
    assert found.smallest[0] == 0
    assert (found.smallest[1:] > 0).all()
    assert found.accuracy.diff().le(0).all()
    for radius, accuracy in zip(RADII, found.accuracy, strict=True):
        assert accuracy == (found.smallest > radius + 1e-6).float().mean()
        one = ATTACKS["auto-projected-gradient"](backbone, images, Goal(wrong), radius=radius, norm=norm)
        assert accuracy <= 1 - one.reached.float().mean() + 1e-6


def test_a_image_fooled_by_one_step_costs_four_passes(backbone, images, labels):
    found = sweep(backbone, images, labels, norm="linf", radii=[0.3, 0.4])
    assert (found.accuracy == 0).all()
    assert (found.forwards + found.backwards).amax() <= 4


@pytest.mark.parametrize("radii", [[], [0.0, 0.1], [0.2, 0.1]])
def test_radii_must_rise(radii, backbone, images, labels):
    with pytest.raises(BadSetting, match="rise; got"):
        sweep(backbone, images, labels, norm="l2", radii=radii)


def test_every_pass_of_the_sweep_is_counted(backbone, images, labels):
    found = sweep(backbone, images, labels, norm="l2", radii=RADII)
    assert backbone.network.seen == int(found.forwards.sum()) + 1  # one to measure the memory
    assert 0 < int(found.backwards.sum()) <= int(found.forwards.sum())


def test_two_classes_are_attacked_as_well_as_many():
    two = wrapped(convolutional(classes=2), classes=2)
    images = torch.rand(8, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        goal = Goal(two(images).argmax(dim=1))
    share = {}
    for name in ("projected-gradient", "auto-projected-gradient"):
        share[name] = ATTACKS[name](two, images, goal, radius=0.03, steps=20).reached.float().mean()
    assert share["auto-projected-gradient"] >= share["projected-gradient"] > 0.5
