"""The methods that captum has as well, on torchvision's networks with random weights."""

import captum.attr
import pytest
import torch
import torchvision
from torch import nn

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.batching import SeededSamples
from vitrail.attributions.integrated_gradients import completeness_error
from vitrail.backbones.backbone import Backbone

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]  # captum says that it sets hooks
TARGETS = torch.tensor([3, 700])
LAYERS = {"squeezenet1_1": "features", "resnet18": "layer4"}


@pytest.fixture(scope="module", params=LAYERS)
def backbone(request):
    torch.manual_seed(0)
    network = getattr(torchvision.models, request.param)().eval()
    classes = list(map(str, range(1000)))
    facts = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "classes": classes, "size": 64}
    return Backbone.wrap(network, **facts, name=request.param)


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 64, 80, generator=torch.Generator().manual_seed(1))


def check(ours, theirs):
    scale = theirs.abs().max()
    assert scale > 0
    torch.testing.assert_close(ours / scale, theirs.detach() / scale, rtol=0, atol=1e-5)


def test_saliency(backbone, images):
    theirs = captum.attr.Saliency(backbone).attribute(images.clone(), TARGETS).amax(dim=1)
    check(ATTRIBUTIONS["gradient"](backbone, images, TARGETS), theirs)


def test_input_x_gradient(backbone, images):
    theirs = captum.attr.InputXGradient(backbone).attribute(images.clone(), TARGETS).sum(dim=1)
    check(ATTRIBUTIONS["gradient-x-input"](backbone, images, TARGETS), theirs)


def test_integrated_gradients(backbone, images):
    method = captum.attr.IntegratedGradients(backbone)
    theirs, delta = method.attribute(images, target=TARGETS, n_steps=7, return_convergence_delta=True)
    ours = ATTRIBUTIONS["integrated-gradients"](backbone, images, TARGETS, samples=7)
    check(ours, theirs.sum(dim=1).float())
    with torch.no_grad():
        ends = [backbone(end).gather(1, TARGETS[:, None])[:, 0] for end in (images, torch.zeros_like(images))]
    error = completeness_error(backbone, images, TARGETS, ours)
    torch.testing.assert_close(error, (delta / (ends[0] - ends[1])).abs().float(), rtol=1e-2, atol=1e-4)


def test_guided_backprop(backbone, images):
    theirs = captum.attr.GuidedBackprop(not_in_place(backbone)).attribute(images.clone(), TARGETS).abs().amax(dim=1)
    check(ATTRIBUTIONS["guided-backprop"](backbone, images, TARGETS), theirs)


def not_in_place(backbone):
    for module in backbone.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return backbone


def test_grad_cam(backbone, images):
    layer = backbone.network.get_submodule(LAYERS[backbone.name])
    method = captum.attr.LayerGradCam(backbone, layer)
    small = method.attribute(images, TARGETS, relu_attributions=True)
    theirs = captum.attr.LayerAttribution.interpolate(small, (64, 80), "bilinear")[:, 0]
    check(ATTRIBUTIONS["grad-cam"](backbone, images, TARGETS), theirs)


@pytest.mark.parametrize(("window", "stride"), [(24, 16), (20, 20)])
def test_occlusion(backbone, images, window, stride):
    method = captum.attr.Occlusion(backbone)
    shapes = {"sliding_window_shapes": (3, window, window), "strides": (3, stride, stride)}
    theirs = method.attribute(images, target=TARGETS, perturbations_per_eval=4, **shapes)[:, 0]
    ours = ATTRIBUTIONS["occlusion"](backbone, images, TARGETS, window=window, stride=stride)
    check(ours, theirs.float())


@pytest.mark.parametrize(("name", "kind"), [("smooth-grad", "smoothgrad"), ("var-grad", "vargrad")])
def test_noise_tunnel(backbone, images, name, kind, monkeypatch):
    draw = SeededSamples(4, 5, lambda generator: torch.randn(images.shape[1:], generator=generator))
    noise = 0.1 * draw(torch.arange(4)).repeat(2, 1, 1, 1)  # captum keeps an image's copies together
    monkeypatch.setattr(torch, "normal", lambda *_, **__: noise)
    method = captum.attr.NoiseTunnel(captum.attr.Saliency(backbone))
    theirs = method.attribute(images.clone(), nt_type=kind, nt_samples=4, stdevs=0.1, target=TARGETS, abs=False)
    ours = ATTRIBUTIONS[name](backbone, images, TARGETS, samples=4, noise=0.1, seed=5)
    check(ours, theirs.abs().amax(dim=1))


@pytest.mark.parametrize("name", ["deep-lift", "lrp"])
def test_the_adapter_adds_up_to_the_score(name, images):
    torch.manual_seed(0)
    body = (nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, bias=False))
    network = nn.Sequential(*body, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4, bias=False))
    plain = Backbone.wrap(network, mean=(0.0,) * 3, std=(0.5,) * 3, classes=list("abcd"), size=64)
    targets = torch.tensor([0, 3])
    maps = ATTRIBUTIONS[f"captum:{name}"](plain, images, targets)
    with torch.no_grad():
        scores = plain(images).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(maps.sum(dim=(1, 2)), scores, rtol=1e-3, atol=1e-5)
