"""The estimators: scikit-learn's contract, what users may hand in, and how C is chosen."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from vitrail.errors import BadSetting
from vitrail.linear_svm import one_vs_rest, svm_search
from vitrail.linear_svm.dual_newton import DualSolver
from vitrail.linear_svm.estimators import LinearSVM, LinearSVMCV
from vitrail.linear_svm.primal_newton import PrimalSolver

# The constructors themselves accept anything, as scikit-learn asks; but these tests run with argument types checked.
TYPES_ARE_CHECKED = {"check_do_not_raise_errors_in_init_or_set_params": "argument types are checked in tests"}
BOTH = pytest.mark.parametrize("estimator", [LinearSVM, LinearSVMCV])


def clouds(counts, dimension, *, seed=0, spread=1.0):
    """One cloud of samples per class, of these sizes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    return rng.standard_normal((len(counts), dimension))[labels] + spread * rng.standard_normal(
        (len(labels), dimension)
    ), labels


@pytest.mark.parametrize("estimator", [LinearSVM(), LinearSVM(class_weight="balanced"), LinearSVMCV()], ids=str)
def test_it_is_a_scikit_learn_estimator(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks warn of what they skip, and fit on a single round
        results = check_estimator(estimator, on_fail=None, expected_failed_checks=TYPES_ARE_CHECKED)
    assert [result["check_name"] for result in results if result["status"] not in ("passed", "skipped", "xfail")] == []
    assert len(results) > 40


def test_three_classes_of_names():
    features, labels = clouds([20, 20, 20], 5, spread=0.2)
    names = np.array(["forest", "coast", "street"])[labels]
    model = LinearSVM(10).fit(features, names)
    assert model.classes_.tolist() == ["coast", "forest", "street"]
    assert model.coef_.shape == (3, 5)
    assert model.intercept_.shape == model.gap_.shape == (3,)
    assert model.n_features_in_ == 5
    assert (model.gap_ <= 1e-6).all()
    assert (model.predict(features) == names).all()
    assert model.score(features, names) == 1


def test_two_classes_share_one_row_and_the_second_is_positive():
    features, labels = clouds([30, 20], 4, spread=0.2)
    model = LinearSVM().fit(features, labels)
    assert model.coef_.shape == (1, 4)
    assert model.decision_function(features).shape == (50,)
    assert ((model.decision_function(features) > 0) == (labels == 1)).all()


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_and_precision_of_the_features_do_not_matter(estimator, dtype, tmp_path):
    features, labels = clouds([25, 25, 25], 6)
    expected = estimator().fit(features.astype(dtype).astype(np.float64), labels)
    np.save(tmp_path / "features.npy", features.astype(dtype))
    layouts = [
        np.asfortranarray(features.astype(dtype)),
        np.repeat(features.astype(dtype), 2, axis=1)[:, ::2],
        np.load(tmp_path / "features.npy", mmap_mode="r"),
    ]
    for layout in layouts:
        np.testing.assert_allclose(estimator().fit(layout, labels).coef_, expected.coef_, atol=1e-5)


@BOTH
def test_constant_and_empty_features_are_harmless(estimator):
    features, labels = clouds([20, 20], 3, spread=0.2)
    padded = np.hstack([features, np.full((40, 1), 7.0), np.zeros((40, 2))])
    model, without = (estimator().fit(columns, labels) for columns in (padded, padded[:, :-2]))
    assert (model.coef_[:, -2:] == 0).all()
    np.testing.assert_allclose(model.coef_[:, :-2], without.coef_, atol=1e-9)
    assert model.score(padded, labels) > 0.9


def test_features_without_variance_give_the_commoner_class():
    labels = np.repeat([0, 1], [5, 15])
    assert (LinearSVM().fit(np.ones((20, 3)), labels).predict(np.ones((4, 3))) == 1).all()


def test_balance_helps_the_rare_class():
    features, labels = clouds([300, 15], 2, spread=1.5)
    recalls = [
        LinearSVM(class_weight=given).fit(features, labels).predict(features)[labels == 1].mean()
        for given in (None, "balanced")
    ]
    assert recalls[1] > recalls[0]


def test_classes_are_solved_alike_in_blocks(monkeypatch):
    features, labels = clouds([30] * 5, 4)
    whole = [LinearSVM().fit(features, labels), LinearSVMCV(folds=3).fit(features, labels)]
    monkeypatch.setattr(one_vs_rest, "TABLE_NUMBERS", 300)
    blocks = [LinearSVM().fit(features, labels), LinearSVMCV(folds=3).fit(features, labels)]
    for left, right in zip(whole, blocks, strict=True):
        np.testing.assert_allclose(left.coef_, right.coef_, atol=1e-3)
    np.testing.assert_array_equal(whole[1].accuracy_path_, blocks[1].accuracy_path_)


def test_clone_pickle_pipeline_and_grid_search():
    features, labels = clouds([20, 20, 20], 5)
    model = clone(LinearSVM(0.5, tol=1e-8)).fit(features, labels)
    assert model.get_params()["tol"] == 1e-8
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(features), model.decision_function(features))
    search = GridSearchCV(make_pipeline(StandardScaler(), LinearSVM()), {"linearsvm__C": [0.01, 1.0]}, cv=3)
    assert search.fit(features, labels).best_score_ > 0.5


