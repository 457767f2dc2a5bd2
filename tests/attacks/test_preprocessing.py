import pytest
import torch

from vitrail.attacks.preprocessing import classify_as_saved, with_preprocessing
from vitrail.backbones import BACKBONES
from vitrail.datasets.sample_images import sample_images
from vitrail.images import read_pixels, save_image, to_unit


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
