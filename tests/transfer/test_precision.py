import json

import numpy as np
import pytest
from typer.testing import CliRunner

from vitrail.cli.app import app
from vitrail.result_differences import differences
from vitrail.transfer import precision
from vitrail.transfer.features import Extractor
from vitrail.transfer.fitting import Fitting
from vitrail.transfer.precision import compare_precisions

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 30)
CENTRES = 3 * RNG.standard_normal((4, 16))
EXACT = (CENTRES[LABELS] + RNG.standard_normal((120, 16))).astype(np.float32)
FITTING = Fitting(Cs=(0.1, 1.0))


def bfloat16(rows):
    """Rounded to 8 bits of mantissa."""
    import torch

    return torch.from_numpy(rows).bfloat16().float().numpy()


def test_rounded_features_are_accepted_with_both_figures():
    trial = compare_precisions(EXACT, bfloat16(EXACT), LABELS, FITTING)
    assert trial["precision"] == "bfloat16"
    assert trial["images"] == 120
    assert trial["accuracy"]["float32"] > 0.95
    assert trial["accuracy"]["bfloat16"] == pytest.approx(trial["accuracy"]["float32"], abs=0.02)


def test_the_figure_of_float32_is_scikit_learns():
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), 50)
    rows = (0.5 * CENTRES[labels] / 3 + rng.standard_normal((200, 16))).astype(np.float32)
    trial = compare_precisions(rows, rows, labels, Fitting(Cs=(0.1,)))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    expected = cross_val_score(
        LinearSVC(C=0.1, intercept_scaling=1, tol=1e-8, max_iter=100_000), rows, labels, cv=folds
    )
    assert trial["accuracy"]["float32"] == pytest.approx(expected.mean(), abs=0.011)
    assert trial["standard_error"] == pytest.approx(expected.std(ddof=1) / 5**0.5, abs=0.006)


@pytest.mark.parametrize(
    "lower",
    [
        pytest.param(np.random.default_rng(2).standard_normal((120, 16)).astype(np.float32), id="noise"),
        pytest.param(np.ones((120, 16), np.float32), id="constant"),
        pytest.param(EXACT[np.random.default_rng(3).permutation(120)], id="shuffled"),
        pytest.param(EXACT + 4 * RNG.standard_normal((120, 16)).astype(np.float32), id="noisy"),
        # As good by themselves, and useless to whoever asks the classifier about features in float32.
        pytest.param(EXACT[:, np.roll(np.arange(16), 5)], id="turned"),
    ],
)
def test_features_that_cost_accuracy_are_refused(lower):
    trial = compare_precisions(EXACT, lower, LABELS, FITTING)
    assert trial["precision"] == "float32"
    assert "lower than in float32" in trial["why"]
    assert min(trial["accuracy"].values()) < 0.9


@pytest.fixture
def fast_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "MANY", 20)
    monkeypatch.setattr(precision, "FEW", 10)


def transferred(stripes, home, run, *more):
    words = ["transfer", stripes, "--backbone", "squeezenet", "--layer", "fire9", "--C", "1", "--json", *more]
    done = CliRunner().invoke(app, [str(word) for word in (*words, "--cache", home / "cache", "--run", home / run)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_transfer_names_the_precision_and_caches_it_apart(fast_bfloat16, stripes, tmp_path):
    result = transferred(stripes, tmp_path, "run")
    trial = result["feature_precision"]["squeezenet"]
    assert trial["precision"] == "bfloat16"
    assert set(trial["accuracy"]) == {"float32", "bfloat16", "bfloat16, asked in float32"}
    assert result["engines"]["squeezenet"]["precision"] == "bfloat16"
    described = [json.loads(file.read_text()) for file in (tmp_path / "cache").rglob("meta.json")]
    assert {each["precision"] for each in described} == {"float32", "bfloat16 cpu"}
    exact = transferred(stripes, tmp_path, "exact", "--precision", "float32")
    assert exact["feature_precision"]["squeezenet"] == {"precision": "float32", "why": "asked for"}
    assert exact["engines"]["squeezenet"]["precision"] == "float32"
    assert transferred(stripes, tmp_path, "again")["computed"] == 0


def test_a_precision_that_costs_accuracy_is_not_used(fast_bfloat16, stripes, tmp_path, monkeypatch):
    rows = Extractor.rows

    def worse(extractor, pixels):
        found = rows(extractor, pixels)
        return [np.ones_like(each) for each in found] if extractor.precision == "bfloat16" else found

    monkeypatch.setattr(Extractor, "rows", worse)
    result = transferred(stripes, tmp_path, "run")
    assert result["feature_precision"]["squeezenet"]["precision"] == "float32"
    assert result["engines"]["squeezenet"]["precision"] == "float32"
    assert result["test"]["accuracy"] == 1.0


def test_without_a_faster_precision_nothing_is_tried(fast_bfloat16, stripes, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: False)
    why = "nothing lower is faster on this device"
    assert transferred(stripes, tmp_path, "run")["feature_precision"]["squeezenet"] == {
        "precision": "float32",
        "why": why,
    }


def test_for_a_few_images_nothing_is_tried(stripes, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    why = "too few images to gain by another"
    assert transferred(stripes, tmp_path, "run")["feature_precision"]["squeezenet"] == {
        "precision": "float32",
        "why": why,
    }


def test_an_engine_without_bfloat16_stays_in_float32(fast_bfloat16, stripes, tmp_path):
    result = transferred(stripes, tmp_path, "run", "--inference-engine", "channels-last")
    assert result["feature_precision"]["squeezenet"]["why"] == "the engine channels-last has no other"
    described = [json.loads(file.read_text()) for file in (tmp_path / "cache").rglob("meta.json")]
    assert {each["precision"] for each in described} == {"float32"}


def test_what_is_cached_in_float32_is_not_computed_anew(fast_bfloat16, stripes, tmp_path):
    assert transferred(stripes, tmp_path, "one", "--precision", "float32")["computed"] == 36
    second = transferred(stripes, tmp_path, "two")
    assert second["computed"] == 0
    assert second["feature_precision"]["squeezenet"]["why"] == "features in float32 are in the cache"


def test_the_passes_of_the_sample_are_counted(fast_bfloat16, stripes, tmp_path):
    assert transferred(stripes, tmp_path, "one", "--no-use-cache")["computed"] == 36 + 2 * 24


def test_the_sample_has_as_many_of_each_class_as_there_are(monkeypatch):
    monkeypatch.setattr(precision, "SAMPLE", 10)
    labels = np.array([0] * 50 + [1] * 2 + [2] * 30)
    chosen = labels[precision._sample(labels, seed=0)]
    assert np.bincount(chosen).tolist() == [4, 2, 4]
    assert len(precision._sample(labels[:8], seed=0)) == 8


def test_in_shards_features_are_float32_and_it_is_named(fast_bfloat16, stripes, tmp_path):
    result = transferred(stripes, tmp_path, "run", "--shards", "2", "--no-use-cache")
    assert result["feature_precision"]["squeezenet"] == {"precision": "float32", "why": "the run is in shards"}


def test_how_a_precision_was_chosen_is_no_difference_of_a_repeated_run():
    assert not differences({"n": 1, "feature_precision": {"squeezenet": {"why": "here"}}}, {"n": 1})
    assert differences({"n": 1, "test": {"precision": 0.5}}, {"n": 1, "test": {"precision": 0.4}})
