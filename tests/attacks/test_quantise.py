import torch

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.quantise import quantise_adversarial
from vitrail.images import to_bytes, to_unit


def test_success_is_that_of_the_bytes_and_the_perturbation_hardly_longer(backbone, images, labels):
    clean, criterion = to_unit(to_bytes(images)), Criterion(labels)
    exact = ATTACKS["minimal-l2"](backbone, clean, criterion)
    found = quantise_adversarial(backbone, clean, exact.images, criterion)
    pixels = to_bytes(found.images)
    assert torch.equal(to_unit(pixels), found.images)
    assert found.success.all()
    assert torch.equal(criterion.success(backbone(to_unit(pixels))), found.success)
    assert (found.l2() >= exact.l2() * 0.9).all()
    plain = to_unit(to_bytes(exact.images))
    assert not criterion.success(backbone(plain)).all()  # or there was nothing to do


def test_the_given_classifier_decides(backbone, images, labels):
    criterion = Criterion(labels)
    exact = ATTACKS["minimal-l2"](backbone, images, criterion)

    def strict(pixels):
        logits = backbone(pixels.float() / 255)
        return logits.scatter_add(1, labels[:, None], torch.ones(len(labels), 1))

    found = quantise_adversarial(backbone, images, exact.images, criterion, classify=strict)
    assert torch.equal(criterion.success(strict(to_bytes(found.images))), found.success)
    assert found.success.any()


def test_an_image_that_is_adversarial_already_is_left_alone(backbone, images, labels):
    clean = to_unit(to_bytes(images))
    found = quantise_adversarial(backbone, clean, clean, Criterion((labels + 1) % 5))
    assert torch.equal(found.images, clean)
    assert found.forwards.tolist() == [1] * 6
