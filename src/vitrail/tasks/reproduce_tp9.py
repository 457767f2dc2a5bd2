"""The third lab's first half: a DCGAN on faces, and what happens when its settings are changed."""

from __future__ import annotations

from functools import partial

from vitrail.tasks.reproduce_gans import Training, quiet
from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_plan import Chapter, Section
from vitrail.tasks.reproduce_tp9_said import say_best, say_beta1, say_loss, say_training, say_updates

FACES = "celeba64"
SHOWN = ("losses", "beliefs", "samples")


def tp9(material: Material) -> Chapter:
    """The chapter on DCGANs."""
    training = Training(material, FACES, {"architecture": "dcgan", **material.sizes.faces})
    changed = partial(training.part, shows=SHOWN)
    base = training.part("faces", ("samples_0001", *SHOWN))
    beta1 = changed("faces-beta1", beta1=0.9)
    generator, discriminator = changed("faces-1-to-5", g_steps=5), changed("faces-5-to-1", d_steps=5)
    saturating = changed("faces-saturating", loss="saturating")
    everything = [base, beta1, generator, discriminator, saturating]
    sections = [
        Section("A DCGAN on faces, with the usual settings", [base], say_training),
        Section("Adam with β1 = 0.9", [quiet(base), beta1], say_beta1),
        Section(
            "One update of D for five of G, and five for one", [quiet(base), generator, discriminator], say_updates
        ),
        Section("Saturating against non-saturating", [quiet(base), saturating], say_loss),
        Section("Side by side", [training.comparison("faces-compared", everything), *map(quiet, everything)], say_best),
    ]
    return Chapter("tp9", "TP9: a GAN on faces", sections)
