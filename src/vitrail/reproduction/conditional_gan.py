"""The third lab, second half: conditional GANs on digits, convolutional and fully connected."""

from __future__ import annotations

from vitrail.reproduction.conditional_gan_findings import (
    conditional_findings,
    pair_findings,
    unlabelled_discriminator_findings,
)
from vitrail.reproduction.gan_steps import Training, without_plots
from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.plan import Chapter, Section

DIGITS = "mnist"
GRIDS = ("samples_0001", "samples", "losses")

NOTE = (
    "As in the lab, D does not see real images with wrong labels (--no-mismatched-labels; Vitrail's default is to show "
    "them). Both architectures generate images of 32 pixels, so that one classifier measures both."
)


def conditional_gan_chapter(inputs: Inputs) -> Chapter:
    """The chapter on conditional GANs."""
    shared = {"mismatched_labels": False, "size": 32, **inputs.budget.digits}
    training = Training(inputs, DIGITS, shared)
    dcgan = training.step("digits-dcgan", GRIDS, architecture="conditional-dcgan")
    mlp = training.step("digits-mlp", GRIDS, architecture="conditional-mlp", **inputs.budget.mlp)
    blind = training.step("digits-blind", GRIDS, architecture="conditional-dcgan", discriminator_sees_label=False)
    sections = [
        Section("A conditional DCGAN on MNIST", [dcgan], conditional_findings),
        Section("A conditional GAN of fully connected layers", [mlp], conditional_findings),
        Section(
            "The two side by side",
            [training.comparison("digits-compared", [dcgan, mlp]), without_plots(dcgan), without_plots(mlp)],
            pair_findings,
        ),
        Section("D does not see the label", [without_plots(dcgan), blind], unlabelled_discriminator_findings),
    ]
    return Chapter("conditional-gan", "Conditional GANs on digits (TP10)", sections, NOTE)
