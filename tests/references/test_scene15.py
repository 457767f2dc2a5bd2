"""LinearSVM against LinearSVC on the features of 15-Scene, which lies beside the checkout where there is a copy."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from vitrail.datasets.open_dataset import open_dataset
from vitrail.transfer import DeepFeatures, LinearSVM

pytestmark = pytest.mark.slow

SCENES = Path(__file__).parents[3] / "shared" / "data" / "scene15"


@pytest.fixture(scope="module")
def features():
    if not SCENES.is_dir():
        pytest.skip(f"15-Scene is not at {SCENES}")
    data = open_dataset(SCENES)
    train, test = data.part("train"), data.part("test")
    rows = DeepFeatures("squeezenet", cache=None).fit(None).transform([*train.files, *test.files]).astype(np.float64)
    return rows[: len(train)], train.labels, rows[len(train) :]


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_the_same_optimum_and_the_same_predictions_but_for_ties(C, features):
    train, labels, test = features
    ours = LinearSVM(C).fit(train, labels)
    theirs = LinearSVC(C=C, dual=True, tol=1e-7, max_iter=100_000, random_state=0).fit(train, labels)
    found, best = (objective(model, train, labels, C) for model in (ours, theirs))
    np.testing.assert_allclose(found, best, rtol=1e-4)
    different = ours.predict(test) != theirs.predict(test)
    scores = np.sort(ours.decision_function(test)[different], axis=1)
    assert (scores[:, -1] - scores[:, -2] < 1e-3).all()


def objective(model, features, labels, C):
    signs = np.where(labels[:, None] == model.classes_, 1, -1)
    hinge = np.maximum(0, 1 - signs * (features @ model.coef_.T + model.intercept_))
    return ((model.coef_**2).sum(axis=1) + model.intercept_**2) / 2 + C * (hinge**2).sum(axis=0)
