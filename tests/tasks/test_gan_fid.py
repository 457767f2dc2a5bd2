"""FID: the one distance that is called so, with weights that somebody brings."""

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from vitrail.backbones.sources import file_sha256
from vitrail.datasets.open_pixels import Wish, open_pixels
from vitrail.errors import BadSetting
from vitrail.tasks import gan_evaluation
from vitrail.tasks.gan_evaluation import Evaluation, Measured
from vitrail.tasks.gan_inception import open_inception
from vitrail.tasks.gan_readers import open_reader


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of Inception weights, drawn and not learned."""
    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(folder / "none.pth"))
    torch.save(network.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def test_features_are_those_of_torch_fidelity_whatever_the_batch(weights):
    pixels = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    reader = open_inception(weights, device="cpu")
    with torch.no_grad():
        theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))(pixels)[0]
    torch.testing.assert_close(reader.features(pixels), theirs)
    torch.testing.assert_close(reader.features(pixels[1:2]), theirs[1:2])
    grey = pixels[:, :1]
    torch.testing.assert_close(reader.features(grey), reader.features(grey.expand(-1, 3, -1, -1)))


def test_only_fifty_thousand_images_give_a_fid(weights, stripes, monkeypatch):
    opened = open_pixels(str(stripes), Wish(size=16))
    evaluation = Evaluation(open_inception(weights, device="cpu"), opened.train, opened.held_out, count=50_000, seed=0)
    measured = Measured(evaluation.floors, evaluation.floors, None, {}, evaluation.count)
    few = evaluation.named(measured)[0]
    assert few["name"] == f"FD[inception@{few['backbone']['sha256'][:8]}, 2048, {evaluation.count}]"
    monkeypatch.setattr(gan_evaluation, "FID_COUNT", evaluation.count)
    names = [figure["name"] for figure in evaluation.named(measured)]
    assert names[0] == few["name"].replace("FD", "FID")
    assert names[1].startswith("KD[inception")


def test_it_is_asked_for_by_its_file(weights, stripes, tmp_path):
    opened = open_pixels(str(stripes), Wish(size=16))
    asked = open_reader(f"inception:{weights}", opened.train, opened.held_out, seed=0, device="cpu", cache=tmp_path)
    with pytest.raises(StopIteration) as done:
        next(asked)
    assert done.value.value.name == "inception"
    assert done.value.value.weights_sha256 == file_sha256(weights)


@pytest.mark.parametrize("content", [None, b"", b"no weights", "pickle", "other"])
def test_what_is_no_such_file_is_told(content, weights, tmp_path):
    file = tmp_path / "weights.pth"
    if content in ("pickle", "other"):
        torch.save(torch.nn.Linear(1, 1) if content == "pickle" else {"layer": torch.zeros(1)}, file)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSetting, match=r"Inception weights.*torch-fidelity.* would work"):
        open_inception(file, device="cpu")
