"""Every loss against its formula, written anew, and the sign of its gradient."""

import math

import pytest
import torch

from vitrail.errors import BadSetting
from vitrail.gan_training.losses import LOSSES, RELATIVISTIC, WASSERSTEIN_GP
from vitrail.gan_training.state import TrainingOptions, loss_of

REAL, FAKE = [2.0, -1.0, 0.5], [-3.0, 0.25, 1.0]


def sigmoid(score):
    return 1 / (1 + math.exp(-score))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


D_OF = {
    "non-saturating": lambda: -mean(math.log(sigmoid(r)) for r in REAL) - mean(math.log(1 - sigmoid(f)) for f in FAKE),
    "hinge": lambda: mean(max(0, 1 - r) for r in REAL) + mean(max(0, 1 + f) for f in FAKE),
    "least-squares": lambda: mean((r - 1) ** 2 for r in REAL) / 2 + mean(f**2 for f in FAKE) / 2,
    "wasserstein-gp": lambda: mean(FAKE) - mean(REAL),
    "relativistic": lambda: -mean(math.log(sigmoid(r - f)) for r, f in zip(REAL, FAKE, strict=True)),
}
D_OF["saturating"] = D_OF["non-saturating"]
G_OF = {
    "non-saturating": lambda: -mean(math.log(sigmoid(f)) for f in FAKE),
    "saturating": lambda: mean(math.log(1 - sigmoid(f)) for f in FAKE),
    "hinge": lambda: -mean(FAKE),
    "least-squares": lambda: mean((f - 1) ** 2 for f in FAKE) / 2,
    "wasserstein-gp": lambda: -mean(FAKE),
    "relativistic": lambda: -mean(math.log(sigmoid(f - r)) for r, f in zip(REAL, FAKE, strict=True)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_it_is_its_formula(name):
    loss, real, fake = LOSSES[name], torch.tensor(REAL), torch.tensor(FAKE)
    assert loss.discriminator(real, fake).item() == pytest.approx(D_OF[name](), rel=1e-5)
    assert loss.generator(fake, real).item() == pytest.approx(G_OF[name](), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_formula_and_have_the_right_sign(name):
    loss = LOSSES[name]
    real, fake = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (REAL, FAKE))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake, real))
    up, down = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    if name != "least-squares":  # whose scores have a place to be, not only a direction
        assert (up <= 0).all()
        assert (down >= 0).all()
        (better,) = torch.autograd.grad(loss.generator(fake, real), fake)
        assert (better < 0).all()


def test_only_the_saturating_one_goes_flat_where_the_discriminator_is_sure():
    """Equations 6 and 7 of the lab: at D(G(z)) = 0.00005 one gradient vanishes, the other does not."""
    sure = torch.tensor([-10.0], requires_grad=True)
    flat, steep = (
        torch.autograd.grad(LOSSES[name].generator(sure, sure), sure)[0].item()
        for name in ("saturating", "non-saturating")
    )
    assert flat == pytest.approx(-sigmoid(-10.0), rel=1e-4)
    assert steep == pytest.approx(-(1 - sigmoid(-10.0)), rel=1e-4)


def test_penalties_of_a_linear_score_are_known():
    """score(x) = w·x: every gradient is w."""
    weights = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)  # of length 5

    def score(images):
        return (images * weights).flatten(1).sum(dim=1)

    given = score, torch.rand(4, 1, 1, 2), torch.rand(4, 1, 1, 2), torch.Generator().manual_seed(0)
    assert WASSERSTEIN_GP.penalty(*given).item() == pytest.approx(10 * (5 - 1) ** 2, rel=1e-5)
    assert RELATIVISTIC.penalty(*given).item() == pytest.approx((25 + 25) / 2, rel=1e-5)
    assert loss_of(TrainingOptions(loss="relativistic", gradient_penalty=0.1)).penalty(*given).item() == pytest.approx(
        5 / 2, rel=1e-5
    )


def test_the_gradient_penalty_is_taken_between_the_images():
    points = []

    def score(images):
        points.append(images.detach())
        return images.flatten(1).sum(dim=1)

    WASSERSTEIN_GP.penalty(score, torch.zeros(50, 1, 2, 2), torch.ones(50, 1, 2, 2), torch.Generator().manual_seed(0))
    between = points[0].flatten(1)
    assert between.min() > 0
    assert between.max() < 1
    assert torch.equal(between[:, :1].expand(-1, 4), between)  # one fraction per image
    assert between[:, 0].std() > 0.2


def test_smoothing_moves_the_target_of_real_images_only():
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    given = loss_of(TrainingOptions(label_smoothing=0.1)).discriminator(real, fake).item()
    wanted = -mean(0.9 * math.log(sigmoid(r)) + 0.1 * math.log(1 - sigmoid(r)) for r in REAL)
    assert given == pytest.approx(wanted - mean(math.log(1 - sigmoid(f)) for f in FAKE), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "word"), [({"loss": "hinge", "label_smoothing": 0.1}, "smooth"), ({"gradient_penalty": 1}, "penalty")]
)
def test_what_a_loss_does_not_have_is_refused(options, word):
    with pytest.raises(BadSetting, match=word):
        loss_of(TrainingOptions(**options))
