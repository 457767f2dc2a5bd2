"""The steps that a network is shown are those of the papers, written out once more without the attacks' own parts."""

import pytest
import torch
from small_networks import Keeping
from torch import nn

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion
from vitrail.backbones.backbone import Backbone

LABEL = Criterion(torch.tensor([0]))


@pytest.fixture
def original():
    return 0.5 + 0.1 * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)


@pytest.fixture
def linear():
    """A network of three classes that says the first; only the second depends on the original."""
    layer = nn.Linear(3 * 8 * 8, 3)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[1] = torch.randn(3 * 8 * 8, generator=torch.Generator().manual_seed(1)) / 10
        layer.bias.copy_(torch.tensor([40.0, 30.0, 0.0]))
    return Keeping(nn.Sequential(nn.Flatten(), layer))


def shown_to(network, name, original, **options):
    """The one original in each state in which the attack showed it; the clean one first."""
    backbone = Backbone.wrap(network, mean=(0.0,) * 3, std=(1.0,) * 3, classes=list("abc"), size=8)
    backbone.network.shown.clear()  # wrapping shows it an original of its own
    ATTACKS[name](backbone, original, LABEL, **options)
    return backbone.network.shown


def test_auto_pgd_keeps_a_quarter_of_its_last_move(linear, original):
    """x + 0.75 (z - x) + 0.25 (x - before), z a step of twice the epsilon: Croce & Hein, 2020, algorithm 1."""
    epsilon = 0.5
    weight = linear.network[1].weight[1].detach().view(1, 3, 8, 8)

    def within(image):
        return original + (image - original) * (epsilon / (image - original).norm()).clamp(max=1)

    def stepped(image):
        return within(image + 2 * epsilon * weight / weight.norm())

    shown = shown_to(linear, "apgd", original, epsilon=epsilon, norm="l2", seed=3)
    clean, before, image = shown[:3]
    assert torch.equal(clean, original)
    torch.testing.assert_close(image, stepped(before))
    for following in shown[3:6]:
        mixed = within(image + 0.75 * (stepped(image) - image) + 0.25 * (image - before))
        assert (mixed - stepped(image)).norm() > 0.01 * epsilon  # or the last move would not matter
        torch.testing.assert_close(following, mixed)
        before, image = image, mixed


def test_carlini_wagner_is_adam_on_the_papers_loss(linear, original):
    """|x - clean|^2 + max(label - rival, 0), x = (tanh w + 1) / 2, differentiated by autograd instead of by hand."""
    rate, steps = 0.1, 12
    shown = shown_to(linear, "carlini-wagner", original, steps=steps, restarts=1, learning_rate=rate)
    variable = torch.atanh(2 * original - 1).requires_grad_()
    adam = torch.optim.Adam([variable], lr=rate)
    assert len(shown) == steps + 2  # the clean original, and one after each step
    for image in shown[1:]:
        expected = (variable.tanh() + 1) / 2
        torch.testing.assert_close(image, expected, rtol=0, atol=1e-4)
        logits = linear.network(expected)
        loss = (expected - original).square().sum() + (logits[:, 0] - logits[:, 1:].amax(dim=1)).clamp_min(0).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
