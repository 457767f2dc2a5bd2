"""The contract of every attack, on a small random network."""

import inspect
import sys

import pytest
import torch
from torch import nn

from vitrail.attacks import ATTACKS, quantise_adversarial
from vitrail.attacks.criterion import Criterion
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting, VitrailError

EPSILON = 0.1


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 0
        self.layers = nn.Sequential(nn.Conv2d(3, 12, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(5))
        self.head = nn.Linear(300, 5)

    def forward(self, images):
        self.seen += len(images)
        return 5 * self.head(self.layers(images).flatten(1))


def wrapped(network):
    return Backbone.wrap(network, mean=(0.5,) * 3, std=(0.25,) * 3, classes=list("abcde"), size=24)


@pytest.fixture(params=ATTACKS)
def attack(request):
    return ATTACKS[request.param]


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return wrapped(Small())


@pytest.fixture
def images():
    images = torch.rand(5, 3, 24, 28, generator=torch.Generator().manual_seed(0))
    images[1, :, :12], images[2, :, :, :14] = 0, 1
    return images


@pytest.fixture
def labels(backbone, images):
    found = backbone(images).argmax(dim=1)
    backbone.network.seen = 0
    return found


def steps_for(attack):
    return {} if inspect.signature(attack).parameters["steps"].default <= 40 else {"steps": 30}


def test_a_gpu_computes_in_float32(attack, backbone, images, labels, precisions):
    """TF32 would put images that end at the decision boundary on its other side in another batch."""
    found = attack(precisions.watched(backbone), images, Criterion(labels), steps=3)
    quantise_adversarial(backbone, images, found.images, Criterion(labels), passes=30)
    assert precisions.seen == {("forward", "ieee"), ("backward", "ieee")}
    assert precisions.now() == precisions.before


def test_it_succeeds_and_reports_the_truth(attack, backbone, images, labels):
    found = attack(backbone, images, Criterion(labels), **steps_for(attack))
    with torch.no_grad():
        logits = backbone(found.images)
    assert Criterion(labels).success(logits)[found.success].all()
    assert found.success.float().mean() >= 0.8
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert (found.l2() > 0).all()
    torch.testing.assert_close(found.linf(), (found.images - images).abs().amax(dim=(1, 2, 3)))


def test_it_reaches_the_target_of_each_image(attack, backbone, images, labels):
    ranked = backbone(images).argsort(dim=1, descending=True)
    criterion = Criterion(labels, targets=ranked[:, 1])
    found = attack(backbone, images, criterion, **steps_for(attack))
    with torch.no_grad():
        assert (backbone(found.images).argmax(dim=1) == criterion.targets)[found.success].all()
    assert found.success.any()


def test_confidence_is_kept(attack, backbone, images, labels):
    criterion = Criterion(labels, confidence=0.02)
    found = attack(backbone, images, criterion, **steps_for(attack))
    with torch.no_grad():
        assert criterion.success(backbone(found.images))[found.success].all()
    assert found.success.any()


def test_it_stays_within_epsilon(attack, backbone, images, labels):
    for norm in ("linf", "l2") if "norm" in inspect.signature(attack).parameters else (None,):
        options = {} if norm is None else {"norm": norm}
        found = attack(backbone, images, Criterion(labels), epsilon=EPSILON, **options, **steps_for(attack))
        inside = found.linf() if norm == "linf" or attack is ATTACKS["minimal-linf"] else found.l2()
        assert (inside <= EPSILON + 1e-6).all()
        with torch.no_grad():
            assert Criterion(labels).success(backbone(found.images))[found.success].all()


def test_an_image_that_is_misclassified_already_costs_one_forward(attack, backbone, images, labels):
    wrong = labels.clone()
    wrong[:2] = (labels[:2] + 1) % 5
    found = attack(backbone, images, Criterion(wrong), **steps_for(attack))
    assert found.success[:2].all()
    assert torch.equal(found.images[:2], images[:2])
    assert found.forwards[:2].tolist() == [1, 1]
    assert found.backwards[:2].tolist() == found.steps[:2].tolist() == [0, 0]
    assert (found.forwards[2:] > 1).all()
    assert found.margin_history[:, :2].isnan().all()


def test_every_pass_is_counted(attack, backbone, images, labels):
    found = attack(backbone, images, Criterion(labels), **steps_for(attack))
    assert backbone.network.seen == found.forwards.sum() + 1  # one to measure the memory


def test_nothing_of_the_caller_is_changed_and_a_part_is_attacked_alike(attack, backbone, images, labels):
    kept, state = images.clone(), {key: value.clone() for key, value in backbone.state_dict().items()}
    before = torch.get_rng_state()
    part = attack(backbone, images[1:4], Criterion(labels).select(slice(1, 4)), **steps_for(attack))
    again = attack(backbone, images[1:4], Criterion(labels).select(slice(1, 4)), **steps_for(attack))
    assert torch.equal(part.images, again.images)
    assert torch.equal(images, kept)
    assert not images.requires_grad
    assert not part.images.requires_grad
    assert part.images.data_ptr() != images[1:4].data_ptr()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(state[key], value) for key, value in backbone.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in backbone.modules())


def test_pixels_at_the_border_can_move(attack, backbone, images, labels):
    found = attack(backbone, images[1:3], Criterion(labels[1:3]), epsilon=EPSILON, **steps_for(attack))
    assert (found.images[0, :, :12] > 0).any()
    assert (found.images[1, :, :, :14] < 1).any()


def test_a_dead_network_ends_without_success(attack, backbone, images, labels):
    class Dead(nn.Module):
        def forward(self, images):
            return 0 * images.flatten(1)[:, :5] + torch.tensor([3.0, 2, 1, 0, 0])

    found = attack(wrapped(Dead()), images, Criterion(torch.zeros_like(labels)), epsilon=EPSILON, steps=5)
    assert not found.success.any()
    assert found.images.isfinite().all()


def test_settings_out_of_range_are_refused(attack, backbone, images, labels):
    for bad in ({"steps": 0}, {"epsilon": 0.0}, {"epsilon": -1.0}):
        with pytest.raises(BadSetting, match="; got"):
            attack(backbone, images, Criterion(labels), **bad)
    with pytest.raises(BadSetting, match="5 classes; got 5"):
        attack(backbone, images, Criterion(torch.full_like(labels, 5)))
    with pytest.raises(VitrailError, match="got 5 for 4 images"):
        attack(backbone, images[:4], Criterion(labels))


def test_its_source_is_cited(attack):
    assert "https://" in sys.modules[attack.__module__].__doc__
