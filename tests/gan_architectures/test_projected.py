"""The projected pair: what is frozen, how features are mixed and scaled, and what the heads and the generator do."""

from collections import deque
from itertools import cycle, islice

import pytest
import torch
import torch.nn.functional as F

from vitrail import gan
from vitrail.backbones import BACKBONES
from vitrail.datasets.pixel_data import PixelOptions
from vitrail.datasets.pixels import PixelSet
from vitrail.datasets.sample_images import sample_images
from vitrail.errors import BadSetting, UnknownName
from vitrail.events import Checkpoint
from vitrail.gan.description import check_description
from vitrail.gan.networks import NetworkOptions, build, describe, initialise, trained_parameters
from vitrail.gan.options import default_options, training_options
from vitrail.gan_architectures import frozen_features, projected
from vitrail.gan_architectures.frozen_features import FrozenFeatures, natural_noise
from vitrail.gan_training.state import GanState
from vitrail.gan_training.steps import train_steps
from vitrail.images import read_pixels, to_signed_range, to_unit

COLOUR = PixelSet(torch.zeros(6, 3, 32, 32, dtype=torch.uint8), torch.tensor([0, 0, 0, 1, 1, 2]), ("a", "b", "c"))
GREY = PixelSet(torch.zeros(6, 1, 32, 32, dtype=torch.uint8), torch.zeros(6, dtype=torch.long))


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    made = projected(size=64, latent_size=8, width=4, generator_classes=3, discriminator_classes=3)
    made.discriminator  # noqa: B018  (before the random numbers of a test)
    return made


@pytest.fixture(scope="module")
def photographs():
    pixels = torch.stack([read_pixels(file, short_side=64, crop=64) for file in sample_images()])
    return to_signed_range(to_unit(pixels))


def test_noise_has_the_spectrum_of_photographs():
    images = natural_noise(64, 64)
    assert torch.equal(images, natural_noise(64, 64))
    power = torch.fft.fft2(images - images.mean(dim=(2, 3), keepdim=True)).abs().square().mean(dim=(0, 1))
    along = power[0, 2:24]
    frequencies = torch.arange(2, 24).float().log()
    centred = frequencies - frequencies.mean()
    slope = float((centred * along.log()).sum() / centred.square().sum())
    assert slope == pytest.approx(-2, abs=0.3)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("name", ["efficientnet-lite0", "squeezenet"])
def test_features_of_photographs_have_about_unit_deviation_at_every_resolution(name, photographs):
    features = FrozenFeatures(name, 64)
    assert [float(maps.std()) for maps in features(natural_noise(16, 64))] == pytest.approx([1.0] * 4, rel=1e-4)
    deviations = [float(maps.std()) for maps in features(photographs)]
    assert all(0.5 < deviation < 2.5 for deviation in deviations), deviations
    assert [maps.shape[1:2] + maps.shape[2:3] for maps in features(photographs)] == features.shapes


def test_features_are_mixed_across_channels_and_from_coarse_to_fine(photographs):
    """Against the formula, written out: 1x1 convolutions, then 3x3 ones of the coarser result, enlarged and added."""
    features = FrozenFeatures("efficientnet-lite0", 64)
    layers = ("stage2", "stage3", "stage5", "head")
    assert features.layers == layers
    network = BACKBONES["efficientnet-lite0"](None)
    raw = network.activations((photographs + 1) / 2, layers)
    below, expected = None, []
    for number in (3, 2, 1, 0):
        weights = getattr(features, f"across_channels_{number}")[:, :, 0, 0]
        mixed = torch.einsum("oc,nchw->nohw", weights, raw[layers[number]])
        if below is not None:
            coarse = F.conv2d(F.pad(below, (1, 1, 1, 1)), getattr(features, f"across_scales_{number}"))
            mixed = mixed + F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        below = mixed
        expected.insert(0, mixed * features.scales[number])
    for given, wanted in zip(features(photographs), expected, strict=True):
        torch.testing.assert_close(given, wanted, rtol=1e-3, atol=1e-3)


def test_nothing_but_the_heads_is_trained_or_stored(pair):
    discriminator = pair.discriminator
    assert not list(discriminator.features.parameters())
    assert {name.split(".")[0] for name, _ in discriminator.named_parameters()} == {"heads"}
    stored = discriminator.state_dict()
    assert not any("backbone" in name for name in stored)
    assert sum(tensor.numel() for tensor in stored.values()) < 2e6
    gan_state = GanState(pair.generator, discriminator, default_options("projected"))
    frozen = {name: buffer.clone() for name, buffer in discriminator.features.named_buffers()}
    assert sum(buffer.numel() for buffer in frozen.values()) > 3e6  # the network is there, as buffers
    batches = iter([(torch.rand(4, 3, 64, 64) * 2 - 1, torch.tensor([0, 1, 2, 2])) for _ in range(2)])
    before = discriminator.heads[0].layers[0].parametrizations.weight.original.clone()
    list(islice(train_steps(gan_state, batches), 2))
    assert all(torch.equal(frozen[name], buffer) for name, buffer in discriminator.features.named_buffers())
    assert not torch.equal(before, discriminator.heads[0].layers[0].parametrizations.weight.original)
    assert not discriminator.train().features.training


