"""What every backbone promises, with random weights: nothing here needs a download."""

import pytest
import torch
from safetensors.torch import save_file

from vitrail.backbones import BACKBONES
from vitrail.errors import UnknownName

NAMES = [name for name in BACKBONES if not name.endswith(":")] + ["timm:resnet18"]
LARGE = ("vgg16", "vit_b_16")
PARAMETERS = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in NAMES]


@pytest.fixture(scope="module", params=PARAMETERS)
def backbone(request, tmp_path_factory):
    spec = BACKBONES[request.param].for_own_names()
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in spec.build().state_dict().items()}, path)
    made = spec(path)
    path.unlink()
    return made


@pytest.fixture(scope="module")
def images(backbone):
    return torch.rand(2, 3, backbone.size, backbone.size, generator=torch.Generator().manual_seed(0))


def test_it_gives_a_finite_logit_for_every_class(backbone, images):
    with torch.no_grad():
        logits = backbone(images)
    assert logits.shape == (2, len(backbone.classes)) == (2, 4 if backbone.name == "tiny" else 1000)
    assert logits.isfinite().all()


def test_it_is_frozen_and_in_evaluation_mode(backbone):
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert backbone.weights_sha256 is not None


def test_every_feature_layer_gives_one_row_a_image_from_one_pass(backbone, images):
    layers = (*backbone.feature_layers, "logits")
    with torch.no_grad():
        rows = backbone.features(images, layers)
        torch.testing.assert_close(rows["logits"], backbone(images))
    assert tuple(rows) == layers
    assert all(row.ndim == 2 and len(row) == 2 and row.isfinite().all() for row in rows.values())
    assert set(layers) <= set(backbone.layers)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in backbone.modules())


def test_a_pixel_of_every_channel_moves_the_features(backbone, images):
    pixels, layer = images[:1].clone().requires_grad_(), backbone.feature_layers[-1]
    (input_gradient,) = torch.autograd.grad(backbone.features(pixels, (layer,))[layer].square().sum(), pixels)
    assert input_gradient.isfinite().all()
    assert (input_gradient.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_it_can_be_cut_at_its_first_feature_layer(backbone, images):
    first, last = backbone.feature_layers[0], backbone.feature_layers[-1]
    with torch.no_grad():
        halves = backbone.tail(backbone.trunk(images, first), first, backbone.feature_layers)
        whole = backbone.features(images, backbone.feature_layers)
    for layer in (first, last):
        torch.testing.assert_close(halves[layer], whole[layer], atol=1e-4, rtol=1e-4)
    assert not any(module._forward_hooks for module in backbone.modules())


def test_an_unknown_layer_is_named_with_what_there_is(backbone, images):
    with pytest.raises(UnknownName, match=f"has no layer 'nowhere'; there are .*{backbone.feature_layers[0]}"):
        backbone.features(images, ["nowhere"])
