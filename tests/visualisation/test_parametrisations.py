import pytest
import torch

from vitrail.errors import BadSetting
from vitrail.visualisation import fourier, maco, natural_spectrum, pixels, spectrum_of
from vitrail.visualisation.colours import correlated, decorrelated

SIZES = ((16, 16), (17, 12), (11, 21))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [pixels, fourier])
def test_an_image_comes_back_as_it_went_in(kind, size, seeded):
    start = 0.02 + 0.96 * torch.rand(2, 3, *size, generator=seeded())
    kept = start.clone()
    canvas = kind(start)
    torch.testing.assert_close(canvas.image(), start, atol=1e-5, rtol=0)
    assert canvas.parameters.is_leaf
    assert canvas.parameters.requires_grad
    assert torch.equal(start, kept)


@pytest.mark.parametrize("size", SIZES)
def test_maco_keeps_every_magnitude_whatever_the_steps(size, seeded):
    canvas = maco(2, size, natural_spectrum(), seeded())
    for _ in range(3):
        planes = canvas.planes()
        found = torch.fft.rfft2(planes, norm="ortho").abs()
        torch.testing.assert_close(found, canvas.magnitude.expand_as(found), atol=1e-4, rtol=1e-4)
        (gradient,) = torch.autograd.grad(canvas.image()[:, :, :5].sum(), canvas.parameters)
        assert gradient.abs().max() > 0
        canvas.parameters.data += 10 * gradient
    assert planes.mean(dim=(2, 3)).abs().max() < 1e-5
    assert 0 <= canvas.image().min() <= canvas.image().max() <= 1


def test_fourier_steps_weigh_low_frequencies_more(seeded):
    canvas = fourier(torch.full((1, 3, 32, 32), 0.5))
    moved = torch.rand(canvas.parameters.shape, generator=seeded()) * 0.01
    canvas.parameters.data += moved
    strength = torch.fft.rfft2(canvas.image()).abs().mean(dim=(0, 1))
    assert strength[1, 1] > 4 * strength[10, 10]


def test_colours_come_back():
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(correlated(decorrelated(images)), images, atol=1e-5, rtol=0)


def test_a_spectrum_follows_its_images():
    wave = (0.5 + 0.4 * torch.sin(torch.arange(256) * 2 * torch.pi * 32 / 256)).expand(1, 3, 256, 256)
    magnitude = spectrum_of([wave]).at(256, 256)[0]
    assert magnitude[0, 32] > 10 * magnitude[0, 100]  # the wave runs across
    assert magnitude[0, 32] > 10 * magnitude[32, 0]  # and not down
    with pytest.raises(BadSetting, match="at least one image"):
        spectrum_of([])


def test_natural_images_have_more_of_low_frequencies():
    magnitude = natural_spectrum().at(128, 100)
    assert magnitude.shape == (3, 128, 51)
    assert magnitude[:, 0, 0].eq(0).all()
    assert (magnitude[:, 2, 2] > 10 * magnitude[:, 40, 40]).all()
