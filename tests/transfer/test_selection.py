import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from vitrail.transfer import selection
from vitrail.transfer.selection import best_layers, layer_curve, loo_accuracy


def clouds(samples, dimension, spread, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % 3
    return (rng.normal(size=(3, dimension))[labels] + spread * rng.normal(size=(samples, dimension))), labels


@pytest.mark.parametrize("seed", range(20))  # few samples, so that each of them, and their mean, makes a difference
@pytest.mark.parametrize("dimension", [4, 30])
def test_every_sample_is_left_out_as_scikit_learn_leaves_it_out(dimension, seed, monkeypatch):
    features, labels = clouds(10, dimension, 1.5, seed)
    monkeypatch.setattr(selection, "RIDGES", np.array([0.1]))
    centred = features - features.mean(axis=0)
    ridge = 0.1 * (centred**2).sum() / len(features)
    targets = np.where(labels[:, None] == np.arange(3), 1.0, -1.0)
    unseen = cross_val_predict(Ridge(ridge), features, targets, cv=LeaveOneOut())
    assert loo_accuracy(features, labels) == (unseen.argmax(axis=1) == labels).mean()


def test_the_layer_that_knows_the_classes_is_chosen():
    good, labels = clouds(60, 10, 0.3)
    noise = np.random.default_rng(1).normal(size=(60, 10))
    curve = layer_curve({"shallow": noise, "deep": good}, labels, "unit")
    assert [layers for layers, _ in curve] == [("shallow",), ("deep",), ("shallow", "deep")]
    assert best_layers(curve) == ("deep",)
    assert curve[0][1] < 0.6 < curve[1][1]


def test_constant_features_are_no_better_than_chance():
    labels = np.arange(30) % 3
    assert loo_accuracy(np.ones((30, 4)), labels) <= 1 / 3
