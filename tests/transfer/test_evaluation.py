"""Values of a classifier against closed forms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binomtest

from vitrail.datasets.data_card import DataCard
from vitrail.datasets.labelled import LabelledImages
from vitrail.errors import BadSetting
from vitrail.metrics.calibration import expected_calibration_error
from vitrail.transfer.evaluation import (
    Copies,
    Evaluation,
    choice_of_test_images,
    confusion_matrix,
    mistake_lines,
    wilson_interval,
)
from vitrail.transfer.head import fit_logit_scale


@pytest.mark.parametrize(("correct", "n"), [(8, 10), (0, 7), (7, 7), (1393, 1495)])
def test_wilsons_interval_is_scipys(correct, n):
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_without_an_image_the_interval_is_all_shares():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_confusion_counts_rows_as_true():
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_temperature_scaling_is_scipys():
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=(50, 3)), rng.integers(3, size=50)
    scores[np.arange(50), labels] += 0.5
    cost = lambda s: -log_softmax(s * scores, axis=1)[np.arange(50), labels].mean()  # noqa: E731
    assert fit_logit_scale(scores, labels) == pytest.approx(
        minimize_scalar(cost, bounds=(0, 9), method="bounded").x, rel=1e-3
    )


def test_temperature_scaling_recovers_the_scale_of_known_logits():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(20_000, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probabilities.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert fit_logit_scale(logits / 5, labels) == pytest.approx(5, rel=0.05)


def test_calibration_error_is_the_gap_of_confidence_and_accuracy():
    sure = np.tile([0.9, 0.1], (100, 1))
    labels = np.repeat([0, 1], [70, 30])
    assert expected_calibration_error(sure, labels, bins=1) == pytest.approx(0.2)
    right = np.tile([0.7, 0.3], (100, 1))
    assert expected_calibration_error(right, labels, bins=1) == pytest.approx(0.0)


def test_calibrated_probabilities_have_a_small_error_and_shuffled_labels_a_large_one():
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(20_000, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probabilities.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert expected_calibration_error(probabilities, labels) < 0.02
    assert expected_calibration_error(probabilities, rng.permutation(labels)) > 0.3


@pytest.mark.parametrize(("rows", "labels"), [(0, 0), (3, 2)])
def test_calibration_needs_a_label_for_each_image(rows, labels):
    with pytest.raises(BadSetting, match="probabilities|labels"):
        expected_calibration_error(np.full((rows, 2), 0.5), np.zeros(labels, int))


def evaluation_of(labels, predicted, sure):
    """An evaluation of images of three classes, of which each prediction has the given probability."""
    probabilities = np.tile((1 - np.array(sure))[:, None] / 2, (1, 3))
    probabilities[np.arange(len(labels)), predicted] = sure
    files = tuple(Path(f"{k}.png") for k in range(len(labels)))
    test = LabelledImages(files, np.array(labels), ("a", "b", "c"))
    return Evaluation(
        test, probabilities, {}, Copies(np.zeros(len(labels), bool)), DataCard("set", {"test": len(labels)})
    )


def test_worst_class_confusion_and_mistakes_are_those_counted_by_hand():
    evaluation = evaluation_of([0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 0], [0.9, 0.5, 0.8, 0.7, 0.7, 0.6])
    (worst,) = evaluation.worst_classes()
    assert (worst["name"], worst["n"], worst["recall"]) == ("a", 3, pytest.approx(1 / 3))
    assert evaluation.top_confusions() == [("a", "b", 2)]
    assert evaluation.untested_classes() == ["c"]
    assert evaluation.confident_mistakes(2).tolist() == [2, 5]
    assert evaluation.chance_level == 0.5


def test_without_mistakes_there_is_no_worst_class_and_no_confusion():
    evaluation = evaluation_of([0, 1, 1], [0, 1, 1], [0.9, 0.9, 0.9])
    assert evaluation.worst_classes() == []
    assert evaluation.top_confusions() == []
    assert not len(evaluation.confident_mistakes(5))
    assert evaluation.chance_level == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("labels", "predicted", "lines"),
    [
        ([0, 1, 2], [0, 1, 2], {}),
        ([0, 1, 1], [0, 1, 1], {"not tested": "c (no test image)"}),
        ([0, 0], [0, 0], {"not tested": "b and 1 other (no test image)"}),
        (
            [0, 0, 1, 2],
            [0, 1, 1, 2],
            {"worst class": "a: recall 50.0 % of 2 images", "top confusion": "a classified as b, 1 image"},
        ),
        (
            [0, 0, 0, 1, 2],
            [1, 1, 2, 1, 0],
            {
                "worst class": "a and 1 other: recall 0.0 % of 4 images",
                "top confusion": "a classified as b, 2 images",
            },
        ),
        (
            [0, 1, 2],
            [1, 2, 0],
            {
                "worst class": "a and 2 others: recall 0.0 % of 3 images",
                "top confusion": "a classified as b, 1 image; 2 other pairs as often",
            },
        ),
    ],
)
def test_the_lines_about_mistakes_name_one_and_count_its_equals(labels, predicted, lines):
    assert dict(mistake_lines(evaluation_of(labels, predicted, [0.9] * len(labels)))) == lines


@pytest.mark.parametrize(
    ("changed", "n", "same"),
    [
        ({}, 40, True),
        ({"folder": "./data"}, 40, True),
        ({"folder": str(Path("data").absolute())}, 40, True),
        ({"backbone": "other"}, 40, True),
        ({"seed": 1}, 40, False),
        ({"test_share": 0.5}, 40, False),
        ({"folder": "other"}, 40, False),
        ({}, 41, False),
    ],
)
def test_runs_that_do_not_say_what_they_hold_are_told_apart_by_their_settings(changed, n, same):
    settings = {"folder": "data", "test_share": 0.2, "seed": 0}
    assert (choice_of_test_images({}, settings, 40) == choice_of_test_images({}, settings | changed, n)) == same


@pytest.mark.parametrize(("content", "same"), [("x", True), ("y", False)])
def test_runs_on_the_same_images_are_known_by_what_these_hold(content, same):
    """Wherever they lie, and whatever drew them."""
    one, other = ({"data": {"test_sha256": each}} for each in ("x", content))
    found = choice_of_test_images(one, {"folder": "data", "seed": 0}, 40)
    assert (found == choice_of_test_images(other, {"folder": "moved", "seed": 1}, 40)) == same