def test_images_get_a_gradient_through_the_frozen_network(pair):
    images = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    pair.discriminator(images, torch.tensor([0, 1])).sum().backward()
    assert images.grad.abs().sum(dim=1).min() >= 0
    assert images.grad.abs().mean() > 0


def test_every_layer_of_a_head_has_a_largest_singular_value_of_one(pair):
    discriminator = pair.discriminator.train()
    for _ in range(30):  # of power iteration
        discriminator(torch.rand(2, 3, 64, 64), torch.tensor([0, 1]))
    for head in discriminator.heads:
        for layer in (*head.layers, head.score, head.embedding):
            if hasattr(layer, "weight"):
                largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
                assert float(largest.detach()) == pytest.approx(1, abs=0.05)


def test_labels_are_projected(pair):
    """The difference of an image's scores under two labels is the product of its features and of the embeddings'."""
    network, images = pair.discriminator.eval(), torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        difference = network(images, torch.tensor([0, 0])) - network(images, torch.tensor([1, 1]))
        for number, (head, maps) in enumerate(zip(network.heads, network.features(images), strict=True)):
            embeddings = head.embedding.weight.T
            expected = head.layers(maps) @ (embeddings[0] - embeddings[1])
            torch.testing.assert_close(difference[:, number], expected, rtol=1e-3, atol=1e-4)


def test_coarse_maps_scale_the_channels_of_fine_ones():
    torch.manual_seed(0)
    made = projected(size=128, latent_size=8, width=4).generator.eval()
    assert sorted(map(int, made.excitations)) == [64, 128]
    assert not projected(size=32, width=4).generator.excitations  # nothing has 16 times the side of 4x4
    coarse, fine = torch.randn(2, 64, 4, 4), torch.randn(2, 8, 64, 64)
    ratio = made.excitations["64"](coarse, fine) / fine
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-5)
    assert 0 < ratio.min() <= ratio.max() < 1
    latents = torch.randn(2, 8)
    with torch.no_grad():
        before = made(latents, torch.zeros(2, dtype=torch.long))
        made.excitations["128"].gate[-2].bias += 3
        assert not torch.allclose(before, made(latents, torch.zeros(2, dtype=torch.long)))


def test_a_generator_is_built_without_the_network_of_its_discriminator(monkeypatch):
    monkeypatch.setattr(frozen_features, "BACKBONES", {})
    description = describe(COLOUR, NetworkOptions(width=4, backbone="vgg16"))
    assert description["arguments"]["backbone"] == "vgg16"
    pair = build(description)
    assert pair.generator(torch.randn(2, 100), torch.tensor([0, 1])).shape == (2, 3, 32, 32)
    with pytest.raises(KeyError):
        pair.discriminator  # noqa: B018


def test_it_is_the_default_of_photographs():
    assert describe(COLOUR, NetworkOptions())["architecture"] == "projected"
    assert describe(COLOUR, NetworkOptions())["arguments"]["generator_classes"] == 3
    assert describe(GREY, NetworkOptions())["architecture"] == "dcgan"
    grey = (natural_noise(20, 32)[:, :1] * 127 + 128).to(torch.uint8)  # no value is frequent
    assert describe(PixelSet(grey, torch.zeros(20, dtype=torch.long)), NetworkOptions())["architecture"] == "projected"
    drawn = grey.clone()
    drawn[:, :, :, :4] = 0  # an eighth of the pixels
    assert describe(PixelSet(drawn, torch.zeros(20, dtype=torch.long)), NetworkOptions())["architecture"] == "dcgan"
    small = PixelSet(COLOUR.images[..., :16, :16], COLOUR.labels, COLOUR.names)
    assert describe(small, NetworkOptions())["architecture"] == "conditional-dcgan"


def test_a_backbone_is_for_a_pair_that_has_one():
    with pytest.raises(BadSetting, match="dcgan is trained whole and takes no backbone; got 'squeezenet'"):
        describe(GREY, NetworkOptions(backbone="squeezenet"))
    with pytest.raises(UnknownName, match="sqeezenet"):
        NetworkOptions(backbone="sqeezenet")
    description = describe(GREY, NetworkOptions())
    check_description(description)
    with pytest.raises(ValueError, match="dcgan takes no backbone"):
        check_description({**description, "arguments": {**description["arguments"], "backbone": "squeezenet"}})


