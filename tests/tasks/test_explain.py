"""`vitrail explain` through the command line: files of maps, their metrics and verdicts."""

import json
import shlex
from typing import get_args

import numpy as np
import pytest
import torch
from command import run
from PIL import Image

from vitrail.attributions import ATTRIBUTIONS
from vitrail.attributions.verdict import Verdict
from vitrail.backbones import BACKBONES
from vitrail.events import Summary, Table
from vitrail.images import read_pixels, to_unit
from vitrail.report import build_report
from vitrail.tasks.explain import Explain


def explained(tmp_path, *arguments, name="run", backbone="tiny"):
    done = run("explain", *arguments, "--backbone", backbone, "--json", "--run", tmp_path / name)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def three(cat, tmp_path_factory):
    home = tmp_path_factory.mktemp("three")
    methods = "gradient,grad-cam,integrated-gradients"
    return home / "run", explained(
        home, cat, "--method", methods, "--samples", "8", "--randomisation-test", "--segment"
    )


def test_the_result_has_the_keys_others_rely_on(three):
    _, result = three
    (image,) = result["images"]
    assert image["file"].endswith("cat.png")
    assert image["target"].keys() == {"index", "name", "probability"}
    assert [each["method"] for each in image["maps"]] == ["gradient", "grad-cam", "integrated-gradients"]
    auc = {f"{chance}{kind}_auc" for chance in ("", "random_") for kind in ("deletion", "insertion")}
    for each in image["maps"]:
        assert {*auc, "map", "overlay", "array", "mask", "box", "random_weights_correlation"} <= each.keys()
        assert each["verdict"] in get_args(Verdict)
        assert all(0 <= each[key] <= 1 for key in auc)
    assert image["maps"][2]["completeness_error"] < 0.5
    assert result["backbone"][0].keys() >= {"name", "sha256"}


def test_the_class_is_the_likeliest_of_the_network(three, cat):
    _, result = three
    backbone = BACKBONES["tiny"]()
    image = to_unit(read_pixels(cat, short_side=32, crop=32))[None]
    target = result["images"][0]["target"]
    probabilities = backbone(image).softmax(dim=1)[0]
    assert target["index"] == int(probabilities.argmax())
    assert target["probability"] == pytest.approx(probabilities.max().item(), abs=1e-4)
    assert backbone.classes[target["index"]] == target["name"]


