"""`vitrail explain` through the command line: maps that are kept, with the figures that say whether to believe them."""

import json

import numpy as np
import pytest
from command import run
from PIL import Image

from vitrail.attributions import ATTRIBUTIONS
from vitrail.backbones import BACKBONES
from vitrail.images import read_pixels, to_unit
from vitrail.report import build_report


def explained(tmp_path, *arguments, name="run"):
    done = run("explain", *arguments, "--json", "--run", tmp_path / name)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def three(cat, tmp_path_factory):
    home = tmp_path_factory.mktemp("three")
    methods = "gradient,grad-cam,integrated-gradients"
    return home / "run", explained(home, cat, "--method", methods, "--samples", "8", "--check", "--localise")


def test_the_result_has_the_keys_others_rely_on(three):
    _, result = three
    (image,) = result["images"]
    assert image["file"].endswith("cat.png")
    assert image["target"].keys() == {"index", "name", "probability"}
    assert [each["method"] for each in image["maps"]] == ["gradient", "grad-cam", "integrated-gradients"]
    auc = {f"{floor}{kind}_auc" for floor in ("", "random_") for kind in ("deletion", "insertion")}
    for each in image["maps"]:
        assert {*auc, "map", "overlay", "array", "mask", "box", "random_weights_correlation"} <= each.keys()
        assert all(0 <= each[key] <= 1 for key in auc)
    assert image["maps"][2]["completeness_error"] < 0.5
    assert result["backbone"][0]["sha256"].startswith("f286bbf4")


def test_the_verdict_is_the_networks_own(three, cat):
    _, result = three
    backbone = BACKBONES["squeezenet"]()
    image = to_unit(read_pixels(cat, short_side=256, crop=227))[None]
    target = result["images"][0]["target"]
    chances = backbone(image).softmax(dim=1)[0]
    assert target["index"] == int(chances.argmax())
    assert target["probability"] == pytest.approx(chances.max().item(), abs=1e-4)
    assert backbone.classes[target["index"]] == target["name"]


def test_what_is_kept_is_what_the_method_gives(three, cat):
    folder, result = three
    backbone, target = BACKBONES["squeezenet"](), result["images"][0]["target"]["index"]
    image = to_unit(read_pixels(cat, short_side=256, crop=227))[None]
    for each in result["images"][0]["maps"][:2]:
        kept = np.load(folder / each["array"])
        import torch

        expected = ATTRIBUTIONS[each["method"]](backbone, image, torch.tensor([target]))[0].numpy()
        np.testing.assert_allclose(kept, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        for image in (each["map"], each["overlay"]):
            assert np.asarray(Image.open(folder / image)).shape == (227, 227, 3)
        mask = np.asarray(Image.open(folder / each["mask"]))
        assert mask.dtype == bool
        assert each["region_share"] == pytest.approx(mask.mean())
        left, top, right, bottom = each["box"]
        assert 0 <= left < right <= 227
        assert 0 <= top < bottom <= 227


def test_there_is_a_figure_a_table_and_a_page(three, tmp_path):
    folder, _ = three
    assert (folder / "plots" / "maps.png").stat().st_size > 10_000
    assert (folder / "plots" / "regions.png").stat().st_size > 10_000
    table = (folder / "tables" / "maps.csv").read_text().splitlines()
    assert len(table) == 1 + 3
    build_report([folder], tmp_path / "page.html")
    assert "Maps" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("target", ["tarantula", "76"])
def test_a_class_is_chosen_by_name_or_number(target, cat, tmp_path):
    result = explained(tmp_path, cat, "--target", target, "--no-faithfulness")
    assert result["images"][0]["target"]["index"] == 76
    assert "deletion_auc" not in result["images"][0]["maps"][0]


def test_several_networks_stand_side_by_side(cat, tmp_path):
    names = "squeezenet,efficientnet-lite0"
    result = explained(tmp_path, cat, "--backbone", names, "--no-faithfulness")
    maps = result["images"][0]["maps"]
    assert [each["backbone"] for each in maps] == names.split(",")
    assert [backbone["name"] for backbone in result["backbone"]] == names.split(",")
    assert len({each["array"] for each in maps}) == 2


def test_the_classifier_just_made_is_explained(classifier, stripes, tmp_path):
    files = [stripes / "test" / name / "0.png" for name in ("across", "down")]
    methods = "gradient,grad-cam,smooth-grad"
    result = explained(tmp_path, *files, "--backbone", classifier, "--method", methods, "--samples", "3")
    assert [image["target"]["name"] for image in result["images"]] == ["across", "down"]
    for image in result["images"]:
        for each in image["maps"]:
            assert np.isfinite(np.load(tmp_path / "run" / each["array"])).all()
    names = [each["array"] for image in result["images"] for each in image["maps"]]
    assert len(set(names)) == 6, "two images of one name overwrite each other"


def test_a_run_is_repeated_to_the_bit(three, tmp_path):
    folder, _ = three
    done = run("replay", folder, "--runs", tmp_path, "--json")
    assert json.loads(done.stdout)["equal"], done.stdout


def test_unreadable_images_are_skipped_and_named(cat, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    result = explained(tmp_path, cat, bad, "--no-faithfulness")
    assert len(result["images"]) == 1
    assert result["skipped"][0]["file"].endswith("bad.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "tarantulla"), "There is no class 'tarantulla'. Did you mean tarantula"),
        (("--target", "spider"), "classes are called 'spider': "),
        (("--target", "1000"), "There is no class number 1000; 0 to 999 would work."),
        (("--method", "gradeint"), "Unknown attribution method 'gradeint'. Did you mean 'gradient'?"),
        (("--backbone", "squeezent"), "Unknown backbone 'squeezent'. Did you mean 'squeezenet'"),
        (("--samples", "0"), "--samples must be greater than or equal to 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, cat, tmp_path):
    done = run("explain", cat, *arguments, "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
