"""Methods on networks simple enough to say what must come out."""

import sys

import pytest
import torch
from torch import nn

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.integrated_gradients import completeness_error
from vitrail.errors import BadSetting, MissingExtra, UnknownName


def test_of_a_linear_network_the_gradient_is_its_weights(linear, images, targets):
    backbone, weights = linear
    expected = weights[targets].abs().amax(dim=1)
    for name, options in (("gradient", {}), ("smooth-grad", {"samples": 3})):
        torch.testing.assert_close(ATTRIBUTIONS[name](backbone, images, targets, **options), expected)
    variance = ATTRIBUTIONS["var-grad"](backbone, images, targets, samples=3)
    torch.testing.assert_close(variance, torch.zeros_like(variance), rtol=0, atol=1e-8)


def test_of_a_linear_network_every_pixel_adds_its_share(linear, images, targets):
    backbone, weights = linear
    share = (weights[targets] * images).sum(dim=1)
    single = {"window": 1, "stride": 1}
    for name, options in (("gradient-x-input", {}), ("integrated-gradients", {"samples": 2}), ("occlusion", single)):
        found = ATTRIBUTIONS[name](backbone, images, targets, **options)
        torch.testing.assert_close(found, share, rtol=1e-4, atol=2e-6)


def test_occlusion_is_the_exact_drop_behind_each_window(linear, images, targets):
    backbone, weights = linear
    share = (weights[targets] * images).sum(dim=1)
    found = ATTRIBUTIONS["occlusion"](backbone, images, targets, window=8, stride=8)
    torch.testing.assert_close(found[:, :8, 8:16], share[:, :8, 8:16].sum(dim=(1, 2))[:, None, None].expand(3, 8, 8))
    torch.testing.assert_close(found[:, 8:, 16:], share[:, 8:, 16:].sum(dim=(1, 2))[:, None, None].expand(3, 8, 4))
    whole = ATTRIBUTIONS["occlusion"](backbone, images, targets)  # a window larger than the image
    torch.testing.assert_close(whole[:, 0, 0], share.sum(dim=(1, 2)))


def test_integrated_gradients_are_complete(linear, backbone, images, targets):
    for network, samples, bound in ((linear[0], 3, 1e-5), (backbone, 64, 0.02)):
        maps = ATTRIBUTIONS["integrated-gradients"](network, images, targets, samples=samples)
        assert completeness_error(network, images, targets, maps).max() < bound
        assert completeness_error(network, images, targets, 2 * maps).min() > 1 - bound
        grey = ATTRIBUTIONS["integrated-gradients"](network, images, targets, samples=samples, baseline=0.5)
        assert completeness_error(network, images, targets, grey, baseline=0.5).max() < 3 * bound


def test_rise_finds_the_place_that_alone_counts(wrap):
    class Corner(nn.Module):
        def forward(self, images):
            light = images[..., :5, :5].mean(dim=(1, 2, 3))
            return torch.stack([8 * light, 4 - 0 * light], dim=1)

    backbone = wrap(Corner(), mean=(0.0,) * 3, std=(1.0,) * 3, classes=["a", "b"], size=21)
    found = ATTRIBUTIONS["rise"](backbone, torch.ones(1, 3, 21, 28), torch.tensor([0]), samples=300)[0]
    assert found[:5, :5].mean() > 1.3 * found[10:, 10:].mean()


class Rectified(nn.Module):
    def __init__(self, rectify):
        super().__init__()
        self.conv, self.head, self.rectify = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 3), rectify
        self.last = nn.Linear(5, 4)

    def forward(self, images):
        first = self.rectify(self.conv(images))
        return self.last(self.rectify(self.head(first)).mean(dim=(2, 3)))


class InPlace(nn.Module):
    def forward(self, values):
        values.relu_()
        return values


def test_guided_backprop_knows_every_way_to_write_relu(wrap, images, targets):
    ways = (nn.ReLU(), nn.ReLU(inplace=True), torch.relu, torch.Tensor.relu, nn.functional.relu, InPlace())
    maps = []
    for rectify in ways:
        torch.manual_seed(0)
        network = wrap(Rectified(rectify))
        maps.append(ATTRIBUTIONS["guided-backprop"](network, images, targets))
        assert not torch.allclose(maps[-1], ATTRIBUTIONS["gradient"](network, images, targets))
    for each in maps[1:]:
        torch.testing.assert_close(each, maps[0])
    torch.manual_seed(0)
    six = ATTRIBUTIONS["guided-backprop"](wrap(Rectified(nn.ReLU6())), images, targets)
    torch.testing.assert_close(six, maps[0])  # none of these activations reaches 6


def test_guided_backprop_needs_a_relu(wrap, images, targets):
    for other in (nn.Tanh(), nn.Hardtanh()):
        with pytest.raises(BadSetting, match="needs ReLUs, and 'custom' has none"):
            ATTRIBUTIONS["guided-backprop"](wrap(Rectified(other)), images, targets)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("smooth-grad", {"samples": 0}, "samples must be a whole number of 1 or more; got 0"),
        ("var-grad", {"noise": 0.0}, "noise must be a number above 0"),
        ("integrated-gradients", {"samples": 0}, "samples must be a whole number"),
        ("rise", {"samples": 0}, "samples must be a whole number"),
        ("captum:lime", {"samples": 0}, "samples must be a whole number"),
        ("occlusion", {"window": 4, "stride": 5}, "stride must be"),
        ("occlusion", {"window": 0, "stride": 0}, "window must be"),
    ],
)
def test_settings_out_of_range_are_refused(backbone, images, targets, name, options, message):
    with pytest.raises(BadSetting, match=message):
        ATTRIBUTIONS[name](backbone, images, targets, **options)


def test_captum_is_asked_for_what_it_has(wrap, images, targets, monkeypatch):
    with pytest.raises(UnknownName, match="Known: deep-lift, lrp"):
        ATTRIBUTIONS["captum:shap"]
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    odd = wrap(layers, name="odd")
    with pytest.raises(BadSetting, match="captum:lrp cannot explain 'odd'"):
        ATTRIBUTIONS["captum:lrp"](odd, images, targets)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtra, match=r"pip install 'vitrail\[captum\]'"):
        ATTRIBUTIONS["captum:lime"]


@pytest.mark.parametrize("name", ["deep-lift", "lrp"])
def test_rules_that_would_pass_over_a_relu_are_refused(wrap, backbone, images, targets, name):
    again = nn.ReLU()
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), again, nn.Conv2d(4, 4, 3), again, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for network in (backbone, wrap(layers)):
        with pytest.raises(BadSetting, match="module that runs once; of 2 in 'custom' 1 are"):
            ATTRIBUTIONS[f"captum:{name}"](network, images, targets)
