"""The two norms, and the nearest success that a run records, against their definitions."""

import pytest
import torch

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import NORMS
from vitrail.attacks.run import AttackRun

CHANGE = torch.zeros(2, 3, 2, 2)
CHANGE[0, 0, 0, 0], CHANGE[0, 1, 1, 1], CHANGE[1, 2, 0, 1] = 0.3, -0.4, -0.2


def random(seed=0):
    return torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(seed))


def test_lengths_and_duals_of_known_changes():
    assert NORMS["linf"].length(CHANGE).tolist() == pytest.approx([0.4, 0.2])
    assert NORMS["l2"].length(CHANGE).tolist() == pytest.approx([0.5, 0.2])
    assert NORMS["linf"].dual(CHANGE).tolist() == pytest.approx([0.7, 0.2])
    assert NORMS["l2"].dual(CHANGE).tolist() == pytest.approx([0.5, 0.2])


@pytest.mark.parametrize("name", NORMS)
def test_no_step_of_length_one_gains_more_than_the_steepest_which_gains_the_dual(name):
    norm, gradient = NORMS[name], random()
    steepest = norm.steepest(gradient)
    torch.testing.assert_close(norm.length(steepest), torch.ones(4))
    gain = (gradient * steepest).sum(dim=(1, 2, 3))
    torch.testing.assert_close(gain, norm.dual(gradient))
    for seed in range(1, 20):
        other = random(seed)
        other = other / norm.length(other)[:, None, None, None]
        assert ((gradient * other).sum(dim=(1, 2, 3)) <= gain).all()


@pytest.mark.parametrize("name", NORMS)
def test_what_is_within_epsilon_stays_and_the_rest_is_projected(name):
    norm, change = NORMS[name], random()
    epsilons = norm.length(change) * torch.tensor([0.5, 0.9, 1.0, 2.0])
    found = norm.project(change, epsilons)
    torch.testing.assert_close(norm.length(found), torch.minimum(epsilons, norm.length(change)))
    torch.testing.assert_close(found[2:], change[2:])


def test_a_run_records_the_nearest_success_not_the_latest(backbone, images):
    labels = backbone(images).argmax(dim=1)
    run = AttackRun(backbone, images, Criterion(labels), steps=1)
    success, near, far = torch.ones(len(images), dtype=torch.bool), 0.01, 0.05
    run.record(run.clean + near, success)
    run.record(run.clean + far, success)
    torch.testing.assert_close(run.adversarial(), images + near)
    run.record(run.clean + near / 2, ~success)
    torch.testing.assert_close(run.adversarial(), images + near)
    run.record(run.clean + near / 2, success)
    torch.testing.assert_close(run.adversarial(), images + near / 2)
    torch.testing.assert_close(run.best_length, NORMS["l2"].length(run.adversarial() - images))
