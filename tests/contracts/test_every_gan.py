"""The contract of every GAN architecture."""

from itertools import islice

import pytest
import torch
import torch.nn.functional as F

from vitrail.errors import BadSetting
from vitrail.gan_architectures import GANS, Discriminator
from vitrail.gan_training.state import GanState, TrainingOptions
from vitrail.gan_training.steps import train_steps

LABELS = torch.tensor([0, 1, 2, 2])


def build(name, **changed):
    classes = 0 if name == "dcgan" else 3
    options = {"generator_classes": classes, "discriminator_classes": classes, "size": 32, "channels": 1}
    torch.manual_seed(0)
    return GANS[name](**{**options, "latent_size": 12, "width": 16, **changed})


@pytest.fixture(params=GANS)
def name(request):
    return request.param


@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_out_and_scores(name, channels):
    pair = build(name, channels=channels)
    images = pair.generator(torch.randn(4, 12), LABELS)
    assert images.shape == (4, channels, 32, 32)
    assert images.abs().max() <= 1
    assert pair.discriminator(images, LABELS).shape in ((4,), (4, 4))  # or the heads of a projected one


def test_larger_images(name):
    pair = build(name, size=64)
    assert pair.discriminator(pair.generator(torch.randn(2, 12), LABELS[:2]), LABELS[:2]).shape[0] == 2


def test_labels_matter_exactly_if_the_network_is_conditional(name):
    others = torch.tensor([1, 2, 0, 0])
    for classes in (0, 3):
        if classes and name == "dcgan":
            continue
        pair = build(name, discriminator_classes=classes)
        if name == "residual" and classes:
            torch.nn.init.normal_(pair.discriminator.embedding.weight)
        network = pair.discriminator.eval()
        images = torch.rand(4, 1, 32, 32) * 2 - 1
        assert torch.equal(network(images, LABELS), network(images, others)) == (not classes)
    if pair.generator.classes:
        latents, network = torch.randn(4, 12), pair.generator.eval()
        assert not torch.allclose(network(latents, LABELS), network(latents, others))


@pytest.mark.parametrize("labels", [LABELS, torch.tensor([[1.0, -1, 1], [-1, -1, 1], [1, 1, 1], [0.5, 1, -1]])])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_discriminator_concatenates_labels_as_planes(labels, layout):
    layer = build("conditional-dcgan").discriminator.conditional.to(memory_format=layout)
    maps = torch.randn(4, 16, 8, 8, requires_grad=True)
    condition = F.one_hot(labels, 3).float() if labels.ndim == 1 else labels
    planes = torch.cat([maps, condition[:, :, None, None].expand(-1, -1, 8, 8)], dim=1)
    assert torch.equal(planes, Discriminator(3).concat_condition(maps, labels))
    literal = F.conv2d(planes, layer.layer.weight, stride=2, padding=1)
    output = layer(maps.contiguous(memory_format=layout), labels)
    torch.testing.assert_close(output, literal)
    gradients = [torch.autograd.grad(out.square().sum(), [maps, layer.layer.weight]) for out in (output, literal)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["non-saturating", "relativistic"])
def test_every_weight_learns(name, loss):
    pair = build(name)
    gan = GanState(pair.generator, pair.discriminator, TrainingOptions(loss=loss))
    before = {n: w.clone() for n, w in [*pair.generator.named_parameters(), *pair.discriminator.named_parameters()]}
    draws = torch.Generator().manual_seed(0)
    batches = iter([(torch.rand(4, 1, 32, 32, generator=draws) * 2 - 1, LABELS) for _ in range(3)])
    list(islice(train_steps(gan, batches), 3))
    after = dict([*pair.generator.named_parameters(), *pair.discriminator.named_parameters()])
    unchanged = [n for n in before if torch.equal(before[n], after[n])]
    if loss == "relativistic":  # only differences of scores count: a bias has no gradient
        unchanged = [n for n in unchanged if not n.endswith("bias")]
    assert not unchanged


def test_a_sample_does_not_depend_on_its_batch(name):
    network = build(name).generator.eval()
    latents = torch.randn(4, 12)
    with torch.no_grad():
        torch.testing.assert_close(network(latents, LABELS)[1:2], network(latents[1:2], LABELS[1:2]))


def test_other_sizes_are_refused(name):
    if name == "conditional-mlp":
        assert build(name, size=27).generator(torch.randn(1, 12), LABELS[:1]).shape[-1] == 27
        return
    sides = {"projected": "32, 64, 128, 256", "residual": "8, 16, 32, 64, 128"}.get(name, "16, 32, 64, 128")
    with pytest.raises(BadSetting, match=f"{sides} pixels; got 28"):
        build(name, size=28)


def test_labels_are_refused_where_there_is_no_condition():
    with pytest.raises(BadSetting, match="conditional-dcgan"):
        build("dcgan", generator_classes=3)
    for name in ("conditional-dcgan", "conditional-mlp"):
        with pytest.raises(BadSetting, match="Use dcgan"):
            build(name, generator_classes=0)


def test_dcgan_has_the_papers_layers_and_initial_weights():
    pair = build("dcgan", size=64, channels=3, latent_size=100, width=64)
    convolutions = [part.weight for part in pair.generator.layers if hasattr(part, "kernel_size")]
    assert [tuple(weight.shape[:2]) for weight in convolutions] == [
        (100, 512), (512, 256), (256, 128), (128, 64), (64, 3),
    ]  # fmt: skip
    assert float(convolutions[1].detach().std()) == pytest.approx(0.02, rel=0.02)
    assert sum(weight.numel() for weight in pair.generator.parameters()) == 3_576_704  # pytorch/examples' generator
    assert sum(weight.numel() for weight in pair.discriminator.parameters()) == 2_765_568


def test_a_condition_of_attributes_is_a_vector(name):
    if name == "dcgan":
        return
    pair = build(name)
    images = torch.rand(4, 1, 32, 32) * 2 - 1
    as_classes = torch.nn.functional.one_hot(LABELS, 3).float()
    for network, given in ((pair.generator.eval(), torch.randn(4, 12)), (pair.discriminator.eval(), images)):
        assert torch.equal(network(given, LABELS), network(given, as_classes))
