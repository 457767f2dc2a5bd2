"""`vitrail audit` through the command line."""

import csv
import json

import numpy as np
import pytest
from command import run

from vitrail.datasets.sample_images import sample_images
from vitrail.tasks.audit_measures import Audited


def audited(tmp_path, *arguments):
    done = run("audit", *arguments, "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def of_stripes(classifier, stripes, tmp_path_factory):
    home = tmp_path_factory.mktemp("audit")
    return home / "run", audited(home, stripes / "test", "--backbone", classifier, "--limit", "3")


def test_accuracy_falls_as_the_radius_grows(of_stripes):
    _, result = of_stripes
    assert result["n"] == 3
    assert result["accuracy"] == 1.0
    for norm in ("linf", "l2"):
        points = [point for point in result["curve"] if point["norm"] == norm]
        assert len(points) == 8
        accuracies = [point["accuracy"] for point in points]
        assert accuracies == sorted(accuracies, reverse=True)
    assert result["minimal_l2"]["n"] > 0
    assert 0 < result["minimal_l2"]["median"] < 30
    assert result["faithfulness"].keys() >= {"method", "deletion_auc", "random_deletion_auc", "insertion_auc"}


def test_the_curve_is_that_of_the_smallest_changes(of_stripes):
    folder, result = of_stripes
    with (folder / "tables" / "images.csv").open() as lines:
        smallest = [float(row["smallest L2"]) for row in csv.DictReader(lines)]
    for point in result["curve"]:
        if point["norm"] == "l2":
            assert point["accuracy"] == pytest.approx(sum(one > point["radius"] for one in smallest) / len(smallest))


def test_there_are_curves_and_contact_sheets(of_stripes):
    folder, _ = of_stripes
    for name in ("curve_linf", "curve_l2", "smallest", "fragile", "sturdy"):
        assert (folder / "plots" / f"{name}.png").stat().st_size > 3_000


def test_it_says_that_few_attacks_overstate(classifier, stripes, tmp_path):
    done = run(
        "audit", stripes / "test" / "across", "--backbone", classifier, "--limit", "1", "--run", tmp_path / "run"
    )
    assert "upper bound" in done.output
    assert "No labels" in done.output


def test_labels_come_from_a_table(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nchelsea.png,tabby\ncoffee.png,espresso\nother.png,3\n")
    result = audited(tmp_path, sample_images()[0].parent, "--labels", table, "--limit", "1")
    assert result["n"] == 1


def test_a_change_of_exactly_a_radius_counts_at_it():
    empty = np.zeros(1)
    found = Audited(
        [], [], "gradient", {"linf": (0.02,)}, empty > 1, {"linf": np.array([0.02 + 3e-8])}, {}, empty, 0.02, None
    )
    assert found.accuracy("linf", 0.02) == 0
    assert found.accuracy("linf", 0.0199) == 1


@pytest.mark.slow
def test_robust_accuracy_is_not_above_autoattacks(classifier, stripes, tmp_path):
    result = audited(
        tmp_path, stripes / "test", "--backbone", classifier, "--limit", "4", "--reference", "--linf", "0.004,0.02"
    )
    assert result["reference"]["accuracy_here"] <= result["reference"]["accuracy"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,label\na.png,0\n", "must have the columns file and class_index"),
        ("file,label\na.png,0\n", "None of the"),
        ("file,label\nchelsea.png,griffin\n", "There is no class 'griffin'"),
        ("image,label\na.png,0,more\n", "got image, label."),
        ("file,label\nchelsea.png\n", "There is no class ''"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(text, said, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    done = run("audit", sample_images()[0].parent, "--labels", table, "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert said in done.stderr
