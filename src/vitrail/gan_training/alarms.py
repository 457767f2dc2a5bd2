"""Alarms of GAN training: known failures, each with its threshold and the measured value.

Losses and probabilities are means over the steps of an epoch, so that a single batch raises no alarm. Sample metrics
are ratios to the same metrics of held-out real images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from vitrail.formatting import percent

STRONG = 0.05
"""If D(G(z)) in G's update and 1 - D(x) are both below this, D is too strong and G gets almost no gradient."""

BLIND = 0.02
"""If D(x) - D(G(z)) is below this, D does not tell real from generated images."""

COLLAPSED = {"distance_ratio": 0.5, "unique_neighbours": 0.2}
"""Ratios to real images below which samples repeat each other."""

MEASURED = {
    "distance_ratio": "the mean distance between two samples",
    "unique_neighbours": "the share of distinct nearest training images",
}
"""What these ratios are of."""

FALLEN = 0.5
"""Ratio to the best coverage so far below which a generator has lost modes. Low coverage alone is no collapse: every
generator begins with it."""

COPIED = 0.5
"""Novelty below which samples are closer to training images than any held-out real image."""


@dataclass(frozen=True)
class Alarm:
    """A failure of the training.

    Attributes:
        name: "nan", "discriminator-too-strong", "discriminator-blind", "mode-collapse" or "copies".
        metric, value, threshold: the measured metric, and the threshold that it passed.
        text: one sentence.
    """

    name: str
    metric: str
    value: float
    threshold: float
    text: str


def training_alarms(steps: Sequence[Mapping[str, float]], *, relative: bool = False) -> Iterator[Alarm]:
    """Alarms from the values of training steps (`GanStep.values`).

    Args:
        relative: whether D's scores are no logits of probabilities (`Loss.relative`): only "nan" is raised then.
    """
    means = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
    broken = [name for name, value in means.items() if not isfinite(value)]
    if broken:
        yield Alarm("nan", broken[0], means[broken[0]], 0.0, f"{broken[0]} is not a finite number.")
    if broken or relative:
        return
    doubt = max(means["d_fake_after_g"], 1 - means["d_real"])
    if doubt < STRONG:
        text = f"D is too strong: 1 - D(x) and D(G(z)) are at most {percent(doubt)}."
        yield Alarm("discriminator-too-strong", "doubt", doubt, STRONG, text)
    difference = means["d_real"] - means["d_fake_before_g"]
    if difference < BLIND:
        values = f"D(x) is {means['d_real']:.2f}, D(G(z)) {means['d_fake_before_g']:.2f}"
        text = f"D is blind: {values}, a difference of {difference:.3f}."
        yield Alarm("discriminator-blind", "difference", difference, BLIND, text)


def sample_alarms(ratios: Mapping[str, float], *, best_coverage: float = 0.0) -> Iterator[Alarm]:
    """Alarms from the metrics of samples.

    Args:
        ratios: each metric divided by that of held-out real images.
        best_coverage: the highest ratio of coverage so far.
    """
    repeated = [name for name, least in COLLAPSED.items() if name in ratios and ratios[name] < least]
    if repeated:
        first = repeated[0]
        text = f"Samples repeat each other: {MEASURED[first]} is {ratios[first]:.3f} of that of real images."
        yield Alarm("mode-collapse", first, ratios[first], COLLAPSED[first], text)
    elif ratios.get("coverage", best_coverage) < FALLEN * best_coverage:
        text = f"Samples have lost modes: coverage is {ratios['coverage']:.2f}, and was {best_coverage:.2f}."
        yield Alarm("mode-collapse", "coverage", ratios["coverage"], FALLEN * best_coverage, text)
    if ratios.get("novelty", 1.0) < COPIED:
        text = f"Samples are copies: {ratios['novelty']:.2f} times as far from training images as new real images."
        yield Alarm("copies", "novelty", ratios["novelty"], COPIED, text)
