"""`Backbone.predict`: names and probabilities of image files."""

import pytest
import torch
from PIL import Image
from torch import nn

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadImage, BadSetting


class Brightness(nn.Module):
    """Logits of three classes from the mean intensity: dark, grey, light."""

    def forward(self, images):
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([-8 * mean, torch.zeros_like(mean) - 2, 8 * (mean - 1)], dim=1)


@pytest.fixture(scope="module")
def backbone():
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Backbone.wrap(Brightness(), mean=zero, std=one, classes=("dark", "grey", "light"), size=16)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name, shade in (("a-black", 0), ("b-white", 255), ("c-grey", 128)):
        Image.new("RGB", (40, 30), (shade,) * 3).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


def test_each_file_has_its_class_and_probability(backbone, files):
    predictions = backbone.predict(files)
    assert [prediction.name for prediction in predictions] == ["dark", "light", "grey"]
    assert [prediction.file for prediction in predictions] == [str(file) for file in files]
    logits = backbone(torch.zeros(1, 3, 16, 16))
    assert predictions[0].probability == pytest.approx(float(logits.softmax(dim=1).max()), abs=1e-6)


def test_one_path_is_a_list_of_one(backbone, files):
    assert backbone.predict(str(files[1])) == backbone.predict([files[1]])


def test_further_classes_on_request_the_most_probable_first(backbone, files):
    (prediction,) = backbone.predict(files[0], top_k=9)
    names, probabilities = zip(*prediction.top, strict=True)
    assert names == ("dark", "grey", "light")
    assert list(probabilities) == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)


def test_many_files_are_read_in_batches(backbone, files):
    assert [prediction.name for prediction in backbone.predict(files * 30)] == ["dark", "light", "grey"] * 30


@pytest.mark.parametrize("given", ["cat.png", ["cat.png"]])
def test_a_path_in_place_of_a_tensor_is_a_type_error_that_names_predict(backbone, given):
    with pytest.raises(TypeError, match=r"\.predict"):
        backbone(given)


def test_a_file_that_is_no_image_is_named(backbone, tmp_path):
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(BadImage, match=r"text\.png"):
        backbone.predict(tmp_path / "text.png")


def test_no_class_at_all_cannot_be_asked_for(backbone, files):
    with pytest.raises(BadSetting, match="top_k"):
        backbone.predict(files, top_k=0)
