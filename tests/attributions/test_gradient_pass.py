from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.explainer import FROM_PASS
from vitrail.attributions.gradient_pass import run_gradient_pass
from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.errors import BadImage, BadSetting
from vitrail.image_ascent import class_score, input_gradient
from vitrail.preprocessing import Preprocessing
from vitrail.transfer.classifier import Classifier
from vitrail.transfer.head import LinearHead

FACTS = {"mean": (0.5,) * 3, "std": (0.2,) * 3}


def random_network(name, size=64):
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)()
    return Backbone.wrap(network, **FACTS, classes=list(map(str, range(1000))), size=size)


def test_logits_and_gradient_are_those_of_the_network(backbone, images, targets):
    result = run_gradient_pass(backbone, images, targets)
    plain = input_gradient(backbone, images, class_score(targets))
    torch.testing.assert_close(result.logits, plain.logits)
    torch.testing.assert_close(result.gradient, plain.gradient)
    assert torch.equal(run_gradient_pass(backbone, images).targets, plain.logits.argmax(dim=1))
    for tensor in (result.logits, result.gradient, result.activation, result.activation_gradient, result.images):
        assert not tensor.requires_grad


def test_methods_that_share_a_pass_give_the_maps_of_their_own(backbone, images, targets):
    result = run_gradient_pass(backbone, images, targets)
    for name, from_pass in FROM_PASS.items():
        torch.testing.assert_close(ATTRIBUTIONS[name](backbone, images, targets), from_pass(result))


LAST = {
    "squeezenet1_1": "features",
    "vgg16": "features",
    "alexnet": "features",
    "resnet18": "layer4",
    "densenet121": "features",
    "convnext_tiny": "features",
}


QUICK = ("squeezenet1_1", "alexnet", "resnet18")
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in LAST]


@pytest.mark.parametrize("name", CASES)
def test_the_last_spatial_layer_of_known_networks(name):
    backbone = random_network(name)
    images = torch.rand(1, 3, 96, 112, generator=torch.Generator().manual_seed(1))
    result = run_gradient_pass(backbone, images, torch.tensor([5]))
    with torch.no_grad():
        expected = backbone.activations(images, (LAST[name],))[LAST[name]]
    if name == "densenet121":  # overwritten in place: kept as what it becomes
        expected = expected.relu()
    torch.testing.assert_close(result.activation, expected)
    assert result.activation_gradient.shape == expected.shape
    assert result.activation_gradient.any()


def test_a_transformer_gives_its_tokens_as_a_grid():
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(32, 8, 2, 2, 12, 24, num_classes=5)
    nn.init.normal_(network.heads.head.weight)
    backbone = Backbone.wrap(network, **FACTS, classes=list("abcde"), size=32)
    images = torch.rand(2, 3, 32, 32)
    result = run_gradient_pass(backbone, images, torch.tensor([1, 4]))
    layer = "encoder.layers.encoder_layer_1.ln_1"  # what the last attention reads: later tokens count for nothing
    with torch.no_grad():
        tokens = backbone.activations(images, (layer,))[layer]
    assert result.activation.shape == (2, 12, 4, 4)
    torch.testing.assert_close(result.activation[:, :, 1, 2], tokens[:, 1 + 6])
    assert result.activation_gradient.any()


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_it_costs_two_forward_passes(name):
    backbone, images = random_network(name), torch.rand(2, 3, 64, 64)
    with FlopCounterMode(display=False) as once, torch.no_grad():
        backbone(images)
    with FlopCounterMode(display=False) as counted:
        run_gradient_pass(backbone, images)
    assert 1.9 * once.get_total_flops() < counted.get_total_flops() <= 2.1 * once.get_total_flops()


def test_of_several_networks_and_mirrored_copies_the_first_run_is_recorded(backbone, images):
    square, random = images[..., :16], torch.Generator().manual_seed(2)
    head = LinearHead(torch.randn(3, 12, generator=random).numpy(), torch.zeros(3).numpy(), 1.0)
    other = Backbone.wrap(backbone.network, **FACTS, classes=list("abcd"), size=16)
    members = [(backbone, ("second",)), (other, ("second",))]
    network = Classifier(members, head, scaling="square-root", flip=True)
    joined = Backbone.wrap(network, mean=(0.0,) * 3, std=(1.0,) * 3, classes=list("xyz"), size=16)
    result = run_gradient_pass(joined, square)
    with torch.no_grad():
        expected = backbone.activations(square, ("second", LOGITS))
    torch.testing.assert_close(result.activation, expected["second"])
    assert not any(module._forward_hooks for module in joined.modules())


def test_beside_a_network_with_larger_inputs_the_maps_of_the_first_lie_in_the_centre(backbone):
    weights = torch.randn(3, 12, generator=torch.Generator().manual_seed(2)).numpy()
    description = replace(backbone.description, preprocessing=Preprocessing(short_side=24, size=16))
    first = Backbone(backbone.network, description)
    wide = Backbone.wrap(backbone.network, **FACTS, classes=list("abcd"), size=24)
    whole, middle = (
        Backbone.wrap(
            Classifier([(each, ("second",)) for each in members], head, scaling="none", flip=False),
            mean=(0.0,) * 3, std=(1.0,) * 3, classes=list("xyz"), size=size,
        )
        for members, size, head in (
            ([first, wide], 24, LinearHead(weights, torch.zeros(3).numpy(), 1.0)),
            ([first], 16, LinearHead(weights[:, :6], torch.zeros(3).numpy(), 1.0)),
        )
    )  # fmt: skip
    images, targets = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(3)), torch.tensor([0, 2])
    for method in ("grad-cam", "grad-cam-plus-plus"):
        found, expected = (
            ATTRIBUTIONS[method](network, shown, targets)
            for network, shown in ((whole, images), (middle, images[:, :, 4:20, 4:20]))
        )
        torch.testing.assert_close(found, nn.functional.pad(expected, (4, 4, 4, 4)))
    assert ATTRIBUTIONS["score-cam"](whole, images, targets)[:, :4].count_nonzero() == 0


def test_a_layer_that_the_score_does_not_depend_on_is_left_out(backbone, images):
    head = LinearHead(torch.randn(3, 5).numpy(), torch.zeros(3).numpy(), 1.0)
    network = Classifier([(backbone, ("first",))], head, scaling="none", flip=False)
    joined = Backbone.wrap(network, mean=(0.0,) * 3, std=(1.0,) * 3, classes=list("xyz"), size=16)
    assert run_gradient_pass(joined, images[..., :16]).activation.shape[1] == 5


def test_a_network_without_a_spatial_layer_has_no_class_activation_map(images, targets):
    layers = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 4))
    flat = Backbone.wrap(layers, **FACTS, classes=list("abcd"), size=16)
    assert run_gradient_pass(flat, images).activation is None
    for name in ("grad-cam", "grad-cam-plus-plus", "score-cam"):
        with pytest.raises(BadSetting, match="need a spatial layer"):
            ATTRIBUTIONS[name](flat, images, targets)


def test_a_failing_network_keeps_no_hook(backbone):
    with pytest.raises(BadImage):
        run_gradient_pass(backbone, torch.rand(1, 3, 1, 1))  # too small to be pooled
    assert not any(module._forward_hooks for module in backbone.modules())
