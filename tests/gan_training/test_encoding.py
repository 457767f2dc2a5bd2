"""Encoders and refinement, on a generator whose way back is known."""

from collections import deque

import pytest
import torch
from torch import nn

from vitrail.gan_architectures.encoder import Encoder
from vitrail.gan_training.encoding import attributes_of, train_attribute_encoder, train_latent_encoder
from vitrail.gan_training.inversion import PERCEPTUAL, PRIOR, invert

LATENTS, SIZE = 4, 8
LABELS = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])


class Quarters(nn.Module):
    """Each latent is the brightness of a quarter of the image; the first attribute makes all of it brighter."""

    latent_size = LATENTS

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.3), requires_grad=False)

    def forward(self, latents, labels):
        quarters = self.scale * latents + 0.2 * labels[:, :1]
        return quarters.view(-1, 1, 2, 2).repeat_interleave(SIZE // 2, dim=2).repeat_interleave(SIZE // 2, dim=3)


def encoder(outputs, seed=0):
    torch.manual_seed(seed)
    return Encoder(size=SIZE, channels=1, outputs=outputs, width=8)


def error_of_latents(network):
    draws = torch.Generator().manual_seed(5)
    latents, labels = torch.randn(200, LATENTS, generator=draws), LABELS.repeat(50, 1)
    with torch.no_grad():
        return float((network(Quarters()(latents, labels)) - latents).square().mean())


@pytest.fixture(scope="module")
def of_latents():
    network = encoder(LATENTS)
    steps = list(train_latent_encoder(network, Quarters(), LABELS, steps=150, seed=0))
    return network, steps


def test_latents_are_read_far_better_than_the_priors_variance_of_one(of_latents):
    network, steps = of_latents
    assert error_of_latents(network) < 0.15
    assert [step.index for step in steps] == list(range(1, 151))
    assert steps[-1].loss < steps[0].loss / 4
    assert not network.training


def test_it_learns_the_same_again_and_otherwise_from_another_seed(of_latents):
    _, steps = of_latents
    again, other = (
        [float(step.loss) for step in train_latent_encoder(encoder(LATENTS), Quarters(), LABELS, steps=5, seed=seed)]
        for seed in (0, 1)
    )
    # The rates of 5 steps fall sooner than those of 150, so that only the first loss is comparable.
    assert again[0] == float(steps[0].loss) != other[0]
    repeated = [
        float(step.loss) for step in train_latent_encoder(encoder(LATENTS), Quarters(), LABELS, steps=5, seed=0)
    ]
    assert repeated == again


def test_attributes_of_real_images_are_read():
    draws = torch.Generator().manual_seed(0)

    def batches():
        while True:
            labels = LABELS[torch.randint(4, (32,), generator=draws)]
            images = 0.2 * torch.randn(32, 1, SIZE, SIZE, generator=draws)
            images += 0.4 * labels[:, :1, None, None]  # the first: bright; the second: from top to bottom
            images[:, :, : SIZE // 2] += 0.4 * labels[:, 1:, None, None]
            yield images, labels

    network = encoder(2)
    deque(train_attribute_encoder(network, batches(), steps=60), maxlen=0)
    images, labels = next(batches())
    with torch.no_grad():
        estimates = attributes_of(network(images))
    assert estimates.abs().max() <= 1
    assert ((estimates > 0) == (labels > 0)).float().mean() > 0.95


def test_refinement_finds_the_latents_and_leaves_the_generator(of_latents):
    network, generator = of_latents[0], Quarters()
    latents = torch.randn(6, LATENTS, generator=torch.Generator().manual_seed(7))
    labels = LABELS[[0, 1, 2, 3, 0, 1]]
    images = generator(latents, labels)
    with torch.no_grad():
        initial = network(images)
    estimates = list(invert(generator, images, initial, labels, steps=100))
    errors = [float((each - latents).square().mean()) for each in (initial, estimates[-1])]
    assert errors[1] < errors[0] / 5
    assert len(estimates) == 100
    assert float(generator.scale) == pytest.approx(0.3)


def test_a_image_is_refined_as_if_it_were_alone(of_latents):
    generator = Quarters()
    latents = torch.randn(3, LATENTS, generator=torch.Generator().manual_seed(8))
    images = generator(latents, LABELS[:3])
    together = deque(invert(generator, images, 0 * latents, LABELS[:3], steps=10), maxlen=1)[0]
    single = deque(invert(generator, images[1:2], 0 * latents[1:2], LABELS[1:2], steps=10), maxlen=1)[0]
    torch.testing.assert_close(together[1:2], single)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (28, 1), (32, 3), (64, 3)])
def test_encoders_take_every_size_that_generators_make(size, channels):
    network = Encoder(size=size, channels=channels, outputs=5, width=4)
    assert network(torch.zeros(2, channels, size, size)).shape == (2, 5)


def test_features_weigh_beside_pixels_in_the_inversion():
    """The minimum is known: each latent is a quarter's brightness, shrunk by the prior, less where features see it."""
    generator, wanted = Quarters(), torch.tensor([[0.9, -0.8, 0.7, 0.4]])
    images = wanted.view(1, 1, 2, 2).repeat_interleave(SIZE // 2, dim=2).repeat_interleave(SIZE // 2, dim=3)
    times = 3.0

    def first_quarter(pixels):
        return [times * pixels[:, :, : SIZE // 2, : SIZE // 2], torch.zeros(len(pixels), 1, 1, 1)]

    start = torch.zeros(1, LATENTS)
    inverted = deque(invert(generator, images, start, LABELS[:1], steps=400, feature_maps=first_quarter), maxlen=1)[0]
    weight = torch.tensor([1 / 4 + PERCEPTUAL * times**2 / 2, 1 / 4, 1 / 4, 1 / 4])  # of two feature maps, their mean
    scale, shift = float(generator.scale), 0.2
    minimum = weight * scale * (wanted - shift) / (weight * scale**2 + PRIOR / LATENTS)
    torch.testing.assert_close(inverted, minimum, atol=0.02, rtol=0)