def test_many_samples_are_not_squared(monkeypatch):
    monkeypatch.setattr(DualSolver, "__init__", None)
    monkeypatch.setattr(svm_search, "GRAM_SAMPLES", 50)
    features, labels = clouds([50, 50], 20)
    assert LinearSVM().fit(features, labels).gap_.max() <= 1e-6


def test_wide_features_are_not_squared(monkeypatch):
    monkeypatch.setattr(PrimalSolver, "__init__", None)
    features, labels = clouds([50, 50], 400)
    assert LinearSVM().fit(features, labels).gap_.max() <= 1e-6


def test_out_of_fold_scores_come_from_classifiers_that_have_not_seen_the_sample(monkeypatch):
    monkeypatch.setattr(svm_search, "PATH_TOLERANCE", 1e-6)
    features, labels = clouds([12, 12, 12], 4)
    model = LinearSVMCV([0.1], folds=3).fit(features, labels)
    part = one_vs_rest.stratified_folds(labels, folds=3, seed=0)
    assert model.out_of_fold_.shape == (36, 3)
    for fold in range(3):
        held_out = part == fold
        alone = LinearSVM(0.1).fit(features[~held_out], labels[~held_out])
        np.testing.assert_allclose(model.out_of_fold_[held_out], alone.decision_function(features[held_out]), atol=1e-3)
        assert model.accuracy_path_[fold, 0] == alone.score(features[held_out], labels[held_out])


def test_ten_values_of_C_are_tried_and_the_classifier_is_fitted_to_all():
    features, labels = clouds([30, 30, 30], 6)
    model = LinearSVMCV().fit(features, labels)
    assert model.Cs_ == pytest.approx(np.logspace(-2, 2, 10))
    assert model.accuracy_path_.shape == (5, 10)
    assert (model.path_gap_ <= svm_search.PATH_TOLERANCE).all()
    np.testing.assert_allclose(model.coef_, LinearSVM(model.C_).fit(features, labels).coef_, atol=1e-9)


def test_of_equal_accuracies_the_smallest_C_is_taken():
    features, labels = clouds([20, 20], 3, spread=0.01)
    model = LinearSVMCV([100.0, 1.0, 10.0]).fit(features, labels)
    assert (model.accuracy_path_ == 1).all()
    assert model.C_ == 1.0


def test_the_seed_is_all_that_moves_the_folds():
    features, labels = clouds([20, 20], 3, spread=2.0)
    first, again, other = (LinearSVMCV(seed=seed).fit(features, labels) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.out_of_fold_, again.out_of_fold_)
    assert not np.array_equal(first.out_of_fold_, other.out_of_fold_)


def test_a_small_class_lowers_the_number_of_folds():
    features, labels = clouds([20, 3, 20], 4)
    assert LinearSVMCV(folds=5).fit(features, labels).accuracy_path_.shape[0] == 3


