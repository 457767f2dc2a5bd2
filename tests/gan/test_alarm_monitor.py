"""What a run does at an alarm."""

import pytest

from vitrail.gan.alarm_monitor import HALVINGS, ROLLBACKS, AlarmMonitor

BLIND = {"discriminator_loss": 1.3, "penalty": 0.0, "d_real": 0.5, "d_fake_before_g": 0.5, "d_fake_after_g": 0.5}
FINE = BLIND | {"d_real": 0.6, "d_fake_before_g": 0.3}
NAN = FINE | {"discriminator_loss": float("nan")}


def end_epoch(monitor, means, *, epoch=1, step=1000, best=-1):
    notes = list(monitor.check_steps(means, epoch=epoch, step=step))
    notes += monitor.end_epoch(best=best)
    return notes, monitor.takes_rollback()


def monitor_of(on_alarm):
    return AlarmMonitor(on_alarm, relative=False, total_steps=10_000)


@pytest.mark.parametrize(
    ("on_alarm", "means", "stopped", "rolls_back"),
    [
        ("warn", FINE, False, False),
        ("warn", BLIND, False, False),
        ("warn", NAN, True, False),
        ("stop", FINE, False, False),
        ("stop", BLIND, True, False),
        ("rollback", FINE, False, False),
        ("rollback", BLIND, False, True),
        ("rollback", NAN, False, True),
    ],
)
def test_what_an_alarm_does(on_alarm, means, stopped, rolls_back):
    monitor = monitor_of(on_alarm)
    assert end_epoch(monitor, means)[1] == rolls_back
    assert monitor.stopped == stopped
    assert len(monitor.alarms) == (means is not FINE)


def test_a_training_that_stops_says_so():
    notes, _ = end_epoch(monitor_of("stop"), BLIND)
    assert notes[-1].text == "Training stops at the alarm."


def test_only_nan_is_an_alarm_at_the_beginning():
    monitor = monitor_of("warn")
    end_epoch(monitor, BLIND, step=499)
    assert not monitor.alarms
    end_epoch(monitor, NAN, step=1)
    assert [(alarm["name"], alarm["value"]) for alarm in monitor.alarms] == [("nan", None)]


def test_rollbacks_are_limited_and_need_a_best_epoch():
    monitor = monitor_of("rollback")
    taken = [end_epoch(monitor, BLIND, epoch=epoch)[1] for epoch in range(ROLLBACKS + 1)]
    assert taken == [True] * ROLLBACKS + [False]
    assert monitor.stopped
    without_best = monitor_of("rollback")
    notes, rolls_back = end_epoch(without_best, NAN, best=None)
    assert (rolls_back, without_best.stopped, without_best.broken) == (False, True, True)
    assert {note.kind for note in notes} == {"warning"}


def test_an_alarm_of_several_epochs_is_noted_once():
    monitor = monitor_of("warn")
    counts = [len(end_epoch(monitor, means, epoch=epoch)[0]) for epoch, means in enumerate((BLIND, BLIND, FINE, BLIND))]
    assert counts == [1, 0, 0, 1]
    assert [alarm["epoch"] for alarm in monitor.alarms] == [0, 1, 3]


def test_samples_are_compared_with_the_best_coverage():
    monitor = monitor_of("stop")
    list(monitor.check_steps(FINE, epoch=1, step=1000))
    place = {"epoch": 1, "step": 1000}
    assert not list(monitor.check_samples({"coverage": 0.5}, best_coverage=0.6, **place))
    (note,) = monitor.check_samples({"coverage": 0.2}, best_coverage=0.6, **place)
    list(monitor.end_epoch(best=-1))
    assert note.kind == "warning"
    assert (monitor.stopped, monitor.alarms[0]["metric"]) == (True, "coverage")


STRONG = FINE | {"d_real": 0.99, "d_fake_before_g": 0.01, "d_fake_after_g": 0.01}


def heal(monitor, means, ratios=None):
    """Whether the run rolls back after an epoch, and the remedies."""
    monitor.stopped = False
    list(monitor.check_steps(means, epoch=1, step=1000))
    list(monitor.check_samples(ratios or {}, best_coverage=0.0, epoch=1, step=1000))
    list(monitor.end_epoch(best=-1))
    remedies = monitor.heal()
    return monitor.takes_rollback(), remedies


def test_healing_halves_the_rate_of_a_strong_discriminator_and_goes_on():
    monitor = monitor_of("heal")
    assert heal(monitor, FINE) == (False, [])
    for times in range(1, HALVINGS + 1):
        assert heal(monitor, STRONG) == (False, ["the learning rate of D is halved"])
        assert monitor.d_halvings == times
    assert heal(monitor, STRONG) == (False, [])
    assert not monitor.stopped
    assert not monitor.diffaugment


@pytest.mark.parametrize("ratios", [{"distance_ratio": 0.1}, {"novelty": 0.1}])
def test_healing_augments_and_goes_back_where_samples_repeat(ratios):
    monitor = monitor_of("heal")
    assert heal(monitor, FINE, ratios) == (True, ["D sees images through DiffAugment"])
    assert heal(monitor, FINE, ratios) == (True, [])
    assert (monitor.diffaugment, monitor.d_halvings, monitor.rollbacks) == (True, 0, 2)
    monitor.rollbacks = ROLLBACKS
    assert heal(monitor, FINE, ratios) == (False, [])
    assert monitor.stopped


def test_healing_does_not_return_to_an_epoch_that_was_no_better():
    """A young training is not diverse yet: to go back would be to begin again, until it stops."""
    monitor, repeating = monitor_of("heal"), {"distance_ratio": 0.1, "coverage": 1.0}
    list(monitor.check_steps(NAN, epoch=1, step=900))  # which was then done again, without
    for epoch in range(1, 2 * ROLLBACKS):
        list(monitor.check_steps(FINE, epoch=epoch, step=1000))
        list(monitor.check_samples(repeating, best_coverage=1.0, epoch=epoch, step=1000))
        list(monitor.end_epoch(best=1))
        assert monitor.heal() == (["D sees images through DiffAugment"] if epoch == 1 else [])
        assert not monitor.takes_rollback()
    assert not monitor.stopped
    list(monitor.check_steps(NAN, epoch=9, step=1000))
    list(monitor.end_epoch(best=1))
    assert monitor.takes_rollback()


def test_healing_adds_no_augmentation_that_is_there_in_any_case():
    monitor = AlarmMonitor("heal", relative=False, total_steps=10_000, augmented=True)
    assert heal(monitor, FINE, {"novelty": 0.1}) == (True, [])
    assert not monitor.diffaugment


def test_healing_goes_back_from_a_loss_that_is_no_number():
    assert heal(monitor_of("heal"), NAN) == (True, [])


@pytest.mark.parametrize("on_alarm", ["warn", "stop", "rollback"])
def test_only_healing_has_remedies(on_alarm):
    monitor = monitor_of(on_alarm)
    assert heal(monitor, STRONG, {"novelty": 0.1})[1] == []
    assert (monitor.d_halvings, monitor.diffaugment) == (0, False)
