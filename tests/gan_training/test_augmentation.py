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
