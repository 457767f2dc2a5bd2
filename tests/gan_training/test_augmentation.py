import torch

from vitrail.gan_training.augmentation import augment


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_each_image_has_draws_of_its_own_that_repeat_with_the_seed():
    images = torch.rand(1, 3, 16, 16).expand(4, -1, -1, -1) * 2 - 1
    changed = augment(images, seeded())
    assert torch.equal(changed, augment(images, seeded()))
    assert not torch.equal(changed, augment(images, seeded(1)))
    assert len({round(float(image.sum()), 4) for image in changed}) == 4
    assert changed.shape == images.shape


def test_it_has_a_gradient_outside_the_cutout():
    images = (torch.rand(3, 1, 16, 12) * 2 - 1).requires_grad_()
    augment(images, seeded()).sum().backward()
    fractions = (images.grad.abs() > 0).float().mean(dim=(1, 2, 3))
    assert (fractions > 0.4).all()


def test_colours_of_a_grey_image_stay_grey():
    grey = (torch.rand(2, 1, 16, 16) * 2 - 1).expand(-1, 3, -1, -1)
    changed = augment(grey, seeded())
    torch.testing.assert_close(changed[:, 0], changed[:, 2])


def test_images_in_bfloat16_are_moved_as_others_are():
    """Of many draws some are so close to 1 that bfloat16 rounds them to it: one pixel beyond the image."""
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(64, 3, 16, 16, generator=draws) * 2 - 1
    one, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for _ in range(40):
        found, expected = augment(images.bfloat16(), one), augment(images, other)
        assert found.dtype == torch.bfloat16
        assert ((found == 0) == (expected == 0)).float().mean() > 0.99  # the cutouts
        assert (found.float() - expected).abs().mean() < 0.02