def test_a_class_of_one_always_trains():
    features, labels = clouds([20, 1, 20], 4)
    model = LinearSVMCV(folds=5).fit(features, labels)
    assert model.accuracy_path_.shape[0] == 5
    assert np.isnan(model.out_of_fold_[20]).all()
    assert np.isfinite(np.delete(model.out_of_fold_, 20, axis=0)).all()
    assert model.coef_.shape == (3, 4)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"C": 0}, "C must be a finite number above 0; got 0"),
        ({"C": -1.0}, "got -1.0"),
        ({"C": float("nan")}, "got nan"),
        ({"tol": 0}, "tol must be above 0; got 0"),
        ({"max_iter": 0}, "max_iter must be at least 1; got 0"),
    ],
)
def test_settings_out_of_range(settings, sentence):
    features, labels = clouds([5, 5], 2)
    with pytest.raises(BadSetting, match=sentence):
        LinearSVM(**settings).fit(features, labels)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"Cs": []}, "got none"),
        ({"Cs": [1.0, -2.0]}, "got -2.0"),
        ({"folds": 1}, "folds must be at least 2; got 1"),
        ({"tol": -1}, "tol must be above 0"),
    ],
)
def test_cross_validation_settings_out_of_range(settings, sentence):
    features, labels = clouds([5, 5], 2)
    with pytest.raises(BadSetting, match=sentence):
        LinearSVMCV(**settings).fit(features, labels)


@BOTH
def test_one_class_cannot_be_learned(estimator):
    with pytest.raises(BadSetting, match=r"at least 2 classes; got 1 class \(cat\)"):
        estimator().fit(np.eye(3), ["cat"] * 3)


def test_nothing_can_be_held_out_of_classes_of_one():
    with pytest.raises(BadSetting, match="class of at least 2 samples"):
        LinearSVMCV().fit(np.eye(3), [0, 1, 2])


@BOTH
def test_features_must_be_finite(estimator):
    features, labels = clouds([5, 5], 2)
    features[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        estimator().fit(features, labels)


def test_a_fit_that_has_not_converged_warns():
    features, labels = clouds([50, 50], 5)
    with pytest.warns(ConvergenceWarning, match="after 1 rounds at a relative gap of"):
        model = LinearSVM(max_iter=1).fit(features, labels)
    assert model.gap_.max() > 1e-6


def deep_like(samples, dimension, classes, length):
    """Non-negative, of falling spectrum and long: the Gram matrix is badly conditioned, as that of deep features is."""
    rng = np.random.default_rng(0)
    labels = np.arange(samples) % classes
    spread = np.arange(1, dimension + 1) ** -0.5
    mixing = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    latent = 0.2 * rng.standard_normal((classes, dimension))[labels] + rng.standard_normal((samples, dimension))
    return (length * np.maximum(0, latent * spread @ mixing + 0.02)).astype(np.float32), labels


SLOW_LENGTHS = [pytest.param(length, marks=pytest.mark.slow) for length in (1, 100)]


@pytest.mark.parametrize("length", [10, *SLOW_LENGTHS])
def test_long_deep_features_reach_the_optimum_at_every_C(length):
    features, labels = deep_like(900, 600, 10, length)
    model = LinearSVMCV(folds=3).fit(features, labels)  # a ConvergenceWarning would be an error
    assert model.path_gap_.max() <= svm_search.PATH_TOLERANCE
    assert model.gap_.max() <= 1e-6
    for C in (0.01, 1.0, 100.0):
        value, gradient = objective(LinearSVM(C).fit(features, labels), features, labels, C)
        assert (gradient**2).sum() / 2 <= 2e-6 * value  # ½‖gradient‖² bounds how far above the optimum it is


def objective(model, features, labels, C):
    """The value over all classes, and its gradient, in double precision."""
    rows = np.hstack([features.astype(float), np.ones((len(features), 1))])
    weights = np.vstack([model.coef_.T, model.intercept_])
    signs = np.where(labels[:, None] == model.classes_, 1.0, -1.0)
    hinge = np.maximum(0, 1 - signs * (rows @ weights))
    return (weights**2).sum() / 2 + C * (hinge**2).sum(), weights - 2 * C * rows.T @ (signs * hinge)


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_scikit_learns(folds, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(4), [5, 9, 20, 13]))
    theirs = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    ours = one_vs_rest.stratified_folds(labels, folds=folds, seed=seed)
    for fold, (_, held_out) in enumerate(theirs):
        assert np.flatnonzero(ours == fold).tolist() == held_out.tolist()
