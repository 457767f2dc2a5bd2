"""Steps of a reproduction that train a GAN, and the values that their findings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.plan import SECONDS, Comparison, Step, StepRequest, Values
from vitrail.tasks.compare_gans import alarm_counts, distance_name, metric

CLEAR = 1.1  # times the distance: from here on one is called larger than another
WON, BLIND = 0.05, 0.02
"""The thresholds of the alarms: D has won where 1 - D(x) and D(G(z)) are below the first, and is blind where
D(x) - D(G(z)) is below the second."""


@dataclass(frozen=True)
class Training:
    """Plans trainings on one folder of images; `settings` are shared by all of them."""

    inputs: Inputs
    folder: str
    settings: Mapping[str, Any]

    def step(self, name: str, shows: tuple[str, ...], **changed: Any) -> Step:
        """One training."""
        inputs = self.inputs
        return StepRequest(name, inputs.missing(self.folder)).run(
            "gan-train",
            shows,
            data=str(inputs.data / self.folder),
            cache=inputs.cache,
            **inputs.drawn,
            **{**self.settings, **changed},
        )

    def comparison(self, name: str, steps: Sequence[Step]) -> Step:
        """All of them side by side."""
        names = tuple(step.name for step in steps)
        folders = tuple(self.inputs.run / "steps" / one for one in names)
        missing = self.inputs.missing(self.folder)
        return StepRequest(name, missing).run("compare", ("comparison", "samples"), names, run_folders=folders)


def without_plots(step: Step) -> Step:
    """The step, for a section that refers to it without its plots."""
    return replace(step, shows=())


def rows_of(name: str, result: Values) -> list[Comparison]:
    """The values of a training."""
    distance, coverage = (metric(result, key) for key in ("frechet-distance", "coverage"))
    rows = [
        Comparison(f"{name}: {distance_name(result)}", distance.get("value")),
        Comparison(f"{name}: the same of real images", distance.get("baseline")),
        Comparison(f"{name}: coverage (real images {coverage.get('baseline', 0):.3f})", coverage.get("value")),
    ]
    rows += [Comparison(f"{name}: last epoch, {what}", value) for what, value in last_epoch(result).items()]
    return [*rows, Comparison(f"{name}: time", result["seconds"]["total"], None, SECONDS)]


def last_epoch(result: Values) -> dict[str, float | None]:
    """What the last epoch's steps come to, as the report calls it; nothing where no epoch was ended."""
    kept = {"D loss": "discriminator_loss", "G loss": "generator_loss", "D(x)": "d_real", "D(G(z))": "d_fake_before_g"}
    means = result["last_epoch"] or {}
    return {what: means.get(key) for what, key in kept.items() if means}


def balance(result: Values) -> str:
    """Whether D, G or neither is ahead in the last epoch."""
    means = last_epoch(result)
    real, fake = means.get("D(x)"), means.get("D(G(z))")
    if real is None or fake is None:
        return "the last epoch has no finite losses"
    losses = f"D(x) is {real:.2f} and D(G(z)) {fake:.2f}"
    if fake < WON and 1 - real < WON:
        return f"{losses}: D has won"
    if real - fake < BLIND:
        return f"{losses}: D cannot tell them apart"
    return f"{losses}: neither has won"


def alarms(result: Values) -> str:
    """Which alarms there were, as a sentence."""
    names = alarm_counts(result["alarms"])
    return f"Alarms: {names}." if names else "No alarm was raised."


def distance_against(result: Values, base: Values | None) -> str:
    """A training's distance beside that of the default settings, and which is the larger."""
    own = metric(result, "frechet-distance").get("value")
    other = None if base is None else metric(base, "frechet-distance").get("value")
    if own is None or other is None:
        return "its distance cannot be compared with that of the default settings"
    if distance_name(result) != distance_name(base or {}):
        return f"its distance is {own:.3g}, measured in another way than {other:.3g}"
    verdict = "worse" if own > CLEAR * other else "better" if CLEAR * own < other else "about as good"
    return f"its samples are {verdict} (FD {own:.3g} against {other:.3g} with the default settings)"
