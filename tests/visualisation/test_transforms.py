import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from vitrail.visualisation import RandomTransforms, blur, jitter


@pytest.fixture
def images(seeded):
    return torch.rand(2, 3, 15, 22, generator=seeded())


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_blur_equals_scipys(images, sigma):
    peer = gaussian_filter1d(gaussian_filter1d(images.numpy(), sigma, axis=2), sigma, axis=3)
    torch.testing.assert_close(blur(images, sigma), torch.from_numpy(peer), atol=1e-6, rtol=0)


def test_jitter_returns_its_offsets(images, seeded):
    generator = seeded()
    offsets = set()
    for _ in range(200):
        moved, (down, right) = jitter(images, 3, generator)
        assert torch.equal(moved.roll((-down, -right), (2, 3)), images)
        offsets |= {down, right}
    assert offsets == {0, 1, 2, 3}


def test_default_transforms_are_the_identity(images, seeded):
    torch.testing.assert_close(RandomTransforms()(images, (15, 22), seeded()), images, atol=1e-5, rtol=0)


def test_a_crop_lies_within_the_image(seeded):
    across = torch.linspace(0, 1, 40).expand(1, 3, 40, 40)
    generator = seeded()
    spans = []
    for _ in range(50):
        transformed = RandomTransforms(crop=(0.5, 0.5))(across, (20, 20), generator)[0, 0, 0]
        spans.append((float(transformed[-1] - transformed[0]), float(transformed[0])))
        assert (transformed.diff() > 0).all()
    assert all(span == pytest.approx(19 / 39, abs=0.01) for span, _ in spans)
    assert min(first for _, first in spans) < 0.1 < 0.4 < max(first for _, first in spans) < 0.51


def test_a_turned_square_stays_square_in_an_oblong_image():
    images = torch.zeros(1, 3, 40, 80)
    images[..., 15:25, 35:45] = 1

    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        transformed = RandomTransforms(degrees=90)(images, (40, 80), generator)[
            0, 0, :, 25:55
        ]  # mirrored squares lie beside it
        assert float(transformed.sum()) == pytest.approx(100, rel=0.05)


def test_transforms_repeat_with_their_seed_and_a_batch_shares_each_draw(images, seeded):
    transforms = RandomTransforms(crop=(0.5, 1.1), degrees=10, shift=0.05, noise=0.1)
    both = transforms(images, (12, 12), seeded(5))
    assert torch.equal(both, transforms(images, (12, 12), seeded(5)))
    torch.testing.assert_close(both[1:], transforms(images[1:], (12, 12), seeded(5)))
    assert not torch.equal(both, transforms(images, (12, 12), seeded(6)))


def test_resizing_changes_the_size_and_not_the_crop(images, seeded):
    transforms, sides = RandomTransforms(resize=(0.4, 1.0)), set()
    for seed in range(60):
        transformed = transforms(images, (112, 112), seeded(seed))
        assert 0 <= (transformed.shape[2] - 0.4 * 112) < 0.6 * 112 + 8
        sides.add(transformed.shape[2])
        torch.testing.assert_close(
            transformed.mean(dim=(2, 3)),
            RandomTransforms()(images, (112, 112), seeded(seed)).mean(dim=(2, 3)),
            atol=0.02,
            rtol=0,
        )
    assert sides == {48, 64, 80, 96, 112}
