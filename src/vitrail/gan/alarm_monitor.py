"""The alarms of a run: which were raised, and whether the training stops or rolls back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal

from vitrail.events import Note
from vitrail.gan_training.alarms import Alarm, sample_alarms, training_alarms

GRACE = 500
"""Steps, or a fifth of all if that is fewer, before an alarm other than "nan": every training begins badly."""

ROLLBACKS = 3  # at most; then the training stops

HALVINGS = 4  # of D's learning rate by healing, at most

OnAlarm = Literal["warn", "stop", "rollback", "heal"]


TOO_STRONG, REPEATING = {"discriminator-too-strong"}, {"mode-collapse", "copies"}
"""Alarms by what heals them."""


class AlarmMonitor:
    """Checks every epoch for alarms; one that was raised in the epoch before is recorded, and not noted again.

    Args:
        on_alarm: "warn" continues (but stops at NaN), "stop" stops, "rollback" returns to the best epoch, "heal" halves
            D's learning rate where D is too strong, adds DiffAugment where samples repeat each other or are copies, and
            returns to the best epoch at every alarm but the first of these, and those that the best epoch had as well.
        relative: whether D's scores are no logits of probabilities (`Loss.relative`).
        total_steps: training steps of the whole run.
        augmented: whether D sees images through DiffAugment in any case.

    Attributes:
        alarms: all alarms of the run, as in `result.json`.
        rollbacks: number of rollbacks.
        stopped: whether an alarm has stopped the training.
        d_halvings: how often healing has halved D's learning rate.
        diffaugment: whether healing has added DiffAugment.
    """

    def __init__(self, on_alarm: OnAlarm, *, relative: bool, total_steps: float, augmented: bool = False) -> None:
        self._on_alarm, self._relative, self._grace = on_alarm, relative, min(GRACE, total_steps / 5)
        self._total_steps = total_steps
        self.alarms: list[dict[str, Any]] = []
        self.rollbacks, self.stopped = 0, False
        self.d_halvings, self.diffaugment, self._augmented = 0, False, augmented
        self._raised: list[Alarm] = []  # in this epoch
        self._of_best: set[str] = set()  # alarms of the best epoch

    @property
    def stop(self) -> dict[str, Any] | None:
        """What `restore_stop` takes; None while the training goes on."""
        return {"on_alarm": self._on_alarm, "total_steps": self._total_steps} if self.stopped else None

    def restore_stop(self, stop: Mapping[str, Any] | None) -> None:
        """Stops a resumed run where it had stopped, unless it is to act otherwise at an alarm, or to take longer."""
        self.stopped = stop == {"on_alarm": self._on_alarm, "total_steps": self._total_steps}

    @property
    def broken(self) -> bool:
        """Whether a value of this epoch is NaN or infinite."""
        return any(alarm.name == "nan" for alarm in self._raised)

    def check_steps(self, means: Mapping[str, float], *, epoch: int, step: int) -> Iterator[Note]:
        """Begins the checks of an epoch with the means of its steps; yields a note for each new alarm."""
        self._raised = []
        alarms = training_alarms([means], relative=self._relative)
        yield from self._raise((each for each in alarms if each.name == "nan" or step >= self._grace), epoch, step)
        if self.broken and self._on_alarm == "warn":
            self.stopped = True

    def check_samples(
        self, ratios: Mapping[str, float], *, best_coverage: float, epoch: int, step: int
    ) -> Iterator[Note]:
        """Checks the metrics of samples, as ratios to their baselines; yields a note for each new alarm."""
        if step >= self._grace:
            yield from self._raise(sample_alarms(ratios, best_coverage=best_coverage), epoch, step)

    def end_epoch(self, *, best: int | None) -> Iterator[Note]:
        """Decides whether the training stops.

        Args:
            best: the epoch that the run would return to; None: there is none.
        """
        if not self._raised:
            return
        self._of_best = {alarm["name"] for alarm in self.alarms if alarm["epoch"] == best}
        if self._on_alarm == "stop":
            self.stopped = True
            yield Note("Training stops at the alarm.", "warning")
        elif self._needs_rollback() and (self.rollbacks == ROLLBACKS or best is None):
            self.stopped = True
            yield Note(f"Training stops after {self.rollbacks} rollbacks.", "warning")

    def takes_rollback(self) -> bool:
        """Whether the run has to roll back now; counts it, and clears the alarms of this epoch."""
        rolls_back = self._needs_rollback() and not self.stopped
        if rolls_back:
            self.rollbacks += 1
            self._raised = []
        return rolls_back

    def heal(self) -> list[str]:
        """Remedies for the alarms of this epoch, in words; `d_halvings` and `diffaugment` say what to set."""
        remedies, names = [], self._names() if self._on_alarm == "heal" and not self.stopped else set()
        if names & TOO_STRONG and self.d_halvings < HALVINGS:
            self.d_halvings += 1
            remedies.append("the learning rate of D is halved")
        if names & REPEATING and not (self.diffaugment or self._augmented):
            self.diffaugment = True
            remedies.append("D sees images through DiffAugment")
        return remedies

    def _names(self) -> set[str]:
        return {alarm.name for alarm in self._raised}

    def _needs_rollback(self) -> bool:
        # Healing does not return to an epoch that had the alarm as well: a young training has yet to become diverse.
        lenient = TOO_STRONG | self._of_best - {"nan"} if self._on_alarm == "heal" else set()
        return self._on_alarm in ("rollback", "heal") and bool(self._names() - lenient)

    def _raise(self, alarms: Iterable[Alarm], epoch: int, step: int) -> Iterator[Note]:
        for alarm in alarms:
            repeated = any(each["name"] == alarm.name and each["epoch"] == epoch - 1 for each in self.alarms)
            self._raised.append(alarm)
            value = alarm.value if math.isfinite(alarm.value) else None
            self.alarms.append({**asdict(alarm), "value": value, "epoch": epoch, "step": step})
            if not repeated:
                text = f"Alarm ({alarm.name}, epoch {epoch}): {alarm.text} The threshold is {alarm.threshold:g}."
                yield Note(text, "warning")
