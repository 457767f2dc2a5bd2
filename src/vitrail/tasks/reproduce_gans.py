"""Parts of a reproduction that are trainings, and what all their sentences rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vitrail.tasks.compare_gans import alarm_counts, distance_name, metric
from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_plan import SECONDS, Compared, Figures, Part, Wanted

CLEAR = 1.1  # times the distance: from here on one is called larger than another
WON, BLIND = 0.05, 0.02
"""As the alarms have them: D has won where it takes less than this of either kind for the other, and is blind where it
tells them apart by less."""


@dataclass(frozen=True)
class Training:
    """How trainings on one folder of images are planned; `settings` are what all of them share."""

    material: Material
    folder: str
    settings: Mapping[str, Any]

    def part(self, name: str, shows: tuple[str, ...], **changed: Any) -> Part:
        """One training."""
        material = self.material
        return Wanted(name, material.missing(self.folder)).run(
            "gan-train",
            shows,
            data=str(material.data / self.folder),
            cache=material.cache,
            **material.drawn,
            **{**self.settings, **changed},
        )

    def comparison(self, name: str, parts: Sequence[Part]) -> Part:
        """All of them side by side."""
        names = tuple(part.name for part in parts)
        folders = tuple(self.material.run / "parts" / one for one in names)
        missing = self.material.missing(self.folder)
        return Wanted(name, missing).run("compare", ("comparison", "samples"), names, run_folders=folders)


def quiet(part: Part) -> Part:
    """The part in a section that speaks of it and shows nothing of it again."""
    return replace(part, shows=())


def rows_of(name: str, result: Figures) -> list[Compared]:
    """A training's figures."""
    distance, coverage = (metric(result, key) for key in ("frechet-distance", "coverage"))
    rows = [
        Compared(f"{name}: {distance_name(result)}", distance.get("value")),
        Compared(f"{name}: the same of real images", distance.get("baseline")),
        Compared(f"{name}: coverage (real images {coverage.get('baseline', 0):.3f})", coverage.get("value")),
    ]
    rows += [Compared(f"{name}: last epoch, {what}", value) for what, value in last_epoch(result).items()]
    return [*rows, Compared(f"{name}: time", result["seconds"]["total"], None, SECONDS)]


def last_epoch(result: Figures) -> dict[str, float | None]:
    """What the last epoch's steps come to, as the report calls it; nothing where no epoch was ended."""
    kept = {"D loss": "discriminator_loss", "G loss": "generator_loss", "D(x)": "d_real", "D(G(z))": "d_fake_before_g"}
    means = result["last_epoch"] or {}
    return {what: means.get(key) for what, key in kept.items() if means}


def standing(result: Figures) -> str:
    """Who is ahead in the last epoch."""
    means = last_epoch(result)
    real, fake = means.get("D(x)"), means.get("D(G(z))")
    if real is None or fake is None:
        return "the last epoch gave no numbers"
    said = f"D takes real images for real with {real:.2f} and samples with {fake:.2f}"
    if fake < WON and 1 - real < WON:
        return f"{said}: it has won"
    if real - fake < BLIND:
        return f"{said}: it cannot tell them apart"
    return f"{said}: the game goes on"


def alarms(result: Figures) -> str:
    """Which alarms there were, as a sentence."""
    said = alarm_counts(result["alarms"])
    return f"Alarms: {said}." if said else "No alarm was raised."


def distance_against(result: Figures, base: Figures | None) -> str:
    """A training's distance beside that of the usual settings, and which is the larger."""
    own = metric(result, "frechet-distance").get("value")
    other = None if base is None else metric(base, "frechet-distance").get("value")
    if own is None or other is None:
        return "its distance cannot be set beside that of the usual settings"
    if distance_name(result) != distance_name(base or {}):
        return f"its distance is {own:.3g}, measured in another way than {other:.3g}"
    verdict = "worse" if own > CLEAR * other else "better" if CLEAR * own < other else "about as good"
    return f"its samples are {verdict} (FD {own:.3g} against {other:.3g} with the usual settings)"
