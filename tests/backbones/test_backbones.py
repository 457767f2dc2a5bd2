import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from vitrail.backbones import BACKBONES
from vitrail.backbones.imagenet import imagenet_classes
from vitrail.backbones.inspection import layer_facts
from vitrail.errors import BadWeights, UnknownName


@pytest.mark.parametrize("name", ["squeezenet", "efficientnet-lite0"])
def test_a_packaged_network_knows_a_cat(name):
    import skimage.data

    from vitrail.datasets.sample_images import sample_images
    from vitrail.images import read_pixels, to_unit

    assert skimage.data.chelsea().shape == (300, 451, 3)
    backbone = BACKBONES[name]()
    wish = backbone.preprocessing
    pixels = read_pixels(
        sample_images()[0], short_side=wish.short_side, crop=wish.size, interpolation=wish.interpolation
    )
    with torch.no_grad():
        best = backbone.classes[int(backbone(to_unit(pixels)[None]).argmax())]
    assert best in ("tabby", "tiger cat", "Egyptian cat")


def test_efficientnet_is_timms():
    import timm

    backbone = BACKBONES["efficientnet-lite0"]()
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), backbone.network.state_dict().values(), strict=True)))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), theirs((images - 0.5) / 0.5), atol=1e-4, rtol=1e-5)


def test_squeezenet_is_torchvisions():
    backbone = BACKBONES["squeezenet"]()
    theirs = models.squeezenet1_1(weights=None).eval()
    theirs.load_state_dict(backbone.network.state_dict())
    images = torch.rand(2, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), theirs((images - backbone.mean) / backbone.std))


def test_imagenets_classes_are_torchvisions():
    assert imagenet_classes() == tuple(models.AlexNet_Weights.IMAGENET1K_V1.meta["categories"])


@pytest.mark.parametrize("name", [pytest.param("vgg16", marks=pytest.mark.slow), "alexnet"])
def test_a_file_of_torchvisions_gives_torchvisions_outputs(name, tmp_path):
    torch.manual_seed(0)
    theirs = models.get_model(name, weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    backbone = BACKBONES[name](tmp_path / "w.pth")
    images = torch.rand(2, 3, 224, 224)
    normalised = (images - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), theirs(normalised), atol=1e-5, rtol=1e-5)
        seventh = backbone.features(images, ["relu7"])["relu7"]
    assert seventh.shape == (2, 4096)
    assert (seventh >= 0).all()


def test_vgg16_has_most_parameters_in_its_dense_layers():
    facts = layer_facts(BACKBONES["vgg16"])
    assert sum(fact.parameters for fact in facts) == 138_357_544
    dense = [fact for fact in facts if fact.name in ("fc6", "fc7", "fc8")]
    assert sum(fact.parameters for fact in dense) == 123_642_856
    assert sum(fact.share for fact in dense) == pytest.approx(0.894, abs=5e-4)
    assert sum(fact.multiply_adds for fact in facts) == pytest.approx(15.47e9, rel=1e-3)


def test_a_captured_layer_is_not_overwritten_by_a_relu_in_place(tmp_path):
    theirs = models.alexnet(weights=None).eval()
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    backbone = BACKBONES["alexnet"](tmp_path / "w.safetensors")
    with torch.no_grad():
        layers = backbone.activations(torch.rand(1, 3, 224, 224), ["conv1", "relu1"])
    assert (layers["conv1"] < 0).any()
    torch.testing.assert_close(layers["conv1"].relu(), layers["relu1"])
    assert not any(module._forward_hooks for module in backbone.modules())


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(models.squeezenet1_1(weights=None).state_dict(), tmp_path / "w.pth")
    with pytest.raises(BadWeights, match="does not fit 'alexnet'"):
        BACKBONES["alexnet"](tmp_path / "w.pth")


def test_weights_cut_short_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BadWeights, match="damaged"):
        BACKBONES["squeezenet1_1"](path)


def test_an_unknown_layer_names_its_neighbours():
    with pytest.raises(UnknownName, match="fire9"):
        BACKBONES["squeezenet"]().features(torch.rand(1, 3, 227, 227), ["fire99"])
