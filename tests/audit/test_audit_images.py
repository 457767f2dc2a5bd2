"""The audit as a function: plain tensors in, a result out."""

import numpy as np
import pytest
import torch
from networks import images, network

from vitrail.audit import AuditResult, audit_images
from vitrail.errors import BadSetting

EPSILONS = {"linf": (0.01, 0.1), "l2": (0.1, 1.0)}


@pytest.fixture(scope="module")
def model():
    return network()


def test_without_labels_nothing_is_said_of_accuracy(model):
    values = audit_images(model, images(), epsilons=EPSILONS).values()
    assert values["accuracy"] is None
    assert values["measure"] == "agreement"
    assert [point["agreement"] for point in values["curve"] if point["norm"] == "l2"] == sorted(
        (point["agreement"] for point in values["curve"] if point["norm"] == "l2"), reverse=True
    )


def test_a_wrong_label_is_wrong_at_every_epsilon(model):
    predictions = model(images()).argmax(dim=1)
    wrong = audit_images(model, images(), (predictions + 1) % 4, epsilons=EPSILONS)
    assert not wrong.correct.any()
    assert wrong.values()["accuracy"] == 0
    assert all(point["accuracy"] == 0 for point in wrong.values()["curve"])
    assert audit_images(model, images(), predictions, epsilons=EPSILONS).values()["accuracy"] == 1


def test_a_perturbation_of_exactly_epsilon_counts_at_it():
    one = np.ones(1)
    result = AuditResult(
        "gradient", {"linf": (0.02,)}, True, one > 0, {"linf": np.array([0.02 + 3e-8])}, {}, one.astype(int)
    )
    assert result.robust("linf", 0.02) == 0
    assert result.robust("linf", 0.0199) == 1


def test_no_image_is_an_error(model):
    with pytest.raises(BadSetting, match="needs images"):
        audit_images(model, torch.zeros(0, 3, 16, 16))
