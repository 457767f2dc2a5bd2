"""What every attribution method promises."""

import inspect
import sys

import pytest
import torch
from torch import nn

from vitrail.attributions import ATTRIBUTIONS
from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.errors import BadSetting
from vitrail.transfer.classifier import Classifier
from vitrail.transfer.head import LinearHead

NAMES = [name for name in ATTRIBUTIONS if not name.endswith(":")]
NAMES += [f"captum:{member}" for member in ("deep-lift", "lrp", "kernel-shap", "lime")]
SIGNED = {"gradient-x-input", "integrated-gradients", "occlusion"} | {name for name in NAMES if ":" in name}
TARGETS = torch.tensor([0, 2, 3])
PREPARED = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25), "classes": list("abcd"), "size": 16}


class Modules(nn.Sequential):
    """A network of modules alone, so that methods with rules for each layer can follow."""

    def __init__(self):
        torch.manual_seed(0)
        body = (nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU())
        super().__init__(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


@pytest.fixture
def backbone():
    return Backbone.wrap(Modules(), **PREPARED)


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def method(name):
    return run(name)


def run(name, **more):
    """The method with few samples and windows that fit."""
    method = ATTRIBUTIONS[name]
    options = {"samples": 4 if "kernel" not in name and "lime" not in name else 40, "window": 6, "stride": 4, **more}
    taken = {key: value for key, value in options.items() if key in inspect.signature(method).parameters}
    return lambda *given: method(*given, **taken)


def test_a_map_is_as_large_as_its_image_and_finite(name, method, backbone, images):
    maps = method(backbone, images, TARGETS)
    assert maps.shape == (3, 16, 20)
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
    assert not maps.requires_grad
    assert maps.std() > 0
    assert (maps.min() < 0) == (name in SIGNED)


def test_a_gpu_computes_in_float32(method, backbone, images, precisions):
    method(precisions.watched(backbone), images, TARGETS)
    assert {precision for _, precision in precisions.seen} == {"ieee"}
    assert precisions.now() == precisions.before


def test_nothing_of_the_caller_is_changed(method, backbone, images):
    before, kept = {key: value.clone() for key, value in backbone.state_dict().items()}, images.clone()
    drawn = torch.random.get_rng_state()
    with torch.no_grad():
        method(backbone, images, TARGETS)
    assert torch.equal(images, kept)
    assert not images.requires_grad
    assert images.grad is None
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())
    assert backbone.network[1].inplace
    for module in backbone.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
        assert not module.training
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in backbone.parameters())


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(name, backbone, images):
    first, again = (run(name, seed=1)(backbone, images, TARGETS) for _ in range(2))
    assert torch.equal(first, again)
    if "seed" in inspect.signature(ATTRIBUTIONS[name]).parameters:
        assert not torch.equal(first, run(name, seed=2)(backbone, images, TARGETS))


def test_a_map_does_not_depend_on_the_other_images(method, backbone, images):
    together = method(backbone, images, TARGETS)
    torch.testing.assert_close(method(backbone, images[1:2], TARGETS[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


def test_memory_changes_how_many_go_at_once_and_no_number(name, backbone, images):
    sizes = []
    watched = backbone.network[0].register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    plain = run(name)(backbone, images, TARGETS)
    sizes.clear()
    frugal = run(name, memory=1)(backbone, images, TARGETS)
    watched.remove()
    if name != "captum:deep-lift":  # it sends image and baseline together
        assert set(sizes) == {1}
    torch.testing.assert_close(frugal, plain, rtol=1e-4, atol=1e-5)


def test_without_targets_the_likeliest_classes_are_explained(method, backbone, images):
    with torch.no_grad():
        likeliest = backbone(images).argmax(dim=1)
    assert not torch.equal(likeliest, TARGETS)
    torch.testing.assert_close(method(backbone, images), method(backbone, images, likeliest))


@pytest.mark.parametrize("name", [name for name in NAMES if ":" not in name])
def test_a_method_is_a_public_function_of_the_same_name(name):
    import vitrail.attributions

    public = name.replace("-", "_")
    assert getattr(vitrail.attributions, public) is ATTRIBUTIONS[name]
    assert public in vitrail.attributions.__all__


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_target_out_of_range_is_refused(method, backbone, images, wrong):
    with pytest.raises(BadSetting, match=f"got {wrong}"):
        method(backbone, images, torch.tensor([0, wrong, 1]))


@pytest.mark.parametrize("name", [name for name in NAMES if ":" not in name])
def test_a_classifier_made_by_transfer_can_be_explained(name):
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    maps = run(name)(transferred(), images, torch.tensor([0, 1, 2]))
    assert maps.shape == (3, 16, 16)
    assert maps.isfinite().all()
    assert maps.flatten(1).std(dim=1).min() > 0


def transferred():
    """Two members, mirrored copies, square-root scaling: all that a classifier can have."""
    members = [(Backbone.wrap(Modules(), **PREPARED), ("4", LOGITS)), (Backbone.wrap(Modules(), **PREPARED), ("4",))]
    random = torch.Generator().manual_seed(5)
    head = LinearHead(torch.randn(3, 20, generator=random).numpy(), torch.zeros(3).numpy(), 1.0)
    network = Classifier(members, head, scaling="square-root", flip=True)
    facts = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "classes": list("xyz"), "size": 16}
    return Backbone.wrap(network, **facts)


def test_the_source_is_cited(name):
    module = sys.modules[ATTRIBUTIONS[name].__module__]
    assert "https://" in module.__doc__
    assert "(N, H, W)" in ATTRIBUTIONS[name].__doc__
