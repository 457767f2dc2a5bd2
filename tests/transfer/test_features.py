import numpy as np
import pytest

from vitrail.backbones import BACKBONES
from vitrail.transfer.estimators import finish
from vitrail.transfer.features import Extraction, Extractor, common_rows


def extraction(kept):
    rows = np.array(kept, np.float32)[:, None]
    contents = np.array(kept, np.uint64)
    return Extraction({"layer": rows}, np.array(kept), [], computed=0, engine=None, seconds=0.0, contents=contents)


def test_what_one_network_could_not_read_is_left_out_of_all():
    one, two = common_rows([extraction([0, 1, 3, 4]), extraction([1, 2, 4])])
    assert one.rows.tolist() == two.rows.tolist() == [1, 4]
    assert one.features["layer"].ravel().tolist() == two.features["layer"].ravel().tolist() == [1, 4]


def test_features_of_a_network_made_elsewhere_are_not_kept(stripes, tmp_path):
    files = sorted((stripes / "test" / "down").iterdir())
    spec, other = BACKBONES["squeezenet"], BACKBONES["squeezenet"]()
    for parameter in other.parameters():
        parameter.data.mul_(0.9)
    strange = finish(Extractor(spec, ("fire9",), cache=tmp_path, backbone=other).run(files))
    own = finish(Extractor(spec, ("fire9",), cache=tmp_path).run(files))
    assert (strange.computed, own.computed) == (4, 4)
    assert np.abs(own.features["fire9"]).max() > np.abs(strange.features["fire9"]).max()
    again = finish(Extractor(spec, ("fire9",), cache=tmp_path).run(files))
    assert again.computed == 0
    np.testing.assert_array_equal(again.features["fire9"], own.features["fire9"])


def test_the_mean_of_both_mirror_images(stripes):
    files, spec = sorted((stripes / "test" / "noise").iterdir())[:1], BACKBONES["squeezenet"]
    plain = finish(Extractor(spec, ("fire9",)).run(files)).features["fire9"]
    mean = finish(Extractor(spec, ("fire9",), flip=True).run(files)).features["fire9"]
    assert np.abs(mean - plain).max() > 0.01 * np.abs(plain).max()
    assert mean.mean() == pytest.approx(plain.mean(), rel=0.1)


def test_files_of_one_damaged_content_are_each_named(stripes, tmp_path):
    files = [tmp_path / name for name in ("one.png", "two.png", "good.png")]
    good = (stripes / "train" / "noise" / "0.png").read_bytes()
    for file, data in zip(files, (good[:200], good[:200], good), strict=True):
        file.write_bytes(data)
    found = finish(Extractor(BACKBONES["squeezenet"], ("fire9",)).run(files))
    assert found.rows.tolist() == [2]
    assert [skip["file"] for skip in found.skipped] == [str(file) for file in files[:2]]
    for skip in found.skipped:
        assert skip["file"] in skip["reason"]
