import pytest
import torch

from vitrail.attacks.prepared import judge, prepared
from vitrail.backbones import BACKBONES
from vitrail.images import read_pixels, save_image, to_unit
from vitrail.tasks.demo import packaged_images


@pytest.mark.parametrize("name", ["squeezenet", "efficientnet-lite0"])
def test_the_judge_says_what_saving_and_reading_says(name, tmp_path):
    backbone = BACKBONES[name]()
    how = backbone.preprocessing
    for index, path in enumerate(packaged_images()[:2]):
        whole = read_pixels(path)
        for pixels in (whole, whole[:, :-3, :301], whole[:, :80], read_pixels(path, short_side=how.short_side)):
            save_image(pixels, tmp_path / f"{index}.png")
            read = read_pixels(
                tmp_path / f"{index}.png", short_side=how.short_side, crop=how.size, interpolation=how.interpolation
            )
            with torch.no_grad():
                expected = backbone(to_unit(read)[None])
                found = judge(backbone, pixels[None])
                assert torch.equal(found, expected)
                torch.testing.assert_close(prepared(backbone)(to_unit(pixels)[None]), expected, rtol=0.05, atol=1)


def test_a_prepared_network_has_a_slope_and_shares_the_weights():
    backbone = BACKBONES["squeezenet"]()
    wrapped = prepared(backbone)
    pixels = torch.rand(1, 3, 300, 261, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (input_gradient,) = torch.autograd.grad(wrapped(pixels).amax(), pixels)
    assert input_gradient.shape == pixels.shape
    assert input_gradient.abs().sum() > 0
    assert next(wrapped.parameters()) is next(backbone.parameters())
    assert (wrapped.classes, wrapped.layers) == (backbone.classes, backbone.layers)
