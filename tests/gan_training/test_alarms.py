import pytest

from vitrail.gan_training.alarms import sample_alarms, training_alarms

EVEN = {
    "discriminator_loss": 1.3,
    "generator_loss": 0.8,
    "penalty": 0.0,
    "d_real": 0.6,
    "d_fake_before_g": 0.4,
    "d_fake_after_g": 0.35,
}
FINE = {"coverage": 0.95, "distance_ratio": 0.97, "unique_neighbours": 0.9, "novelty": 1.02}


def names(found):
    return [alarm.name for alarm in found]


def test_a_balanced_training_and_fine_samples_raise_none():
    assert names(training_alarms([EVEN] * 5)) == []
    assert names(sample_alarms(FINE)) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"d_real": 0.99, "d_fake_before_g": 0.01, "d_fake_after_g": 0.01}, "discriminator-too-strong"),
        ({"d_real": 0.5, "d_fake_before_g": 0.5, "d_fake_after_g": 0.5}, "discriminator-blind"),
        ({"generator_loss": float("nan")}, "nan"),
        ({"penalty": float("inf")}, "nan"),
    ],
)
def test_trainings_that_fail(change, name):
    (alarm,) = training_alarms([EVEN | change] * 5)
    assert alarm.name == name
    if name != "nan":
        assert alarm.value < alarm.threshold


def test_scores_that_are_no_probabilities_are_not_read_as_such():
    drifted = EVEN | {"d_real": 1.0, "d_fake_before_g": 1.0, "d_fake_after_g": 1.0}
    assert names(training_alarms([drifted], relative=True)) == []
    assert names(training_alarms([EVEN | {"d_real": float("nan")}], relative=True)) == ["nan"]


def test_one_odd_step_raises_no_alarm():
    odd = EVEN | {"d_real": 1.0, "d_fake_before_g": 0.0, "d_fake_after_g": 0.0}
    assert names(training_alarms([EVEN] * 9 + [odd])) == []


@pytest.mark.parametrize(
    ("change", "name", "metric"),
    [
        ({"coverage": 0.35}, "mode-collapse", "coverage"),
        ({"distance_ratio": 0.1}, "mode-collapse", "distance_ratio"),
        ({"unique_neighbours": 0.05}, "mode-collapse", "unique_neighbours"),
        ({"novelty": 0.1}, "copies", "novelty"),
    ],
)
def test_samples_that_fail(change, name, metric):
    (alarm,) = sample_alarms(FINE | change, best_coverage=0.8)
    assert (alarm.name, alarm.metric, alarm.value) == (name, metric, change[metric])
    assert f"{alarm.value:.2f}" in alarm.text


def test_coverage_that_was_never_higher_is_no_collapse():
    assert names(sample_alarms(FINE | {"coverage": 0.05}, best_coverage=0.06)) == []
