"""`vitrail audit` through the command line."""

import csv
import json
import shutil

import pytest
from command import run

from vitrail.datasets.sample_images import sample_images

FEW = ("--max-images", "3", "--linf", "0.004,0.02", "--l2", "0.1,0.5,1")


def audited(tmp_path, *arguments):
    done = run("audit", *arguments, "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def of_stripes(classifier, stripes, tmp_path_factory):
    """The audit of a folder with train/ and test/."""
    home = tmp_path_factory.mktemp("audit")
    return home / "run", audited(home, stripes, "--backbone", classifier, *FEW)


def test_accuracy_falls_as_epsilon_grows(of_stripes):
    _, result = of_stripes
    assert result["n"] == 3
    assert (result["measure"], result["labels"]) == ("accuracy", "class folders")
    for norm, count in (("linf", 2), ("l2", 3)):
        points = [point for point in result["curve"] if point["norm"] == norm]
        assert len(points) == count
        accuracies = [result["accuracy"], *(point["accuracy"] for point in points)]
        assert accuracies == sorted(accuracies, reverse=True)
    assert result["minimal_l2"]["n"] > 0
    assert 0 < result["minimal_l2"]["median"] < 30
    assert result["faithfulness"].keys() >= {"method", "deletion_auc", "random_deletion_auc", "insertion_auc"}


def test_of_training_and_test_folders_the_test_images_are_audited_with_their_labels(of_stripes, classifier, stripes):
    folder, result = of_stripes
    with (folder / "tables" / "images.csv").open() as lines:
        files = [row["image"] for row in csv.DictReader(lines)]
    assert len(files) == 3
    assert all(f"{stripes}/test/" in file for file in files)


@pytest.mark.parametrize("wrapping", ["data", "data/inner"])
def test_a_folder_around_the_data_is_followed(wrapping, classifier, stripes, tmp_path):
    shutil.copytree(stripes, tmp_path / wrapping)
    result = audited(tmp_path, tmp_path / "data", "--backbone", classifier, "--max-images", "1", "--linf", "0.01")
    assert result["labels"] == "class folders"


def test_labels_decide_what_is_correct(classifier, stripes, tmp_path):
    """Images in the folder of another class are wrong, however sure the network is."""
    (tmp_path / "data").mkdir()
    shutil.copytree(stripes / "test" / "noise", tmp_path / "data" / "down")
    shutil.copytree(stripes / "test" / "across", tmp_path / "data" / "across")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n" + "".join(f"{number}.png,down\n" for number in range(4)))
    result = audited(
        tmp_path, stripes / "test" / "noise", "--labels", table, "--backbone", classifier, "--linf", "0.004"
    )
    assert (result["accuracy"], result["labels"], result["n"]) == (0.0, "table", 4)


def test_without_labels_agreement_is_measured_and_no_accuracy(classifier, stripes, tmp_path):
    folder = stripes / "test" / "across"
    done = run("audit", folder, "--backbone", classifier, *FEW, "--run", tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["accuracy"], result["measure"], result["labels"]) == (None, "agreement", "none")
    assert all(point["accuracy"] is None and 0 <= point["agreement"] <= 1 for point in result["curve"])
    assert "ccuracy " not in done.output
    assert "agreement with the prediction on the clean image" in " ".join(done.output.split())


def test_folders_of_other_names_than_the_networks_classes_are_no_labels(stripes, tmp_path):
    shutil.copytree(stripes / "test" / "across", tmp_path / "data" / "indoor")
    shutil.copytree(stripes / "test" / "down", tmp_path / "data" / "outdoor")
    result = audited(tmp_path, tmp_path / "data", "--backbone", "tiny", "--max-images", "1", "--linf", "0.004")
    assert (result["labels"], result["accuracy"]) == ("none", None)


def test_the_curve_is_that_of_the_minimal_perturbations(of_stripes):
    folder, result = of_stripes
    with (folder / "tables" / "images.csv").open() as lines:
        minimal = [float(row["minimal L2"]) for row in csv.DictReader(lines)]
    for point in result["curve"]:
        if point["norm"] == "l2":
            assert point["accuracy"] == pytest.approx(sum(one > point["epsilon"] for one in minimal) / len(minimal))


def test_there_are_curves_and_contact_sheets(of_stripes):
    folder, _ = of_stripes
    for name in ("curve_linf", "curve_l2", "minimal", "fragile", "robust"):
        assert (folder / "plots" / f"{name}.png").stat().st_size > 3_000


def test_the_summary_says_that_it_is_an_upper_bound(classifier, stripes, tmp_path):
    done = run("audit", stripes, "--backbone", classifier, *FEW, "--run", tmp_path / "run")
    assert "upper bound" in " ".join(done.output.split())
    assert f"vitrail report {tmp_path / 'run'}" in done.output


def test_labels_come_from_a_table(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nchelsea.png,down\ncoffee.png,noise\nother.png,3\n")
    options = ("--labels", table, "--backbone", "tiny", "--max-images", "1", "--linf", "0.004", "--l2", "0.1")
    result = audited(tmp_path, sample_images()[0].parent, *options)
    assert (result["n"], result["labels"]) == (1, "table")


@pytest.mark.slow
def test_robust_accuracy_is_not_above_autoattacks(classifier, stripes, tmp_path):
    options = ("--backbone", classifier, "--max-images", "4", "--autoattack", "--linf", "0.004,0.02")
    result = audited(tmp_path, stripes, *options)
    assert result["autoattack"]["accuracy_here"] <= result["autoattack"]["accuracy"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,label\na.png,0\n", "has no column 'file'; its columns are 'id', 'label'"),
        ("image,size\na.png,0\n", "has no column 'class_index' or 'label'; its columns are 'image', 'size'"),
        ("file,label\na.png,0\n", "None of the"),
        ("file,label\nchelsea.png,griffin\n", "There is no class 'griffin'"),
        ("image,label\na.png,0,more\n", "None of the"),
        ("file,label\nchelsea.png\n", "There is no class ''"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(text, said, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    done = run("audit", sample_images()[0].parent, "--labels", table, "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert said in done.stderr


@pytest.mark.parametrize(("part", "learned"), [("train", 3), ("test", 0)])
def test_images_that_the_classifier_learned_from_are_counted(part, learned, classifier, stripes, tmp_path):
    shutil.copytree(stripes / part, tmp_path / "data")
    options = ("--backbone", classifier, "--max-images", 3, "--linf", 0.01, "--l2", 0.1)
    done = run("audit", tmp_path / "data", *options, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    printed = " ".join(done.output.split())
    assert (f"The classifier learned from {learned} of these 3 images" in printed) == bool(learned)
    assert ("learned from" in printed) == bool(learned)
