"""The third lab's second half: digits on demand, by convolutions and by fully connected layers."""

from __future__ import annotations

from vitrail.tasks.reproduce_gans import Training, quiet
from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_plan import Chapter, Section
from vitrail.tasks.reproduce_tp10_said import say_blind, say_conditional, say_pair

DIGITS = "mnist"
GRIDS = ("samples_0001", "samples", "losses")

NOTE = (
    "As in the lab, D is not shown real images under wrong labels, which Vitrail does unless told otherwise "
    "(--no-mismatched-labels). Both architectures make images of 32 pixels, so that one judge measures both."
)


def tp10(material: Material) -> Chapter:
    """The chapter on conditional GANs."""
    shared = {"mismatched_labels": False, "size": 32, **material.sizes.digits}
    training = Training(material, DIGITS, shared)
    dcgan = training.part("digits-dcgan", GRIDS, architecture="conditional-dcgan")
    mlp = training.part("digits-mlp", GRIDS, architecture="conditional-mlp", **material.sizes.connected)
    blind = training.part("digits-blind", GRIDS, architecture="conditional-dcgan", discriminator_sees_label=False)
    sections = [
        Section("A conditional DCGAN on MNIST", [dcgan], say_conditional),
        Section("A conditional GAN of fully connected layers", [mlp], say_conditional),
        Section(
            "The two side by side",
            [training.comparison("digits-compared", [dcgan, mlp]), quiet(dcgan), quiet(mlp)],
            say_pair,
        ),
        Section("D does not see the label", [quiet(dcgan), blind], say_blind),
    ]
    return Chapter("tp10", "TP10: conditional GANs on digits", sections, NOTE)
