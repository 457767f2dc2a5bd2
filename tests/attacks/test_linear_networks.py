"""Of a linear network the nearest boundary is known: a minimal-norm attack must find it, and of the right class."""

import pytest
import torch
from small_networks import wrapped
from torch import nn

from vitrail.attacks import ATTACKS
from vitrail.attacks.criterion import Criterion

OPTIONS = {"carlini-wagner": {"steps": 200, "restarts": 6, "learning_rate": 0.003}}
CLOSE = {"minimal-l2": 1.002, "minimal-linf": 1.01, "deepfool": 1.03, "carlini-wagner": 1.05}


@pytest.fixture
def linear():
    """A network of five classes whose boundaries lie at very different distances, and its weights in pixel units."""
    torch.manual_seed(0)
    layer = nn.Linear(3 * 24 * 24, 5)
    with torch.no_grad():
        layer.weight *= torch.tensor([1.0, 4.0, 0.3, 2.0, 0.6])[:, None]
        layer.bias.zero_()
    return wrapped(nn.Sequential(nn.Flatten(), layer)), layer.weight.detach() / 0.25


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "carlini-wagner" else name for name in CLOSE]
)
def test_the_nearest_of_all_boundaries_is_found(linear, name):
    backbone, weights = linear
    images = 0.5 + 0.1 * torch.randn(6, 3, 24, 24, generator=torch.Generator().manual_seed(1)).clamp(-3, 3)
    logits = backbone(images)
    labels = logits.argmax(dim=1)
    gaps = logits.gather(1, labels[:, None]) - logits
    order = 1 if name.endswith("linf") else 2  # the dual norm of a difference of weights
    reach = (weights[labels][:, None] - weights[None]).norm(dim=2, p=order).masked_fill(gaps == 0, 1e-9)
    distance = (gaps / reach).masked_fill(gaps == 0, torch.inf)
    found = ATTACKS[name](backbone, images, Criterion(labels), **OPTIONS.get(name, {}))
    assert found.success.all()
    length = found.linf() if order == 1 else found.l2()
    assert (distance.sort(dim=1).values[:, 1] > 1.1 * distance.amin(dim=1)).any()  # there is a wrong class to go to
    assert (length <= CLOSE[name] * distance.amin(dim=1)).all()
