"""The third lab's first half: a DCGAN on faces, and the effect of its settings."""

from __future__ import annotations

from functools import partial

from vitrail.reproduction.gan_findings import (
    best_findings,
    beta1_findings,
    loss_findings,
    step_ratio_findings,
    training_findings,
)
from vitrail.reproduction.gan_steps import Training, without_plots
from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.plan import Chapter, Section

FACES = "celeba64"
SHOWN = ("losses", "beliefs", "samples")


def gan_chapter(inputs: Inputs) -> Chapter:
    """The chapter on DCGANs."""
    training = Training(inputs, FACES, {"architecture": "dcgan", **inputs.budget.faces})
    changed = partial(training.step, shows=SHOWN)
    base = training.step("faces", ("samples_0001", *SHOWN))
    beta1 = changed("faces-beta1", beta1=0.9)
    generator, discriminator = changed("faces-1-to-5", g_steps=5), changed("faces-5-to-1", d_steps=5)
    saturating = changed("faces-saturating", loss="saturating")
    everything = [base, beta1, generator, discriminator, saturating]
    sections = [
        Section("A DCGAN on faces, with the usual settings", [base], training_findings),
        Section("Adam with β1 = 0.9", [without_plots(base), beta1], beta1_findings),
        Section(
            "One update of D for five of G, and five for one",
            [without_plots(base), generator, discriminator],
            step_ratio_findings,
        ),
        Section("Saturating against non-saturating", [without_plots(base), saturating], loss_findings),
        Section(
            "Side by side",
            [training.comparison("faces-compared", everything), *map(without_plots, everything)],
            best_findings,
        ),
    ]
    return Chapter("gan", "A GAN on faces (TP9)", sections)
