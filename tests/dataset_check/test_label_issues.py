import numpy as np
import pytest
from seeded_data import clusters
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from vitrail.dataset_check import find_label_issues, issue_scores, leave_out
from vitrail.dataset_check.ridge import Leaving, fit_ridge


def unit(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def test_left_out_scores_are_those_of_fits_without_the_image_and_its_copies():
    features, labels = clusters(np.random.default_rng(0), [20, 20, 20])
    features = unit(features)
    group = np.full(60, -1)
    group[[3, 40]], group[[5, 6, 7]] = 0, 1
    scores = Leaving(features, labels, 3, group).scores(0.3)
    length = ((features - features.mean(axis=0)) ** 2).sum() / 60
    targets = np.where(labels[:, None] == np.arange(3), 1.0, -1.0)
    for rows in ([0], [59], [3, 40], [5, 6, 7]):
        rest = np.setdiff1d(np.arange(60), rows)
        # The closed form keeps the mean of all as the origin, which a ridge with intercept does not depend on.
        oracle = Ridge(alpha=0.3 * length).fit(features[rest].astype(float), targets[rest])
        assert np.allclose(scores[rows], oracle.predict(features[rows]), atol=2e-4)


@pytest.mark.parametrize("n", [10, 60])
def test_the_fit_is_that_of_ridge_regression_in_either_dimension(n):
    features, labels = clusters(np.random.default_rng(1), [n, n])
    length = ((features - features.mean(axis=0)) ** 2).sum() / len(features)
    targets = np.where(labels[:, None] == np.arange(2), 1.0, -1.0)
    oracle = Ridge(alpha=0.5 * length).fit(features.astype(float), targets).predict(features)
    assert np.allclose(fit_ridge(features, labels, 2, 0.5).scores(features), oracle, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_labels_come_first_and_their_number_is_in_the_interval(seed):
    rng = np.random.default_rng(seed)
    features, truth = clusters(rng, [150] * 5, distance=6)
    labels = truth.copy()
    wrong = rng.choice(750, 40, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 5, 40)) % 5
    left_out = leave_out(unit(features), labels, 5, np.full(750, -1))
    assert average_precision_score(labels != truth, issue_scores(left_out.probabilities, labels)) > 0.9
    found = find_label_issues(left_out.probabilities, labels)
    assert found.interval[0] <= 40 <= found.interval[1]
    listed = [issue.row for issue in found.issues]
    assert np.mean(labels[listed[:30]] != truth[listed[:30]]) > 0.9
    assert np.mean([issue.suggested == truth[issue.row] for issue in found.issues[:30]]) > 0.9
    assert np.all(np.diff([issue.score for issue in found.issues]) <= 0)


def test_copies_with_one_wrong_label_do_not_vouch_for_each_other():
    rng = np.random.default_rng(0)
    features, labels = clusters(rng, [60] * 3, distance=6)
    features = unit(features)
    features[1:6] = features[0]
    labels[:6] = 1  # six copies of an image of class 0, all called 1
    group = np.full(180, -1)
    alone = leave_out(features, labels, 3, group)
    group[:6] = 0
    together = leave_out(features, labels, 3, group)
    assert together.probabilities[:6, 1].max() < 0.1
    assert together.probabilities[:6, 1].max() < alone.probabilities[:6, 1].min()


def test_correct_labels_give_an_estimate_near_none():
    features, labels = clusters(np.random.default_rng(0), [100] * 4, distance=9)
    found = find_label_issues(leave_out(unit(features), labels, 4, np.full(400, -1)).probabilities, labels)
    assert found.expected == 0
    assert found.interval[0] == pytest.approx(0)
    assert found.interval[1] < 9


@pytest.mark.parametrize("garbage", ["shuffled", "noise", "constant"])
def test_features_that_say_nothing_say_so(garbage):
    rng = np.random.default_rng(0)
    features, labels = clusters(rng, [80] * 4)
    if garbage == "shuffled":
        labels = rng.permutation(labels)
    elif garbage == "noise":
        features = rng.standard_normal(features.shape).astype(np.float32)
    else:
        features = np.ones_like(features)
    found = find_label_issues(leave_out(unit(features), labels, 4, np.full(320, -1)).probabilities, labels)
    assert found.expected is None
    assert not found.issues
    assert "do not predict" in found.undefined


@pytest.mark.parametrize("dimension", [4, 40])
def test_more_copies_than_dimensions_are_left_out_as_few_are(dimension):
    """One image of three is a copy of the first: the fit without all of them is solved in the smaller dimension."""
    features, labels = clusters(np.random.default_rng(0), (30, 30), dimension)
    group = np.where(np.arange(60) % 3 == 0, 0, -1)
    left_out = Leaving(features, labels, 2, group).scores(1.0)
    rest = np.flatnonzero(group < 0)
    length = float(np.square(features - features.mean(axis=0)).sum() / 60)
    centred, targets = (
        features[rest] - features[rest].mean(axis=0),
        np.where(labels[rest][:, None] == [0, 1], 1.0, -1.0),
    )
    weights = np.linalg.solve(centred.T @ centred + length * np.eye(dimension), centred.T @ (targets - targets.mean(0)))
    expected = (features[group == 0] - features[rest].mean(axis=0)) @ weights + targets.mean(0)
    assert np.abs(left_out[group == 0] - expected).max() < 2e-3


@pytest.mark.parametrize("kind", ["all are one image", "each is in both classes"])
def test_where_nothing_can_be_known_no_label_is_right(kind):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 16)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    if kind == "all are one image":
        features, labels, group = features[:1].repeat(60, axis=0), np.arange(60) % 2, np.zeros(60, int)
    else:
        features, labels, group = features.repeat(2, axis=0), np.arange(120) % 2, np.arange(120) // 2
    scores = Leaving(features, labels, 2, group).scores(1.0)
    assert np.abs(scores[:, 0] - scores[:, 1]).max() == 0, "which class it is, is known to the last digits"
    left_out = leave_out(features, labels, 2, group)
    assert abs(left_out.accuracy(labels) - 0.5) < 0.1
    issues = find_label_issues(left_out.probabilities, labels)
    assert (issues.expected, len(issues.issues)) == (None, 0)
