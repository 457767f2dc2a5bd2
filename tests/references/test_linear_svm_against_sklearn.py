"""LinearSVM against scikit-learn's LinearSVC, which minimises the same objective."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_class_weight

from vitrail.linear_svm.estimators import LinearSVM, LinearSVMCV

Cs = np.logspace(-2, 2, 10)


def reference(C, **options):
    return LinearSVC(C=C, dual=True, tol=1e-9, max_iter=2_000_000, random_state=0, **options)


def synthetic(samples, dimension, classes, *, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    centres = 0.5 * rng.standard_normal((classes, dimension))
    return (centres[labels] + rng.standard_normal((samples, dimension))) / np.sqrt(dimension), labels


def digits():
    features, labels = load_digits(return_X_y=True)
    return features[:500] / 16, labels[:500]


def objective(model, features, labels, C, weight=1.0):
    positive = labels[:, None] == (model.classes_ if len(model.coef_) > 1 else model.classes_[1:])
    hinge = np.maximum(0, 1 - np.where(positive, 1, -1) * (features @ model.coef_.T + model.intercept_))
    return ((model.coef_**2).sum(axis=1) + model.intercept_**2) / 2 + C * (weight * hinge**2).sum(axis=0)


def assert_same(ours, theirs, features):
    """Predictions agree but where the two highest scores are tied."""
    different = ours.predict(features) != theirs.predict(features)
    scores = np.sort(ours.decision_function(features)[different], axis=1)
    assert (scores[:, -1] - scores[:, -2] < 1e-3).all()


@pytest.mark.parametrize(
    "data", [digits(), synthetic(150, 300, 4), synthetic(400, 20, 3)], ids=["digits", "wide", "tall"]
)
@pytest.mark.parametrize("C", Cs)
def test_objective_and_predictions(data, C):
    features, labels = data
    ours, theirs = LinearSVM(C).fit(features, labels), reference(C).fit(features, labels)
    found, best = (objective(model, features, labels, C) for model in (ours, theirs))
    assert (found <= best * (1 + 2e-6)).all()
    np.testing.assert_allclose(found, best, rtol=1e-4)
    assert_same(ours, theirs, features)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5}])
def test_class_weights(classes, class_weight):
    features, labels = synthetic(200, 10, classes)
    rare = (labels != 1) | (np.arange(200) % 5 == 0)
    features, labels = features[rare], labels[rare]
    ours = LinearSVM(0.5, class_weight=class_weight, tol=1e-10).fit(features, labels)
    theirs = reference(0.5, class_weight=class_weight).fit(features, labels)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)


def test_sample_weights():
    features, labels = synthetic(120, 8, 3)
    weight = np.random.default_rng(1).uniform(0, 2, 120)
    ours = LinearSVM(0.5, tol=1e-10).fit(features, labels, sample_weight=weight)
    theirs = reference(0.5).fit(features, labels, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_cross_validation_is_a_grid_search(class_weight):
    features, labels = synthetic(180, 60, 3)
    chosen = Cs[::2]
    ours = LinearSVMCV(chosen, folds=4, seed=3, class_weight=class_weight).fit(features, labels)
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    grid = {"C": chosen}
    search = GridSearchCV(reference(1.0, class_weight=class_weight), grid, cv=folds).fit(features, labels)
    theirs = np.stack([search.cv_results_[f"split{fold}_test_score"] for fold in range(4)])
    np.testing.assert_allclose(ours.accuracy_path_, theirs, atol=1 / 45 + 1e-9)
    assert abs(ours.accuracy_path_.mean(axis=0).max() - search.best_score_) < 1 / 90
    assert search.best_params_["C"] == pytest.approx(ours.C_)


def test_balanced_is_what_scikit_learn_calls_balanced():
    features, labels = synthetic(90, 5, 3)
    weights = dict(enumerate(compute_class_weight("balanced", classes=np.arange(3), y=labels)))
    left, right = (LinearSVM(class_weight=given).fit(features, labels) for given in ("balanced", weights))
    np.testing.assert_allclose(left.coef_, right.coef_, atol=1e-9)
