import sys

import numpy as np
import pytest
from seeded_data import clusters, finish
from sklearn.neighbors import NearestCentroid

from vitrail.dataset_check import class_balance, learning_curve, similar_classes
from vitrail.dataset_check.ridge import fit_ridge


def curve_of(features, labels, classes, group=None, seed=0):
    group = np.full(len(labels), -1) if group is None else group
    return finish(learning_curve(features, labels, classes, group, seed=seed))[0]


def test_the_curve_foretells_twice_as_many_images():
    rng = np.random.default_rng(0)
    features, labels = clusters(rng, [400] * 4, distance=3.0)
    rows = np.concatenate([np.flatnonzero(labels == label)[:200] for label in range(4)])
    half, whole = curve_of(features[rows], labels[rows], 4), curve_of(features, labels, 4)
    foretold = half.points[-1]
    assert foretold.images == 1600
    assert foretold.predicted
    assert foretold.low <= whole.points[-2].accuracy <= foretold.high
    assert foretold.accuracy == pytest.approx(whole.points[-2].accuracy, abs=0.03)
    assert half.predict(1600) == pytest.approx(foretold.accuracy)


def test_points_rise_with_the_images_and_are_in_their_intervals():
    features, labels = clusters(np.random.default_rng(1), [100] * 5, distance=3.0)
    curve = curve_of(features, labels, 5)
    assert [point.images for point in curve.points] == pytest.approx([31, 62, 125, 250, 400, 500, 1000], rel=0.1)
    assert all(0 <= point.low <= point.accuracy <= point.high <= 1 for point in curve.points)
    assert curve.points[0].accuracy < curve.points[4].accuracy <= curve.points[-1].accuracy + 0.02
    assert curve.gain[1] <= curve.gain[0] <= curve.gain[2]


def test_an_accuracy_that_was_measured_is_the_point_at_all_images():
    features, labels = clusters(np.random.default_rng(1), [100] * 5, distance=3.0)
    work = learning_curve(features, labels, 5, np.full(500, -1), accuracy=0.876)
    curve = finish(work)[0]
    assert [(point.images, point.predicted) for point in curve.points[-2:]] == [(500, False), (1000, True)]
    assert curve.points[-2].accuracy == pytest.approx(0.876)


def test_equal_seeds_give_equal_curves():
    features, labels = clusters(np.random.default_rng(2), [40] * 3)
    assert curve_of(features, labels, 3, seed=4) == curve_of(features, labels, 3, seed=4)


def test_shuffled_labels_give_a_curve_at_chance():
    rng = np.random.default_rng(0)
    features, labels = clusters(rng, [100] * 4)
    curve = curve_of(features, rng.permutation(labels), 4)
    assert all(abs(point.accuracy - 0.25) < 0.08 for point in curve.points)


def test_copies_stay_on_one_side():
    """Labels at random, each image there twice: a curve that trained on the copies would be near 1."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((150, 200)).astype(np.float32)
    labels = rng.integers(0, 2, 150)
    group = np.repeat(np.arange(150)[None], 2, 0).ravel()
    curve = curve_of(np.vstack([features, features]), np.concatenate([labels, labels]), 2, group)
    assert max(point.accuracy for point in curve.points) < 0.65


@pytest.mark.parametrize("dimension", [24, 400])
def test_few_images_share_their_products_and_many_do_not(monkeypatch, dimension):
    """Both ways are the same fits: at most an image on the boundary of two classes is classified otherwise."""
    features, labels = clusters(np.random.default_rng(5), [60] * 4, dimension, distance=1.0)
    monkeypatch.setattr(sys.modules["vitrail.dataset_check.learning_curve"], "ROWS", 100)
    shared = curve_of(features, labels, 4)
    monkeypatch.setattr(sys.modules["vitrail.dataset_check.learning_curve"], "GRAM", 0)
    alone = curve_of(features, labels, 4)
    for first, second in zip(shared.points, alone.points, strict=True):
        assert first.images == second.images
        assert first.accuracy == pytest.approx(second.accuracy, abs=0.006)


@pytest.mark.parametrize("counts", [[1] * 60, [100], [10, 10], [2] * 10])
def test_too_few_images_have_no_curve_and_a_reason(counts):
    features, labels = clusters(np.random.default_rng(0), counts)
    curve = curve_of(features, labels, len(counts))
    assert curve.undefined
    assert not curve.points
    assert curve.gain is None


def test_balance_in_closed_form():
    balance = class_balance(np.repeat([0, 1, 3], [50, 50, 5]), 4)
    assert balance.ratio == 10
    assert balance.small == (2, 3)
    shares = np.array([50, 50, 5]) / 105
    assert balance.effective_classes == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert class_balance(np.zeros(0, int), 2).ratio is None


def test_classes_that_look_alike_are_named():
    rng = np.random.default_rng(0)
    features, labels = clusters(rng, [80] * 4, distance=12)
    features[labels == 3] = features[labels == 1] + rng.standard_normal((80, features.shape[1])).astype(np.float32)
    (pair,) = similar_classes(features, labels, 4)
    assert (pair.first, pair.second) == (1, 3)
    assert pair.overlap > 0.3


def test_the_overlap_leaves_the_image_out_of_its_mean():
    features, labels = clusters(np.random.default_rng(3), [6, 7], distance=0.5)
    (pair,) = similar_classes(features, labels, 2)
    wrong = []
    for row in range(13):
        rest = np.setdiff1d(np.arange(13), row)
        wrong.append(NearestCentroid().fit(features[rest], labels[rest]).predict(features[row][None])[0] != labels[row])
    assert pair.overlap == pytest.approx(np.mean(wrong))


def test_shuffled_labels_make_all_classes_alike():
    rng = np.random.default_rng(0)
    features, labels = clusters(rng, [60] * 3, distance=9)
    found = similar_classes(features, rng.permutation(labels), 3)
    assert found
    assert found[0].overlap > 0.4


def test_features_that_say_nothing_have_no_curve():
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((120, 16)).astype(np.float32), np.arange(120) % 2
    curve, _ = finish(learning_curve(features, labels, 2, np.full(120, -1), accuracy=0.5))
    assert (curve.gain, len(curve.points)) == (None, 0)
    assert "better than chance" in curve.undefined


def test_the_interval_of_the_gain_holds_what_more_images_bring():
    """Gaussian classes, whose error falls faster than the curve's own range of exponents has it."""
    inside = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        features, labels = clusters(rng, (1100,) * 4, 16, 4.2)
        order = rng.permutation(len(labels))
        few, twice, rest = order[:400], order[:800], order[800:]
        accuracies = []
        for rows in (few, twice):
            fit = fit_ridge(features[rows], labels[rows], 4, 1.0)
            accuracies.append(float((fit.scores(features[rest]).argmax(axis=1) == labels[rest]).mean()))
        work = learning_curve(features[few], labels[few], 4, np.full(400, -1), accuracy=accuracies[0], seed=seed)
        _, low, high = finish(work)[0].gain
        inside += low - 0.002 <= accuracies[1] - accuracies[0] <= high + 0.002
    assert inside >= 8
