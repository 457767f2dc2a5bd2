import pytest
import torch
from torch.nn import functional

from vitrail.attacks.preprocessing import classify_as_saved, with_preprocessing
from vitrail.backbones import BACKBONES
from vitrail.datasets.sample_images import sample_images
from vitrail.images import read_pixels, resized_size, save_image, to_unit


@pytest.mark.parametrize("name", ["squeezenet", "efficientnet-lite0"])
def test_pixels_are_classified_as_if_saved_and_read(name, tmp_path):
    backbone = BACKBONES[name]()
    how = backbone.preprocessing
    for index, path in enumerate(sample_images()[:2]):
        whole = read_pixels(path)
        for pixels in (whole, whole[:, :-3, :301], whole[:, :80], read_pixels(path, short_side=how.short_side)):
            save_image(pixels, tmp_path / f"{index}.png")
            read = read_pixels(
                tmp_path / f"{index}.png", short_side=how.short_side, crop=how.size, interpolation=how.interpolation
            )
            with torch.no_grad():
                expected = backbone(to_unit(read)[None])
                found = classify_as_saved(backbone, pixels[None])
                assert torch.equal(found, expected)
                torch.testing.assert_close(
                    with_preprocessing(backbone)(to_unit(pixels)[None]), expected, rtol=0.05, atol=1
                )


def test_the_gradient_goes_through_preprocessing_and_weights_are_shared():
    backbone = BACKBONES["squeezenet"]()
    wrapped = with_preprocessing(backbone)
    pixels = torch.rand(1, 3, 300, 261, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (input_gradient,) = torch.autograd.grad(wrapped(pixels).amax(), pixels)
    assert input_gradient.shape == pixels.shape
    assert input_gradient.abs().sum() > 0
    assert next(wrapped.parameters()) is next(backbone.parameters())
    assert (wrapped.classes, wrapped.layers) == (backbone.classes, backbone.layers)


@pytest.mark.parametrize(("height", "width"), [(300, 2), (2, 300), (1, 1500), (40, 1100)])
@pytest.mark.parametrize("name", ["squeezenet", "efficientnet-lite0"])  # bilinear and bicubic
def test_long_images_are_resized_as_torch_resizes_them_whole_without_making_the_whole(name, height, width, monkeypatch):
    backbone = BACKBONES[name]()
    how = backbone.preprocessing
    pixels = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0), requires_grad=True)
    new_width, new_height = resized_size((width, height), how.short_side)
    resize = functional.interpolate
    whole = resize(pixels, size=(new_height, new_width), mode=how.interpolation, antialias=True)
    left, top = (round((side - how.size) / 2) for side in (new_width, new_height))
    window = whole[:, :, top : top + how.size, left : left + how.size]
    with torch.no_grad():
        expected = backbone(window)
    weights = torch.rand(1, len(backbone.classes), generator=torch.Generator().manual_seed(1))
    (expected_gradient,) = torch.autograd.grad((backbone(window) * weights).sum(), pixels)

    monkeypatch.setattr(functional, "interpolate", lambda *args, **options: pytest.fail("the whole was made"))
    logits = with_preprocessing(backbone)(pixels)
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    (gradient,) = torch.autograd.grad((logits * weights).sum(), pixels)
    assert (gradient - expected_gradient).norm() < 1e-2 * expected_gradient.norm()
