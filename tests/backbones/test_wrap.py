from functools import partial

import pytest
import torch
from torch import nn

from vitrail.backbones import BACKBONES
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadImage, BadSetting

HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def wrapped(model, **options):
    return Backbone.wrap(model, mean=HALF, std=HALF, classes=("cat", "dog"), size=16, **options)


def test_a_wrapped_model_normalises_inside(model):
    images = torch.rand(3, 3, 16, 16)
    model.eval()
    torch.testing.assert_close(wrapped(model)(images), model((images - 0.5) / 0.5))


def test_the_users_model_is_left_as_it_was(model):
    model.train()
    model(torch.rand(2, 3, 16, 16)).sum().backward()
    slopes = [parameter.grad.clone() for parameter in model.parameters()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    backbone = wrapped(model)
    backbone.features(torch.rand(2, 3, 16, 16), ["2"])
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(
        torch.equal(parameter.grad, gradient) for parameter, gradient in zip(model.parameters(), slopes, strict=True)
    )
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_layers_are_called_as_the_modules_are(model):
    backbone = wrapped(model, feature_layers=("2",))
    assert backbone.layers == ("0", "1", "2", "3", "4", "5", "logits")
    assert backbone.features(torch.rand(2, 3, 16, 16), backbone.feature_layers)["2"].shape == (2, 4)


def test_a_model_with_another_number_of_classes_is_refused(model):
    with pytest.raises(BadSetting, match=r"gave \(1, 2\)"):
        Backbone.wrap(model, mean=HALF, std=HALF, classes=("a", "b", "c"), size=16)


def test_a_model_that_gives_no_tensor_is_refused():
    class Two(nn.Module):
        def forward(self, images):
            return images, images

    with pytest.raises(BadSetting, match="gave a tuple"):
        wrapped(Two())


def test_a_model_that_gives_probabilities_is_refused(model):
    with pytest.raises(BadSetting, match="must give logits; 'custom' gave .* leave its softmax out"):
        wrapped(nn.Sequential(model, nn.Softmax(dim=1)))


def test_images_that_vanish_inside_the_network_are_refused(model):
    backbone = wrapped(nn.Sequential(nn.Conv2d(3, 3, 5), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(27, 2)))
    to_flatten = partial(backbone.trunk, cut="2")  # which 8 pixels reach
    for side, run in ((3, backbone), (6, backbone), (8, backbone), (3, to_flatten), (6, to_flatten)):
        with pytest.raises(BadImage, match=f"{side} x {side} pixels") as refused:
            run(torch.rand(1, 3, side, side))
        assert refused.value.kind == "too-small"
    with pytest.raises(BadImage, match="too small for 'squeezenet'"):
        BACKBONES["squeezenet"]()(torch.rand(1, 3, 8, 8))


def test_an_error_that_has_another_cause_than_the_size_is_passed_on(model):
    class Broken(nn.Module):
        def forward(self, images):
            raise RuntimeError("broken")

    backbone = wrapped(model)
    backbone.network = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        backbone(torch.rand(1, 3, 8, 8))