def test_files_hold_what_the_method_gives(three, cat):
    folder, result = three
    backbone, target = BACKBONES["tiny"](), result["images"][0]["target"]["index"]
    image = to_unit(read_pixels(cat, short_side=32, crop=32))[None]
    for each in result["images"][0]["maps"][:2]:
        stored = np.load(folder / each["array"])
        expected = ATTRIBUTIONS[each["method"]](backbone, image, torch.tensor([target]))[0].numpy()
        np.testing.assert_allclose(stored, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        for file in (each["map"], each["overlay"]):
            assert np.asarray(Image.open(folder / file)).shape == (32, 32, 3)
        mask = np.asarray(Image.open(folder / each["mask"]))
        assert mask.dtype == bool
        assert each["region_share"] == pytest.approx(mask.mean())
        left, top, right, bottom = each["box"]
        assert 0 <= left < right <= 32
        assert 0 <= top < bottom <= 32


def test_there_are_plots_tables_and_a_page(three, tmp_path):
    folder, result = three
    assert (folder / "plots" / "maps.png").stat().st_size > 10_000
    assert (folder / "plots" / "regions.png").stat().st_size > 10_000
    table = (folder / "tables" / "maps.csv").read_text().splitlines()
    assert len(table) == 1 + 3
    verdicts = (folder / "tables" / "verdicts.csv").read_text().splitlines()
    assert verdicts[0] == "image,class,method,score,random,than chance"
    word = verdicts[1].rpartition(",")[2]
    assert result["images"][0]["maps"][0]["verdict"].startswith(f"{word} than chance")
    build_report([folder], tmp_path / "page.html")
    assert "Maps" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("target", ["tarantula", "76"])
def test_a_class_is_chosen_by_name_or_number(target, cat, tmp_path):
    result = explained(tmp_path, cat, "--target", target, "--no-faithfulness", backbone="squeezenet")
    assert result["images"][0]["target"]["index"] == 76
    assert "deletion_auc" not in result["images"][0]["maps"][0]


def test_several_networks_stand_side_by_side(cat, tmp_path):
    names = "squeezenet,efficientnet-lite0"
    result = explained(tmp_path, cat, "--no-faithfulness", backbone=names)
    maps = result["images"][0]["maps"]
    assert [each["backbone"] for each in maps] == names.split(",")
    assert [backbone["name"] for backbone in result["backbone"]] == names.split(",")
    assert len({each["array"] for each in maps}) == 2


def test_the_classifier_just_made_is_explained(classifier, stripes, tmp_path):
    files = [stripes / "test" / name / "0.png" for name in ("across", "down")]
    methods = "gradient,grad-cam,smooth-grad"
    options = ("--method", methods, "--samples", "3", "--no-faithfulness")
    result = explained(tmp_path, *files, *options, backbone=classifier)
    assert [image["target"]["name"] for image in result["images"]] == ["across", "down"]
    for image in result["images"]:
        for each in image["maps"]:
            assert np.isfinite(np.load(tmp_path / "run" / each["array"])).all()
    names = [each["array"] for image in result["images"] for each in image["maps"]]
    assert len(set(names)) == 6, "two images of one name overwrite each other"


def test_a_replayed_run_is_bit_identical(three, tmp_path):
    folder, _ = three
    done = run("replay", folder, "--runs", tmp_path, "--json")
    assert json.loads(done.stdout)["equal"], done.stdout


def test_unreadable_images_are_skipped_and_named(cat, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    result = explained(tmp_path, cat, bad, "--no-faithfulness")
    assert len(result["images"]) == 1
    assert result["skipped"][0]["file"].endswith("bad.png")


def test_a_map_that_marks_nothing_does_not_end_the_run(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    result = explained(tmp_path, tmp_path / "black.png", "--method", "gradient-x-input", "--segment")
    (each,) = result["images"][0]["maps"]
    assert "box" not in each
    assert each["verdict"] == "no better than chance here"


def test_the_summary_counts_verdicts_and_names_the_next_command(cat):
    events = list(Explain(images=(cat,), backbone=("tiny",), method=("gradient", "grad-cam")).run())
    *_, summary, result = events
    (image,) = result.values["images"]
    lines = dict(summary.lines)
    assert len(summary.lines) <= 12
    assert lines["images"] == "1 image"
    for each in image["maps"]:
        better = each["verdict"] == "better than chance"
        assert lines[each["method"]].startswith(f"better than chance on {int(better)} of 1 image")
    assert "vitrail report {run}" in summary.next_steps
    assert sum(event.prominent for event in events if isinstance(event, Table)) == 1


@pytest.mark.parametrize(
    ("arguments", "term"),
    [
        (("--target", "tarantulla", "--backbone", "squeezenet"), "'tarantulla'. Did you mean tarantula"),
        (("--target", "spider", "--backbone", "squeezenet"), "'spider'"),
        (("--target", "1000"), "1000"),
        (("--method", "gradeint"), "'gradeint'. Did you mean 'gradient'?"),
        (("--method", ","), "--method takes names"),
        (("--backbone", "squeezent"), "'squeezent'. Did you mean 'squeezenet'"),
        (("--samples", "0"), "--samples"),
    ],
)
def test_bad_input_is_one_sentence(arguments, term, cat, tmp_path):
    done = run("explain", cat, *arguments, "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert term in line


def test_the_next_command_is_one_that_can_be_pasted(classifier, tmp_path):
    """Of a classifier made here, on a file with a space in its name, of which no map is better than chance."""
    file = tmp_path / "plain grey.png"
    Image.new("RGB", (40, 40), (128, 128, 128)).save(file)
    task = Explain(images=(file,), backbone=str(classifier), method="gradient")
    (summary,) = [event for event in task.run() if isinstance(event, Summary)]
    (command,) = [step for step in summary.next_steps if step.startswith("vitrail explain")]
    done = run(*shlex.split(command)[1:], "--no-faithfulness", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