def test_a_network_without_resolutions_is_refused(monkeypatch):
    backbone = BACKBONES["squeezenet"](None)
    monkeypatch.setattr(type(backbone), "layers", property(lambda _: ("conv10", "logits")))
    with pytest.raises(BadSetting, match="no feature maps of several resolutions.* Use efficientnet-lite0"):
        FrozenFeatures("squeezenet", 64)


def test_options_that_are_not_given_are_those_of_the_architecture():
    names = ("loss", "gradient_penalty", "mismatched_labels", "diffaugment", "beta2", "beta1", "learning_rate")
    of_networks = [f"{network}_{key}" for network in ("generator", "discriminator") for key in names[-2:]]
    settings = dict.fromkeys([*names, *of_networks, "label_smoothing", "ema_decay"])
    settings |= {"g_steps": 1, "d_steps": 2, "precision": "float32"}
    options = training_options("projected", settings)
    assert (options.loss, options.diffaugment, options.mismatched_labels) == ("hinge", True, False)
    assert (options.generator.beta1, options.discriminator.beta2, options.discriminator.updates) == (0.0, 0.99, 2)
    assert training_options("dcgan", settings).loss == "non-saturating"
    changed = {**settings, "loss": "relativistic", "diffaugment": False, "beta1": 0.3, "generator_beta1": 0.0}
    options = training_options("projected", {**changed, "learning_rate": 1e-3})
    assert (options.loss, options.diffaugment) == ("relativistic", False)
    assert (options.generator.beta1, options.discriminator.beta1) == (0.0, 0.3)
    assert options.generator.learning_rate == 1e-3


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Crops of the sample photographs, a folder for each."""
    root = tmp_path_factory.mktemp("photos")
    from PIL import Image

    for number, file in enumerate(sample_images()[:2]):
        (root / f"photo{number}").mkdir()
        with Image.open(file) as image:
            whole = image.convert("RGB").resize((160, 160))
        for place in range(30):
            left, top = 7 * (place % 6), 9 * (place // 6)
            whole.crop((left, top, left + 96, top + 96)).save(root / f"photo{number}" / f"{place}.png")
    return root


def test_a_training_resumes_bit_identically_and_is_measured_in_another_network(photos, tmp_path):
    data = gan.open_training_data(photos, PixelOptions(size=32, held_out=0.4))
    keywords = {
        "networks": NetworkOptions(width=4, latent_size=8),
        "evaluation": gan.EvaluationOptions(samples=16, final_samples=16),
        "batch": 8,
        "autotune": False,
        "cache": tmp_path / "cache",
    }
    events = list(gan.train(data, epochs=2, **keywords))
    end = events[-1]
    assert end.description["architecture"] == "projected"
    assert end.values["loss"] == "hinge"
    measured_with = {entry["extractor"]["name"] for entry in (*end.metrics, *end.values["certificate"])} - {"judge"}
    assert not any("efficientnet" in str(name) for name in measured_with)
    assert end.values["backbone"][0]["name"] != "efficientnet-lite0"
    assert end.values["parameters"] == trained_parameters(build(end.description))
    (tmp_path / "checkpoints").mkdir()
    first = next(event for event in events if isinstance(event, Checkpoint))
    (tmp_path / "checkpoints" / first.name).write_bytes(first.data)
    resumed = list(gan.train(data, epochs=2, resume=tmp_path, **keywords))[-1]
    assert resumed.metrics == end.metrics
    weights = zip(resumed.generator.state_dict().values(), end.generator.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in weights)


def test_samples_of_a_class_differ(photos):
    """Labels among the latents once took over within 50 steps: one image for each class."""
    opened = gan.open_training_data(photos, PixelOptions(size=32)).train
    description = describe(opened, NetworkOptions(width=8, latent_size=16))
    options = default_options("projected")
    torch.manual_seed(0)
    rows = [torch.randint(len(opened), (16,)) for _ in range(60)]
    batches = [(to_signed_range(to_unit(opened.images[each])), opened.labels[each]) for each in rows]
    state, _ = initialise(description, options, batches[0], seed=0, tune=False)
    deque(islice(train_steps(state, cycle(batches)), 60), maxlen=0)
    latents = torch.randn(64, 16)
    with torch.no_grad():
        for label in (0, 1):
            samples = state.generator(latents, torch.full((64,), label))
            real = to_signed_range(to_unit(opened.images[opened.labels == label]))
            assert samples.std(dim=0).mean() > 0.2 * real.std(dim=0).mean()
