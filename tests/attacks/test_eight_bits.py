import torch

from vitrail.attacks import ATTACKS
from vitrail.attacks.eight_bits import to_eight_bits
from vitrail.attacks.goal import Goal
from vitrail.images import to_bytes, to_unit


def test_what_is_reached_is_true_of_the_bytes_and_hardly_longer(backbone, images, labels):
    clean, goal = to_unit(to_bytes(images)), Goal(labels)
    exact = ATTACKS["minimal-l2"](backbone, clean, goal)
    found = to_eight_bits(backbone, clean, exact.images, goal)
    pixels = to_bytes(found.images)
    assert torch.equal(to_unit(pixels), found.images)
    assert found.reached.all()
    assert torch.equal(goal.reached(backbone(to_unit(pixels))), found.reached)
    assert (found.l2() >= exact.l2() * 0.9).all()
    plain = to_unit(to_bytes(exact.images))
    assert not goal.reached(backbone(plain)).all()  # or there was nothing to do


def test_the_judge_has_the_last_word(backbone, images, labels):
    goal = Goal(labels)
    exact = ATTACKS["minimal-l2"](backbone, images, goal)

    def strict(pixels):
        logits = backbone(pixels.float() / 255)
        return logits.scatter_add(1, labels[:, None], torch.ones(len(labels), 1))

    found = to_eight_bits(backbone, images, exact.images, goal, judge=strict)
    assert torch.equal(goal.reached(strict(to_bytes(found.images))), found.reached)
    assert found.reached.any()


def test_a_image_that_fools_already_is_left_alone(backbone, images, labels):
    clean = to_unit(to_bytes(images))
    found = to_eight_bits(backbone, clean, clean, Goal((labels + 1) % 5))
    assert torch.equal(found.images, clean)
    assert found.forwards.tolist() == [1] * 6
