"""What goes wrong in adversarial training, told from figures: each alarm with its threshold and what was measured.

Losses and probabilities are averaged over the steps since the last look, so that one odd batch raises none; samples are
compared with real images that the generator has not seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

STRONG = 0.05
"""D(G(z)) while G learns, and 1 - D(x), below which D is too strong: almost nothing is left for G to go by."""

BLIND = 0.02
"""D(x) - D(G(z)) below which D tells nothing apart."""

COLLAPSED = {"distance_ratio": 0.5, "unique_neighbours": 0.2}
"""Shares of what real images give, below which samples repeat each other."""

FALLEN = 0.5
"""Share of the best coverage so far below which a generator has lost what it could make. Low coverage alone is no
collapse: every generator begins with it."""

COPIED = 0.5
"""Novelty below which samples lie as near to training images as no new image does."""


@dataclass(frozen=True)
class Alarm:
    """Something that went wrong.

    Attributes:
        name: "nan", "discriminator-too-strong", "discriminator-blind", "mode-collapse" or "copies".
        figure, value, threshold: what was measured, and the limit that it passed.
        text: one sentence.
    """

    name: str
    figure: str
    value: float
    threshold: float
    text: str


def game_alarms(steps: Sequence[Mapping[str, float]], *, relative: bool = False) -> Iterator[Alarm]:
    """What the figures of some steps (`GanStep.figures`) say of the game.

    Args:
        relative: whether D's scores stand for no probabilities (`Loss.relative`): then only broken numbers are seen.
    """
    means = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
    broken = [name for name, value in means.items() if not isfinite(value)]
    if broken:
        yield Alarm("nan", broken[0], means[broken[0]], 0.0, f"{broken[0]} is no longer a number: the game is over.")
    if broken or relative:
        return
    sure = max(means["d_fake_after_g"], 1 - means["real"])
    if sure < STRONG:
        text = f"D is too strong: it takes real images for real and generated ones for generated, but for {sure:.1%}."
        yield Alarm("discriminator-too-strong", "doubt", sure, STRONG, text)
    apart = means["real"] - means["d_fake_before_g"]
    if apart < BLIND:
        text = (
            f"D is blind: it gives real images {means['real']:.2f} and generated ones {means['d_fake_before_g']:.2f}."
        )
        yield Alarm("discriminator-blind", "difference", apart, BLIND, text)


def sample_alarms(figures: Mapping[str, float], *, best_coverage: float = 0.0) -> Iterator[Alarm]:
    """What the figures of samples say, each as a share of what real images give.

    Args:
        best_coverage: the highest share so far.
    """
    repeated = [name for name, least in COLLAPSED.items() if name in figures and figures[name] < least]
    if repeated:
        first = repeated[0]
        text = f"Samples repeat each other: {first} is {figures[first]:.2f} of what real images give."
        yield Alarm("mode-collapse", first, figures[first], COLLAPSED[first], text)
    elif figures.get("coverage", best_coverage) < FALLEN * best_coverage:
        text = f"Samples have lost variety: coverage is {figures['coverage']:.2f}, after {best_coverage:.2f} before."
        yield Alarm("mode-collapse", "coverage", figures["coverage"], FALLEN * best_coverage, text)
    if figures.get("novelty", 1.0) < COPIED:
        text = f"Samples are copies: they lie {figures['novelty']:.2f} times as far from training images as new ones."
        yield Alarm("copies", "novelty", figures["novelty"], COPIED, text)
