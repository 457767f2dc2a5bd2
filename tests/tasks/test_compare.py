"""`vitrail compare` of generators; of classifiers, see `test_transfer.py`."""

import csv
import json
import shutil

import pytest
from command import run

from vitrail.events import Summary
from vitrail.tasks.compare import Compare

TINY = (
    *("--size", 16, "--width", 4, "--epochs", 1, "--batch", 64, "--no-autotune"),
    *("--eval-samples", 64, "--final-eval-samples", 64),
)


@pytest.fixture(scope="module")
def generators(judges, tmp_path_factory):
    """Run folders of two architectures."""
    home = tmp_path_factory.mktemp("generators")
    for name in ("conditional-dcgan", "conditional-mlp"):
        options = ("--architecture", name, *TINY, "--cache", judges, "--run", home / name)
        done = run("gan", "train", "digits", *options)
        assert done.exit_code == 0, done.output
    return home / "conditional-dcgan", home / "conditional-mlp"


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def changed(folder, where, change):
    """A copy of a run with another result."""
    shutil.copytree(folder, where)
    result = result_of(where)
    change(result)
    (where / "result.json").write_text(json.dumps(result))
    return where


def test_generators_are_compared(generators, tmp_path):
    done = run("compare", *generators, "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    compared = json.loads(done.stdout)
    assert compared["comparable"] is True
    for row, folder in zip(compared["runs"], generators, strict=True):
        result = result_of(folder)
        assert row["run"] == row["architecture"] == folder.name
        assert (row["loss"], row["epochs"]) == ("non-saturating", 1)
        assert row["distance"] == result["metrics"][0]["value"]
        assert row["distance_baseline"] == result["metrics"][0]["baseline"]
        assert row["measured_as"] == result["metrics"][0]["label"]
        assert row["label_agreement"] == result["label_agreement"]
        assert row["judge_accuracy"] == result["judge"]["accuracy"]
        assert row["seconds_training"] == result["seconds"]["training"]
        assert all(row[key] is not None for key in ("coverage", "coverage_baseline", "novelty", "images_per_second"))
    convolutions, perceptron = compared["runs"]
    assert 0 < convolutions["discriminator_parameters"] < convolutions["generator_parameters"]
    assert perceptron["generator_parameters"] != convolutions["generator_parameters"]
    with (tmp_path / "run" / "tables" / "comparison.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == [folder.name for folder in generators]
    assert (tmp_path / "run" / "plots" / "comparison.png").is_file()
    assert (tmp_path / "run" / "images" / "samples.png").is_file()


def test_a_figure_to_a_line_is_printed(generators, tmp_path):
    said = run("compare", *generators, "--run", tmp_path / "run").stdout
    for part in ("FD[judge@", "FD of real images", "coverage", "judge on real images", "parameters of G", "alarms"):
        assert part in said


def test_distances_of_other_counts_are_said_not_to_compare(generators, tmp_path):
    def fewer(result):
        for entry in result["metrics"]:
            entry |= {"n": 32, "label": entry["label"].replace("64]", "32]")}

    other = changed(generators[0], tmp_path / "other", fewer)
    done = run("compare", generators[0], other, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "measured differently: FD[judge@" in " ".join(done.stdout.split())
    assert result_of(tmp_path / "run")["comparable"] is False


def test_without_its_weights_a_run_is_compared_by_its_figures(generators, tmp_path):
    bare = changed(generators[0], tmp_path / "bare", lambda _: None)
    shutil.rmtree(bare / "weights")
    shutil.rmtree(bare / "checkpoints")
    done = run("compare", bare, generators[1], "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "Its samples are left out." in done.stderr
    numbers = [row["generator_parameters"] for row in json.loads(done.stdout)["runs"]]
    assert all(number > 0 for number in numbers)  # as their results have them


def test_runs_of_different_commands_are_refused(generators, classifier, tmp_path):
    done = run("compare", classifier, generators[0], "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert "`vitrail transfer`" in done.stderr
    assert "`vitrail gan train`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("trouble", ["another task", "not ended", "no figures"])
def test_what_cannot_be_compared_is_one_sentence(trouble, generators, tmp_path):
    folder = changed(generators[0], tmp_path / "other", lambda result: result.pop("metrics"))
    says = "holds no metrics"
    if trouble == "another task":
        settings = json.loads((folder / "settings.json").read_text()) | {"task": "audit"}
        (folder / "settings.json").write_text(json.dumps(settings))
        says = "is a run of audit"
    if trouble == "not ended":
        (folder / "result.json").unlink()
        says = "is not finished"
    done = run("compare", generators[0], folder, "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("lost", ["test", "choice", "seconds"])
def test_a_classifier_whose_figures_are_damaged_is_named(lost, tmp_path):
    figures = {
        "test": {"accuracy": 0.5, "n": 4, "interval": [0.2, 0.8]},
        "choice": {"backbone": "squeezenet", "layer": "fire9", "head": "linear-svm", "C": 1.0},
        "seconds": {"total": 2.0},
    }
    for name, result in (("whole", figures), ("damaged", figures | {lost: {"accuracy": "half", "head": None}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text('{"task": "transfer", "settings": {}}')
        (tmp_path / name / "result.json").write_text(json.dumps(result))
    assert run("compare", tmp_path / "whole", "--run", tmp_path / "first").exit_code == 0
    done = run("compare", tmp_path / "whole", tmp_path / "damaged", "--run", tmp_path / "second")
    assert done.exit_code == 1
    assert "damaged' has no test accuracy" in done.stderr


def test_the_summary_names_the_best_run_and_those_whose_intervals_overlap(tmp_path):
    intervals = {"good": [0.80, 0.95], "near": [0.70, 0.85], "poor": [0.40, 0.60]}
    for name, (low, high) in intervals.items():
        result = {
            "test": {"accuracy": (low + high) / 2, "n": 40, "interval": [low, high]},
            "choice": {"backbone": "squeezenet", "layer": "fire9", "head": "linear-svm", "C": 1.0},
            "seconds": {"total": 2.0},
        }
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text('{"task": "transfer", "settings": {}}')
        (tmp_path / name / "result.json").write_text(json.dumps(result))
    events = list(Compare(run_folders=[tmp_path / name for name in ("poor", "good", "near")]).run())
    (summary,) = (event for event in events if isinstance(event, Summary))
    lines = dict(summary.lines)
    assert lines["best run"] == "good"
    assert "near" in lines["overlapping"]
    assert "poor" not in lines["overlapping"]
    assert "distinguish" not in str(summary.lines)
    assert "warning" not in lines


@pytest.mark.parametrize("settings", [{"folder": "other"}, {"folder": "./data"}, {"test_share": 0.5}, {"seed": 1}])
def test_runs_on_other_images_are_said_to_be_and_no_others(settings, tmp_path):
    for name, changed in (("one", {}), ("two", settings)):
        result = {
            "test": {"accuracy": 0.9, "n": 40, "interval": [0.8, 0.95]},
            "choice": {"backbone": "squeezenet", "layer": "fire9", "head": "linear-svm", "C": 1.0},
            "seconds": {"total": 2.0},
        }
        recorded = {"task": "transfer", "settings": {"folder": "data", "test_share": 0.2, "seed": 0, **changed}}
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text(json.dumps(recorded))
        (tmp_path / name / "result.json").write_text(json.dumps(result))
    done = run("compare", tmp_path / "one", tmp_path / "two", "--run", tmp_path / "run")
    other = settings != {"folder": "./data"}
    assert ("differ in their data" in " ".join(done.stdout.split())) == other


def test_a_run_is_not_compared_with_itself(classifier, tmp_path):
    (tmp_path / "link").symlink_to(classifier)
    for number, other in enumerate((classifier, tmp_path / "link", f"{classifier}/../{classifier.name}")):
        done = run("compare", classifier, other, "--run", tmp_path / f"{number}")
        assert done.exit_code == 1
        assert "was given twice" in done.stderr


def test_copies_among_the_test_images_are_named_beside_the_accuracy(classifier, tmp_path):
    result = json.loads((classifier / "result.json").read_text())
    for name, rest in (
        ("some", {"accuracy": 0.25, "n": 8, "interval": [0.1, 0.6]}),
        ("all", {"accuracy": None, "n": 0}),
    ):
        shutil.copytree(classifier, tmp_path / name)
        test = {**result["test"], "copies": 4, "without_copies": rest}
        (tmp_path / name / "result.json").write_text(json.dumps({**result, "test": test}))
    done = run("compare", tmp_path / "some", tmp_path / "all", "--run", tmp_path / "run")
    printed = " ".join(done.stdout.split())
    assert "some: 4 test images are training images too; accuracy 25.0 % without those" in printed
    assert "all: 4 test images are training images too; all of them" in printed
    report = run("report", tmp_path / "some", "--output", tmp_path / "page.html")
    assert report.exit_code == 0
    assert "4 of them copies of training images: 25.0 % without those" in (tmp_path / "page.html").read_text()
