import pytest
import torch

from vitrail.errors import BadSetting
from vitrail.visualisation import fourier, maco, measure_spectrum, natural_spectrum
from vitrail.visualisation.colours import correlate_colours, decorrelate_colours

SIZES = ((16, 16), (17, 12), (11, 21))


@pytest.mark.parametrize("size", SIZES)
def test_fourier_coefficients_give_the_start_image_back(size, seeded):
    start = 0.02 + 0.96 * torch.rand(2, 3, *size, generator=seeded())
    before = start.clone()
    parametrisation = fourier(start)
    torch.testing.assert_close(parametrisation.image(), start, atol=1e-5, rtol=0)
    assert parametrisation.parameters.is_leaf
    assert parametrisation.parameters.requires_grad
    assert torch.equal(start, before)


@pytest.mark.parametrize("size", SIZES)
def test_steps_of_maco_leave_every_magnitude_constant(size, seeded):
    parametrisation = maco(2, size, natural_spectrum(), seeded())
    for _ in range(3):
        planes = parametrisation.planes()
        magnitude = torch.fft.rfft2(planes, norm="ortho").abs()
        torch.testing.assert_close(magnitude, parametrisation.magnitude.expand_as(magnitude), atol=1e-4, rtol=1e-4)
        (gradient,) = torch.autograd.grad(parametrisation.image()[:, :, :5].sum(), parametrisation.parameters)
        assert gradient.abs().max() > 0
        parametrisation.parameters.data += 10 * gradient
    assert planes.mean(dim=(2, 3)).abs().max() < 1e-5
    assert 0 <= parametrisation.image().min() <= parametrisation.image().max() <= 1


def test_fourier_steps_change_low_frequencies_more(seeded):
    parametrisation = fourier(torch.full((1, 3, 32, 32), 0.5))
    moved = torch.rand(parametrisation.parameters.shape, generator=seeded()) * 0.01
    parametrisation.parameters.data += moved
    strength = torch.fft.rfft2(parametrisation.image()).abs().mean(dim=(0, 1))
    assert strength[1, 1] > 4 * strength[10, 10]


def test_decorrelated_colours_are_correlated_back():
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(correlate_colours(decorrelate_colours(images)), images, atol=1e-5, rtol=0)


def test_a_spectrum_has_the_frequencies_of_its_images():
    wave = (0.5 + 0.4 * torch.sin(torch.arange(256) * 2 * torch.pi * 32 / 256)).expand(1, 3, 256, 256)
    magnitude = measure_spectrum([wave]).at(256, 256)[0]
    assert magnitude[0, 32] > 10 * magnitude[0, 100]  # the wave runs across
    assert magnitude[0, 32] > 10 * magnitude[32, 0]  # and not down
    with pytest.raises(BadSetting, match="at least one image"):
        measure_spectrum([])


def test_natural_images_have_more_of_low_frequencies():
    magnitude = natural_spectrum().at(128, 100)
    assert magnitude.shape == (3, 128, 51)
    assert magnitude[:, 0, 0].eq(0).all()
    assert (magnitude[:, 2, 2] > 10 * magnitude[:, 40, 40]).all()
