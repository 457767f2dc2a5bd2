"""`predict` and `classify`: one row an image, path as given, further classes on request."""

import csv
import json

import pytest
from command import run

import vitrail


def rows(folder):
    with (folder / "tables" / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def predicted(classifier, stripes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predicted") / "run"
    done = run("predict", classifier, stripes / "test" / "down", stripes / "test" / "noise", "--run", folder)
    assert done.exit_code == 0, done.output
    return folder, done


def test_there_is_one_row_an_image_with_the_probability_as_a_number(predicted, stripes):
    folder, _ = predicted
    table = rows(folder)
    tops = [image["top"][0] for image in json.loads((folder / "result.json").read_text())["images"]]
    assert [row["class"] for row in table] == [top["name"] for top in tops]
    assert [row["class"] for row in table[4:]] == ["noise"] * 4
    assert table[0]["image"] == str(stripes / "test" / "down" / "0.png")
    assert all(0.3 < float(row["probability"]) <= 1 for row in table)


def test_the_result_has_the_keys_that_others_rely_on(predicted, classifier):
    folder, _ = predicted
    result = json.loads((folder / "result.json").read_text())
    assert result.keys() >= {"task", "backbone", "device", "seconds", "run", "skipped", "images"}
    assert result["images"][0].keys() >= {"file", "top"}
    assert result["images"][0]["top"][0].keys() == {"index", "name", "probability"}
    assert {len(image["top"]) for image in result["images"]} == {1}


def test_the_summary_names_the_next_command(predicted, classifier):
    _, done = predicted
    assert f"--backbone {classifier}" in done.output
    assert "8 images" in done.output


def test_further_classes_are_further_rows(classifier, stripes, tmp_path):
    file = stripes / "test" / "down" / "0.png"
    assert run("predict", classifier, file, "--top-k", 3, "--run", tmp_path / "run").exit_code == 0
    table = rows(tmp_path / "run")
    assert {row["class"] for row in table} == {"across", "down", "noise"}
    assert sum(float(row["probability"]) for row in table) == pytest.approx(1, abs=1e-5)


def test_python_predicts_as_the_command_does(predicted, classifier, stripes):
    folder, _ = predicted
    predictions = vitrail.load(classifier).predict([row["image"] for row in rows(folder)])
    for prediction, row in zip(predictions, rows(folder), strict=True):
        assert (prediction.file, prediction.name) == (row["image"], row["class"])
        assert prediction.probability == pytest.approx(float(row["probability"]), abs=1e-3)


def test_classify_lists_five_classes_of_one_image_and_one_of_several(cat, stripes, tmp_path):
    options = ("--backbone", "squeezenet", "--run")
    assert run("classify", cat, *options, tmp_path / "one").exit_code == 0
    assert len(rows(tmp_path / "one")) == 5
    assert run("classify", cat, stripes / "test" / "down" / "0.png", *options, tmp_path / "two").exit_code == 0
    assert len(rows(tmp_path / "two")) == 2
    images = json.loads((tmp_path / "two" / "result.json").read_text())["images"]
    assert [len(image["top"]) for image in images] == [5, 5]


def test_a_skipped_image_has_a_kind_and_a_reason(classifier, stripes, tmp_path):
    (tmp_path / "text.png").write_text("text")
    file = stripes / "test" / "down" / "0.png"
    done = run("predict", classifier, file, tmp_path / "text.png", "--json", "--run", tmp_path / "run")
    (skipped,) = json.loads(done.stdout)["skipped"]
    assert skipped["file"] == str(tmp_path / "text.png")
    assert skipped["kind"]
    assert skipped["reason"]
