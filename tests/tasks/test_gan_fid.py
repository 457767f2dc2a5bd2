"""FID: the Fréchet distance in Inception features on 50,000 images."""

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from vitrail.backbones.sources import file_sha256
from vitrail.datasets.pixel_data import PixelOptions, load_pixel_sets
from vitrail.errors import BadSetting
from vitrail.gan.extractors import open_feature_extractor
from vitrail.metrics import SampleEvaluation, SampleMetrics, sample_evaluation
from vitrail.metrics.inception import open_inception


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random Inception weights."""
    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(folder / "none.pth"))
    torch.save(network.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


@pytest.mark.slow
def test_features_are_those_of_torch_fidelity_whatever_the_batch(weights):
    pixels = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    extractor = open_inception(weights, device="cpu")
    with torch.no_grad():
        theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))(pixels)[0]
    torch.testing.assert_close(extractor.features(pixels), theirs)
    torch.testing.assert_close(extractor.features(pixels[1:2]), theirs[1:2])
    grey = pixels[:, :1]
    torch.testing.assert_close(extractor.features(grey), extractor.features(grey.expand(-1, 3, -1, -1)))


@pytest.mark.slow
def test_only_fifty_thousand_images_give_a_fid(weights, stripes, monkeypatch):
    opened = load_pixel_sets(str(stripes), PixelOptions(size=16))
    extractor = open_inception(weights, device="cpu")
    evaluation = SampleEvaluation(extractor, opened.train, opened.held_out, count=50_000, seed=0)
    metrics = SampleMetrics(evaluation.baselines, evaluation.baselines, None, {}, evaluation.count)
    few = evaluation.entries(metrics)[0]
    assert few["label"] == f"FD[inception@{few['extractor']['sha256'][:8]}, 2048, {evaluation.count}]"
    monkeypatch.setattr(sample_evaluation, "FID_COUNT", evaluation.count)
    labels = [entry["label"] for entry in evaluation.entries(metrics)]
    assert labels[0] == few["label"].replace("FD", "FID")
    assert labels[1].startswith("KD[inception")


def test_it_is_opened_by_its_file(weights, stripes, tmp_path):
    opened = load_pixel_sets(str(stripes), PixelOptions(size=16))
    steps = open_feature_extractor(
        f"inception:{weights}", opened.train, opened.held_out, seed=0, device="cpu", cache=tmp_path
    )
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert done.value.value.name == "inception"
    assert done.value.value.weights_sha256 == file_sha256(weights)


@pytest.mark.parametrize("content", [None, b"", b"no weights", "pickle", "other"])
def test_other_files_are_refused(content, weights, tmp_path):
    file = tmp_path / "weights.pth"
    if content in ("pickle", "other"):
        torch.save(torch.nn.Linear(1, 1) if content == "pickle" else {"layer": torch.zeros(1)}, file)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSetting, match=r"Inception weights.*torch-fidelity"):
        open_inception(file, device="cpu")
