"""The function `attack`, and attacks called with labels."""

import pytest
import torch

from vitrail.attacks import AttackResult, attack, fgsm, minimal_l2, pgd
from vitrail.attacks.criterion import Criterion
from vitrail.errors import BadSetting, UnknownName
from vitrail.images import to_bytes, to_unit


def predictions(backbone, images):
    with torch.no_grad():
        return backbone(images).argmax(dim=1)


def test_the_images_are_8_bit_and_adversarial_where_it_says_so(backbone, images, labels):
    result = attack(backbone, images)
    assert isinstance(result, AttackResult)
    assert result.success.all()
    assert torch.equal(to_unit(to_bytes(result.images)), result.images)
    assert torch.equal(predictions(backbone, result.images) != labels, result.success)
    assert (result.l2() > 0).all()


def test_without_quantisation_it_is_the_method_itself(backbone, images, labels):
    result = attack(backbone, images, labels, quantise=False)
    assert torch.equal(result.images, minimal_l2(backbone, images, labels).images)


def test_targets_and_confidence(backbone, images, labels):
    targets = (labels + 1) % 5
    result = attack(backbone, images, labels, targets=targets, confidence=0.05)
    assert result.success.any()
    with torch.no_grad():
        margins = Criterion(labels, targets).margins(backbone(result.images))
    assert (margins[result.success] > 0.05).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("epsilon", [0.002, 0.1])
def test_epsilon_holds_but_for_rounding_and_success_is_that_of_the_rounded_image(norm, epsilon, backbone, images):
    clean = to_unit(to_bytes(images))
    labels = predictions(backbone, clean)
    result = attack(backbone, clean, method="pgd", norm=norm, epsilon=epsilon)
    change = result.linf() if norm == "linf" else result.l2()
    assert (change[result.success] <= epsilon + 0.5 / 255 * (1 if norm == "linf" else (3 * 24 * 24) ** 0.5)).all()
    assert (predictions(backbone, result.images) != labels)[result.success].all()
    assert bool(result.success.any()) == (epsilon == 0.1 or norm == "linf")


def test_labels_stand_for_misclassification(backbone, images, labels):
    for method in (fgsm, pgd):
        assert torch.equal(method(backbone, images, labels).images, method(backbone, images, Criterion(labels)).images)


def test_what_cannot_be_is_refused(backbone, images, labels):
    with pytest.raises(UnknownName, match="fgsm"):
        attack(backbone, images, method="fgms")
    with pytest.raises(BadSetting, match="epsilon must be a number above 0"):
        attack(backbone, images, method="pgd", epsilon=0.0)
    with pytest.raises(BadSetting, match="must differ"):
        attack(backbone, images, labels, targets=labels)
