import pytest
import torch
from skimage.metrics import structural_similarity as reference

from vitrail.attacks.similarity import structural_similarity


def images(height, width):
    generator = torch.Generator().manual_seed(0)
    before = torch.rand(2, 3, height, width, generator=generator)
    return before, (before + 0.1 * torch.randn(before.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("size", [(32, 48), (11, 11)])
def test_it_is_what_scikit_image_computes(size):
    before, after = images(*size)
    for one, other, found in zip(before, after, structural_similarity(before, after), strict=True):
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        expected = reference(one.numpy(), other.numpy(), channel_axis=0, **options)
        assert found.item() == pytest.approx(expected, abs=1e-5)


def test_equal_images_are_alike_whatever_their_size():
    for size in ((3, 40), (40, 40)):
        before, after = images(*size)
        assert structural_similarity(before, before).tolist() == pytest.approx([1, 1], abs=1e-6)
        assert (structural_similarity(before, after) < 0.99).all()
